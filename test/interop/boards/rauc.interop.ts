/** The RAUC board on the real RAUC: bundles good and bad, a busy service, a dying one, and a boot loader that falls back. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type Board,
  BusyError,
  type Clock,
  type ImageFile,
  millis,
  PackageError,
  seconds,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createSigner, type Signer } from "./keys.js";
import { probeKernel } from "./programs.js";
import { createBundle, createLaboratory, imageFile, type Laboratory } from "./rauc-laboratory.js";

const never = new AbortController().signal;
const quiet = { signal: never, progress: () => undefined, attempt: "attempt-1" };

const folder = mkdtempSync(join(tmpdir(), "bundles-"));
const bundles = new Map<string, ImageFile>();
const bundle = (name: string) => bundles.get(name) as ImageFile;
let ours: Signer;
let laboratory: Laboratory;

beforeAll(async () => {
  const { deviceMapper } = probeKernel();
  ours = createSigner(folder, "ours");
  const foreign = createSigner(folder, "foreign");
  const make = async (name: string, content: Partial<Parameters<typeof createBundle>[1]> = {}) => {
    const path = join(folder, `${name}.raucb`);
    createBundle(path, { version: "2.0.0", signer: ours, ...content });
    bundles.set(name, await imageFile(path));
  };
  await make("good");
  await make("large", { size: 256 * 1024 * 1024 });
  await make("foreign", { signer: foreign });
  await make("incompatible", { compatible: "Another-Board" });
  if (deviceMapper) await make("verity", { format: "verity" });
  const good = readFileSync(bundle("good").path);
  await write(
    "tampered",
    Buffer.concat([good.subarray(0, 5000), Buffer.of(255 - Number(good[5000])), good.subarray(5001)]),
  );
  await write("cut", good.subarray(0, good.length / 2));
  await write("page", Buffer.from("<html>please log in</html>".repeat(200)));
});

async function write(name: string, content: Uint8Array): Promise<void> {
  const path = join(folder, `${name}.raucb`);
  writeFileSync(path, content);
  bundles.set(name, await imageFile(path));
}

afterEach(() => laboratory.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = async (options: Partial<Parameters<typeof createLaboratory>[0]> = {}): Promise<Board> => {
  laboratory = await createLaboratory({ signer: ours, ...options });
  return laboratory.board();
};

async function attemptOf(board: Board): Promise<UpdateAttempt> {
  return {
    id: "attempt-1",
    package: { name: "Test-Board", version: "2.0.0" },
    image: bundle("good"),
    bootId: await board.bootId(),
    previousVersion: (await board.describe()).firmwareVersion,
  };
}

describe("RAUC", () => {
  test("a good bundle goes all the way: inspected, installed, booted, committed", async () => {
    const board = await start();
    expect(await board.describe()).toMatchObject({ hardwareVersion: "Test-Board", firmwareVersion: "1.0.0" });
    expect(await board.inspect(bundle("good"), { signal: never })).toEqual({
      name: "Test-Board",
      version: "2.0.0",
    });
    const attempt = await attemptOf(board);
    const told: (string | undefined)[] = [];
    expect(
      await board.apply(bundle("good"), { ...quiet, progress: (_, message) => told.push(message) }),
    ).toBe("restart");
    expect(told).toContain("Installing done.");
    expect(laboratory.environment("BOOT_ORDER")).toBe("B A");

    const after = await laboratory.boot();
    expect(laboratory.booted()).toBe("B");
    expect((await after.describe()).firmwareVersion).toBe("2.0.0");
    expect(await after.outcome(attempt)).toBe("new");
    expect(laboratory.environment("BOOT_B_LEFT")).toBe("2");
    await after.commit();
    expect(laboratory.environment("BOOT_B_LEFT")).toBe("3");
  });

  test.each([
    ["foreign", "integrity", /signature verification failed/i],
    ["tampered", "integrity", /signature verification failed/i],
    ["cut", "unsupported-package", /invalid bundle/i],
    ["page", "unsupported-package", /invalid bundle/i],
    ["incompatible", "unsupported-package", /Another-Board/],
  ])(
    "a bundle that is %s is refused as %s, and the boot loader never hears of it",
    async (name, failure, words) => {
      const board = await start();
      for (const ask of [
        () => board.inspect(bundle(name), { signal: never }),
        () => board.apply(bundle(name), quiet),
      ]) {
        const error = await ask().catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(PackageError);
        expect(error).toHaveProperty(
          "message",
          expect.stringMatching(name === "incompatible" ? /compatible|Another/i : words),
        );
        expect(`${(error as PackageError).message} → ${(error as PackageError).failure}`).toMatch(
          new RegExp(`→ ${failure}$`),
        );
      }
      expect(laboratory.environment("BOOT_ORDER")).toBe("A B");
      expect(laboratory.slotVersion("B")).toBe("1.0.0");
    },
  );

  test("while somebody else installs, the answer is later; then it is our turn", async () => {
    const board = await start();
    let begun: () => void;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const first = laboratory
      .board()
      .apply(bundle("large"), { ...quiet, attempt: "theirs", progress: () => begun() });
    await beginning;
    await expect(board.apply(bundle("good"), quiet)).rejects.toThrow(BusyError);
    // That refusal turns `Operation` to idle while the first installation goes on: it is not taken for an end.
    expect(await first).toBe("restart");
    expect(await board.apply(bundle("good"), quiet)).toBe("restart");
  });

  test("a service that is killed while it copies is started again, and the installation too", async () => {
    const board = await start();
    let kills = 0;
    const progress = (_: number, message?: string) => {
      if (kills === 0 && message?.startsWith("Copying image")) {
        kills++;
        laboratory.killService();
      }
    };
    expect(await board.apply(bundle("large"), { ...quiet, progress })).toBe("restart");
    expect(kills).toBe(1);
    expect(laboratory.slotVersion("B")).toBe("2.0.0");
    expect(laboratory.log.lines.map(({ event }) => event)).toContain("the installation is begun again");
    const left = (await board.check?.())?.map(({ found }) => found) ?? [];
    expect(left.join("\n")).toContain("is still mounted");
    await laboratory.boot();
    expect(laboratory.booted()).toBe("B");
  });

  test("one that is killed each time is a failure, and the old image boots", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    const progress = (_: number, message?: string) => {
      if (message?.startsWith("Copying image")) laboratory.killService();
    };
    const error = await board
      .apply(bundle("large"), { ...quiet, progress })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: "PackageError",
      failure: "failed",
      message: expect.stringContaining("ended"),
    });
    const after = await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
    expect(await after.outcome(attempt)).toBe("old");
  });

  test("a boot loader that does not take the new slot is a failure, not a restart into the old image", async () => {
    const board = await start();
    for (const copy of ["env-1", "env-2"]) rmSync(laboratory.path(copy));
    await expect(board.apply(bundle("good"), quiet)).rejects.toMatchObject({ failure: "failed" });
  });

  test("an image that never comes up: the boot loader falls back, and what failed is not met again", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    await board.apply(bundle("good"), quiet);
    const after = await laboratory.fallBack();
    expect(laboratory.booted()).toBe("A");
    expect(await after.outcome(attempt)).toBe("old");
    await after.commit();
    expect(await after.outcome(attempt)).toBe("old");
    for (let boots = 0; boots < 4; boots++) {
      await (await laboratory.boot()).commit();
      expect(laboratory.booted()).toBe("A");
    }
  });

  test("an image that was never tried is marked bad when the update is given up, though it is still first", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    await board.apply(bundle("good"), quiet);
    // A technician starts the old slot by hand, once: the boot order stays as it is.
    laboratory.setEnvironment("BOOT_ORDER", "A B");
    const after = await laboratory.boot();
    laboratory.setEnvironment("BOOT_ORDER", "B A");
    expect(await after.outcome(attempt)).toBe("old");
    await after.commit();
    expect(laboratory.environment("BOOT_B_LEFT")).toBe("0");
    await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
  });

  test("an image that fails its trial goes back to the one before, and stays away", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    await board.apply(bundle("good"), quiet);
    const trial = await laboratory.boot();
    expect(await trial.revert()).toBe("restart");
    const after = await laboratory.boot();
    expect(laboratory.booted()).toBe("A");
    expect(await after.outcome(attempt)).toBe("old");
    expect(await after.revert()).toBe("done");
    expect(laboratory.environment("BOOT_B_LEFT")).toBe("0");
  });

  test("power goes before the record is closed: the slot that runs is new all the same", async () => {
    const board = await start();
    const attempt = await attemptOf(board);
    await board.apply(bundle("good"), quiet);
    const record = JSON.parse(readFileSync(laboratory.path("data/rauc.json"), "utf8"));
    const { expectedSlot, ...unclosed } = record;
    expect(expectedSlot).toBe("rootfs.1");
    writeFileSync(laboratory.path("data/rauc.json"), JSON.stringify(unclosed));
    const after = await laboratory.boot();
    expect(await after.outcome(attempt)).toBe("new");
    rmSync(laboratory.path("data/rauc.json"));
    expect(await after.outcome(attempt)).toBe("new");
    expect(await after.outcome({ ...attempt, package: { name: "", version: "3.0.0" } })).not.toBe("new");
  });

  test("power goes while RAUC writes: the old image runs, and the status of the slot is not believed", async () => {
    const board = await start();
    await board.apply(bundle("good"), quiet);
    const running = await laboratory.boot();
    await running.commit();
    const attempt = { ...(await attemptOf(running)), package: { name: "Test-Board", version: "1.0.0" } };
    const cut = new AbortController();
    const progress = (_: number, message?: string) => {
      if (!message?.startsWith("Copying image")) return;
      cut.abort(new Error("the power went"));
      laboratory.killService();
    };
    await expect(running.apply(bundle("large"), { ...quiet, progress, signal: cut.signal })).rejects.toThrow(
      "the power went",
    );
    const after = await laboratory.boot();
    expect(laboratory.booted()).toBe("B");
    expect(await after.outcome(attempt)).toBe("old");
  });
});

describe("time and RAUC", () => {
  /** A board without a clock of its own, until it is set. */
  const unsetClock = (isSet: () => boolean): Clock => {
    const real = createSystemClock();
    return { ...real, date: () => (isSet() ? real.date() : new Date("1970-01-01T00:00:10Z")) };
  };

  test("a certificate that is not yet valid counts as wrong when the clock is set", async () => {
    const board = await start({ raucTime: "2001-01-01 00:00:00" });
    markSynchronized();
    for (const ask of [
      () => board.inspect(bundle("good"), { signal: never }),
      () => board.apply(bundle("good"), quiet),
    ]) {
      await expect(ask()).rejects.toMatchObject({
        failure: "integrity",
        message: expect.stringContaining("not yet valid"),
      });
    }
    expect(laboratory.slotVersion("B")).toBe("1.0.0");
  });

  test("a certificate that has expired counts as wrong when the clock is set", async () => {
    const board = await start({ raucTime: "2040-01-01 00:00:00" });
    markSynchronized();
    for (const ask of [
      () => board.inspect(bundle("good"), { signal: never }),
      () => board.apply(bundle("good"), quiet),
    ]) {
      await expect(ask()).rejects.toMatchObject({
        failure: "integrity",
        message: expect.stringContaining("expired"),
      });
    }
  });

  test("while the clock is not set a certificate is not judged; once it is, the bundle is good", async () => {
    const clock = unsetClock(() => !laboratory.isRaucTimeWrong());
    const board = await start({ raucTime: "2001-01-01 00:00:00", clock: hurried(clock) });
    const inspecting = board.inspect(bundle("good"), { signal: never });
    await new Promise((resolve) => setTimeout(resolve, 300));
    laboratory.setRaucTimeRight();
    markSynchronized();
    expect(await inspecting).toEqual({ name: "Test-Board", version: "2.0.0" });
  });

  test("a clock that is never set does not keep a bad bundle waiting for ever", async () => {
    const clock = unsetClock(() => false);
    await start({ raucTime: "2001-01-01 00:00:00", clock: hurried(clock) });
    const board = laboratory.board({ clockLimit: seconds(20) });
    await expect(board.inspect(bundle("good"), { signal: never })).rejects.toMatchObject({
      failure: "integrity",
    });
  });

  /** Waits of seconds take milliseconds; limits stay what they are. */
  const hurried = (clock: Clock): Clock => ({
    ...clock,
    now: () => millis(clock.now() * 50),
    after: (delay, fire) => clock.after(millis(delay >= 10_000 ? delay : delay / 50), fire),
  });

  function markSynchronized(): void {
    mkdirSync(laboratory.path("root/run/systemd/timesync"), { recursive: true });
    writeFileSync(laboratory.path("root/run/systemd/timesync/synchronized"), "");
  }
});
