/** The SWUpdate board on the real SWUpdate: packages good and bad, a busy daemon, a dying one, and what the markers say. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Board,
  BusyError,
  type ImageFile,
  millis,
  PackageError,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { readLastErrors, readState, writeState } from "../../../platform/boards/swupdate/control.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createSigner, type Signer } from "./keys.js";
import { imageFile } from "./rauc-laboratory.js";
import { createLaboratory, createPackage, type Laboratory, packageName } from "./swupdate-laboratory.js";

const never = new AbortController().signal;
const quiet = { signal: never, progress: () => undefined, attempt: "attempt-1" };

const directory = mkdtempSync(join(tmpdir(), "packages-"));
const packages = new Map<string, ImageFile>();
const named = (name: string) => packages.get(name) as ImageFile;
let ours: Signer;
let laboratory: Laboratory;

beforeAll(async () => {
  ours = createSigner(directory, "ours");
  const make = async (name: string, content: Partial<Parameters<typeof createPackage>[2]> = {}) => {
    const path = join(directory, `${name}.swu`);
    createPackage(path, { directory }, { version: "2.0.0", signer: ours, ...content });
    packages.set(name, await imageFile(path));
  };
  await make("good");
  await make("large", { size: 200 * 1024 * 1024 });
  await make("foreign", { signer: createSigner(directory, "foreign") });
  await make("for other hardware", { hardware: "7.0" });
  await make("of a wrong hash", { sha256: "1".repeat(64) });
  const expired = createSigner(directory, "expired", "2001-01-01 00:00:00");
  await make("of an expired signer", { signer: { ...expired }, madeAt: "2001-06-01 00:00:00" });
  const good = readFileSync(named("good").path);
  await write("cut", good.subarray(0, good.length / 2));
  await write(
    "tampered",
    Buffer.concat([
      good.subarray(0, 100_000),
      Buffer.of(255 - Number(good[100_000])),
      good.subarray(100_001),
    ]),
  );
  await write("no package", Buffer.from("<html>please log in</html>".repeat(200)));
});

async function write(name: string, content: Uint8Array): Promise<void> {
  const path = join(directory, `${name}.swu`);
  writeFileSync(path, content);
  packages.set(name, await imageFile(path));
}

afterEach(() => laboratory.close());
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const start = async (options: Partial<Parameters<typeof createLaboratory>[0]> = {}): Promise<Board> => {
  laboratory = await createLaboratory({ slots: { directory }, signer: ours, ...options });
  return laboratory.board();
};

const control = () => ({ path: laboratory.path("run/sockinstctrl"), clock: createSystemClock() });
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "it went well",
    (error: unknown) => error,
  );

async function attemptOf(board: Board): Promise<UpdateAttempt> {
  return {
    id: "attempt-1",
    package: { name: packageName, version: "2.0.0" },
    image: named("good"),
    bootId: await board.bootId(),
    previousVersion: (await board.describe()).firmwareVersion,
  };
}

describe("SWUpdate", () => {
  test("a good package goes all the way, twice: checked, installed, booted, committed", async () => {
    let board = await start();
    for (const [from, to] of [
      ["A", "B"],
      ["B", "A"],
    ] as const) {
      expect(laboratory.booted()).toBe(from);
      expect(await board.inspect(named("good"), { signal: never })).toEqual({
        name: packageName,
        version: "2.0.0",
      });
      const attempt = await attemptOf(board);
      const told: (string | undefined)[] = [];
      expect(
        await board.apply(named("good"), { ...quiet, progress: (_, message) => told.push(message) }),
      ).toBe("restart");
      expect(told).toContain("rootfs.img (raw)");
      expect(laboratory.environment("ustate")).toBe("1");
      expect(laboratory.environment("slot")).toBe(to);
      board = await laboratory.boot();
      expect(laboratory.booted()).toBe(to);
      expect(await board.outcome(attempt)).toBe("new");
      expect(laboratory.environment("ustate")).toBe("1");
      await board.commit();
      expect(laboratory.environment("ustate")).toBe("0");
      expect((await board.describe()).firmwareVersion).toBe("2.0.0");
    }
  });

  test.each([
    ["foreign", "integrity", /signature/i],
    ["of an expired signer", "integrity", /signature/i],
    ["of a wrong hash", "integrity", /HASH mismatch/],
    ["tampered", "integrity", /HASH mismatch/],
    ["cut", "integrity", /HASH mismatch/],
    ["for other hardware", "unsupported-package", /not compatible with hardware/],
    ["no package", "unsupported-package", /CPIO/],
  ])(
    "a package that is %s is refused as %s, before it is installed and by the daemon",
    async (name, failure, words) => {
      const board = await start();
      for (const ask of [
        () => board.inspect(named(name), { signal: never }),
        () => board.apply(named(name), quiet),
      ]) {
        const error = await failureOf(ask());
        expect(error).toBeInstanceOf(PackageError);
        expect(`${(error as PackageError).failure}: ${(error as PackageError).message}`).toMatch(
          new RegExp(`^${failure}`),
        );
        expect((error as PackageError).message).toMatch(words);
      }
      expect(await (await laboratory.boot()).outcome(await attemptOf(board))).toBe("old");
      expect(laboratory.booted()).toBe("A");
    },
  );

  test("a package of an older version is refused where the daemon does not go back", async () => {
    await start({ settings: 'no-downgrading = "3.0.0";' });
    const board = laboratory.board({ noDowngrading: "3.0.0" });
    for (const ask of [
      () => board.inspect(named("good"), { signal: never }),
      () => board.apply(named("good"), quiet),
    ]) {
      expect(await failureOf(ask())).toMatchObject({
        failure: "unsupported-package",
        message: expect.stringContaining("No downgrading allowed"),
      });
    }
    expect(laboratory.environment("ustate")).toBe("");
  });

  test("a check leaves the sockets of the daemon alone", async () => {
    const board = await start();
    await board.inspect(named("good"), { signal: never });
    await failureOf(board.inspect(named("foreign"), { signal: never }));
    expect(await board.apply(named("good"), quiet)).toBe("restart");
  });

  test("while somebody else installs, the answer is later; then it is our turn", async () => {
    const board = await start();
    let begun: () => void;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const first = laboratory
      .board()
      .apply(named("large"), { ...quiet, attempt: "theirs", progress: () => begun() });
    await beginning;
    await expect(board.apply(named("good"), quiet)).rejects.toThrow(BusyError);
    expect(await first).toBe("restart");
    expect(await board.apply(named("good"), quiet)).toBe("restart");
  });

  test("a daemon that may not be told which copy: a failure that names the setting, not a busy one", async () => {
    const board = await start({ accepted: "" });
    expect(await failureOf(board.apply(named("good"), quiet))).toMatchObject({
      failure: "failed",
      message: expect.stringContaining("start the daemon with -q"),
    });
  });

  test("a daemon that is killed in the middle: a failure, the markers stay, and the old image boots", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    let killing: Promise<void> | undefined;
    const progress = (fraction: number) => {
      if (fraction > 0.1) killing ??= laboratory.killDaemon();
    };
    expect(await failureOf(board.apply(named("large"), { ...quiet, progress }))).toMatchObject({
      failure: "failed",
    });
    await killing;
    expect(laboratory.environment("recovery_status")).toBe("in_progress");
    expect(laboratory.environment("ustate")).toBe("7");
    expect((await board.check?.())?.map(({ found }) => found).join("\n")).toMatch(
      /does not listen[\s\S]*cut off/,
    );

    const after = await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
    expect(await after.outcome(attempt)).toBe("old");
    await after.commit();
    expect(await after.apply(named("good"), quiet)).toBe("restart");
    expect(laboratory.environment("recovery_status")).toBe("");
  });

  test("an image that never comes up: the boot loader falls back, and the next boot knows", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    await board.apply(named("good"), quiet);
    const after = await laboratory.fallBack();
    expect(laboratory.booted()).toBe("A");
    expect(laboratory.environment("ustate")).toBe("3");
    expect(await after.outcome(attempt)).toBe("old");
    await after.commit();
    expect(laboratory.environment("ustate")).toBe("0");
    await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
  });

  test("written and not yet tried: a commit of the running image leaves the trial to the boot loader", async () => {
    const board = await start();
    await board.apply(named("good"), quiet);
    await board.commit();
    expect(laboratory.environment("ustate")).toBe("1");
    expect(laboratory.environment("slot")).toBe("B");
    expect(await board.revert()).toBe("done");
    await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
  });

  test("a boot loader that falls back by itself is asked for by a restart; without any way back that is said", async () => {
    await start();
    const copies = [
      { root: "/dev/slot-A", selection: "stable,copy1" },
      { root: "/dev/slot-B", selection: "stable,copy2" },
    ];
    await laboratory.board({ copies }).apply(named("good"), quiet);
    await laboratory.boot();
    expect(await laboratory.board({ copies, fallsBack: true }).revert()).toBe("restart");
    await expect(laboratory.board({ copies }).revert()).rejects.toThrow(/no way back/);
  });

  test("the state goes through the daemon where the environment may not be written", async () => {
    await start();
    expect(await readState(control())).toBe("unavailable"); // nobody has ever set it
    await writeState(control(), "testing");
    expect(laboratory.environment("ustate")).toBe("2");
    expect(await readState(control())).toBe("testing");
  });

  test("a run that went well leaves no reasons behind", async () => {
    const board = await start();
    await failureOf(board.apply(named("for other hardware"), quiet));
    await board.apply(named("good"), quiet);
    expect(await readLastErrors(control())).toEqual([]);
  });

  test("a check names the unit that restarts the machine behind our back, and the missing way back", async () => {
    await start();
    const wants = "root/etc/systemd/system/multi-user.target.wants";
    mkdirSync(laboratory.path(wants), { recursive: true });
    writeFileSync(
      laboratory.path(`${wants}/swupdate-progress.service`),
      "[Service]\nExecStart=/usr/bin/swupdate-progress -r -w\n",
    );
    const found = async (board: Board) =>
      ((await board.check?.()) ?? []).map((finding) => finding.found).join("\n");
    expect(await found(laboratory.board({ copies: [] }))).toMatch(
      /swupdate-progress.service restarts[\s\S]*/,
    );
    expect(await found(laboratory.board({ copies: [] }))).toMatch(/cannot be taken back/);
    expect(await found(laboratory.board({ program: "/nonexistent/swupdate" }))).toMatch(/cannot be run/);
    const other = laboratory.board({ copies: [{ root: "/dev/x", selection: "stable,copy1" }] });
    expect(await found(other)).toMatch(/none of the configured copies/);
    expect(await found(laboratory.board({ keyPath: "/nonexistent" }))).toMatch(/cannot be read/);
  });

  test("an installation that takes too long is ended", async () => {
    await start();
    const board = laboratory.board({ installationLimit: millis(50) });
    expect(await failureOf(board.apply(named("large"), quiet))).toMatchObject({ failure: "failed" });
  });
});
