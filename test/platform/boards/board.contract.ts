import { describe, expect, test } from "vitest";
import {
  type ApplyOptions,
  type Board,
  BusyError,
  type ImageFile,
  PackageError,
  type PackageFailure,
  type PackageInfo,
  type UpdateAttempt,
} from "../../../agent/ports.js";

/** A board under test, with the world around it. Made anew for each test. */
export interface BoardHarness {
  /** Switched on, running an image of version `oldVersion`. */
  readonly board: Board;
  readonly oldVersion: string;
  /** Not yet installed, and of another version. */
  readonly goodImage: ImageFile;
  /** What the board finds in it. */
  readonly goodPackage: PackageInfo;
  readonly badImage: ImageFile;
  readonly badFailure: PackageFailure;
  /** Power goes and comes back: the boot loader chooses, and what answers is a board of a new process. */
  reboot(): Promise<Board>;
  /** The same, but the image on trial does not come up. Left out where no boot loader falls back (`fallsBack: false`). */
  readonly fallBack?: () => Promise<Board>;
  /** How often the board asked for a restart, over all boots. */
  restarts(): number;
  /** Lets the board's time pass until `work` has ended; not given where it works in real time. */
  readonly during?: <T>(work: Promise<T>) => Promise<T>;
  /** Attempt ids that reached the installer, in order. Left out where it is not told (`tellsAttempt: false`). */
  readonly attempts?: () => readonly string[];
}

/** In what boards may differ. What is not said is the full contract. */
export interface BoardTraits {
  /** `restart` when not given. */
  readonly applied?: "restart" | "running";
  /** `impossible`: there is one slot, and revert rejects with a sentence. `restart` when not given. */
  readonly revert?: "restart" | "done" | "impossible";
  /** false where the installer takes a second image at once, one after the other. */
  readonly busy?: boolean;
  /** false where the abort comes too late to leave the old image in place. */
  readonly abortable?: boolean;
  readonly fallsBack?: boolean;
  readonly tellsAttempt?: boolean;
}

const never = new AbortController().signal;
const isAborted = () => AbortSignal.abort(new Error("the power went"));

/** What every Board does, whatever is below it. */
export function boardContract(
  name: string,
  create: () => Promise<BoardHarness>,
  {
    applied = "restart",
    revert = "restart",
    busy = true,
    abortable = true,
    fallsBack = true,
    tellsAttempt = true,
  }: BoardTraits = {},
): void {
  const wait = <T>({ during }: BoardHarness, work: Promise<T>) =>
    during === undefined ? work : during(work);
  const apply = (
    world: BoardHarness,
    board = world.board,
    options: Partial<ApplyOptions> = {},
    image = world.goodImage,
  ) =>
    wait(world, board.apply(image, { signal: never, progress: () => {}, attempt: "attempt-1", ...options }));
  const versionOf = async (board: Board) => (await board.describe()).firmwareVersion;

  /** A board that runs the new image, not yet committed. */
  async function updated(world: BoardHarness): Promise<{ board: Board; attempt: UpdateAttempt }> {
    const attempt = await attemptOf(world);
    expect(await apply(world)).toBe(applied);
    return { board: applied === "restart" ? await world.reboot() : world.board, attempt };
  }

  describe(`${name} keeps the contract of a board`, () => {
    test("it has a name and says what runs", async () => {
      const { board, oldVersion } = await create();
      expect(board.name).toMatch(/^[a-z][a-z0-9-]*$/);
      const description = await board.describe();
      expect(description.firmwareVersion).toBe(oldVersion);
      for (const text of Object.values(description)) expect(text).toEqual(expect.any(String));
      expect(await board.describe()).toEqual(description);
    });

    test("the boot id stays within a boot and changes with the next", async () => {
      const { board, reboot } = await create();
      const before = await board.bootId();
      expect(before).not.toBe("");
      expect(await board.bootId()).toBe(before);
      expect(await (await reboot()).bootId()).not.toBe(before);
    });

    test("inspect names a good package, and changes nothing", async () => {
      const world = await create();
      const { board, goodImage, goodPackage, oldVersion, reboot } = world;
      expect(await wait(world, board.inspect(goodImage, { signal: never }))).toEqual(goodPackage);
      expect(await wait(world, board.inspect(goodImage, { signal: never }))).toEqual(goodPackage);
      expect(await versionOf(await reboot())).toBe(oldVersion);
    });

    test("inspect refuses a bad package and says why", async () => {
      const world = await create();
      const error = await rejection(wait(world, world.board.inspect(world.badImage, { signal: never })));
      expectPackageError(error, world.badFailure);
    });

    test("a bad package does not come to run, even when it is applied without asking", async () => {
      const world = await create();
      expectPackageError(await rejection(apply(world, world.board, {}, world.badImage)));
      expect(await versionOf(await world.reboot())).toBe(world.oldVersion);
    });

    test("an abort before the work begins is its reason", async () => {
      const world = await create();
      const { board, goodImage, oldVersion, reboot } = world;
      const inspecting = board.inspect(goodImage, { signal: isAborted() });
      expect(await rejection(wait(world, inspecting))).toHaveProperty("message", "the power went");
      const applying = apply(world, board, { signal: isAborted() });
      expect(await rejection(applying)).toHaveProperty("message", "the power went");
      expect(await versionOf(await reboot())).toBe(oldVersion);
    });

    test("an applied image runs, and its outcome is new", async () => {
      const world = await create();
      const { board, attempt } = await updated(world);
      expect(await versionOf(board)).toBe(world.goodPackage.version);
      expect(await board.outcome(attempt)).toBe("new");
      expect(await board.outcome(attempt)).toBe("new");
    });

    test("applying tells how far it is, never backwards", async () => {
      const world = await create();
      const told: number[] = [];
      await apply(world, world.board, { progress: (fraction) => told.push(fraction) });
      expect(told.length).toBeGreaterThan(0);
      expect(told).toEqual(told.toSorted((a, b) => a - b));
      expect(told.every((fraction) => fraction >= 0 && fraction <= 1)).toBe(true);
    });

    testIf(abortable, "an aborted installation leaves the old image, and can be repeated", async () => {
      const world = await create();
      const cut = new AbortController();
      const interrupted = apply(world, world.board, {
        signal: cut.signal,
        progress: () => cut.abort(new Error("the power went")),
      });
      expect(await rejection(interrupted)).toHaveProperty("message", "the power went");

      const board = await world.reboot();
      expect(await versionOf(board)).toBe(world.oldVersion);
      expect(await apply(world, board)).toBe(applied);
      expect(await versionOf(await world.reboot())).toBe(world.goodPackage.version);
    });

    test("applying twice is as good as once", async () => {
      const world = await create();
      expect(await apply(world)).toBe(applied);
      expect(["restart", "running"]).toContain(await apply(world));
      expect(await versionOf(await world.reboot())).toBe(world.goodPackage.version);
    });

    testIf(
      tellsAttempt,
      "the installer hears of the attempt, the same again when it is repeated",
      async () => {
        const world = await create();
        await apply(world, world.board, { attempt: "5f0c-1" });
        await apply(world, world.board, { attempt: "5f0c-1" });
        const attempts = given(world.attempts, "attempts")();
        expect(attempts.length).toBeGreaterThan(0);
        expect(new Set(attempts)).toEqual(new Set(["5f0c-1"]));
      },
    );

    test("the outcome of an attempt that never got anywhere is not new", async () => {
      const world = await create();
      const attempt = await attemptOf(world);
      expect(["old", "unknown"]).toContain(await (await world.reboot()).outcome(attempt));
    });

    testIf(
      fallsBack,
      "an image that does not come up is followed by the old one, its outcome is old",
      async () => {
        const world = await create();
        const attempt = await attemptOf(world);
        await apply(world);
        const board = await given(world.fallBack, "fallBack")();
        expect(await versionOf(board)).toBe(world.oldVersion);
        expect(await board.outcome(attempt)).toBe("old");
      },
    );

    test("a committed image stays, however often it is committed and booted", async () => {
      const world = await create();
      let { board } = await updated(world);
      for (let boot = 0; boot < 5; boot++) {
        await board.commit();
        await board.commit();
        board = await world.reboot();
        expect(await versionOf(board)).toBe(world.goodPackage.version);
      }
    });

    test("commit without an update is harmless", async () => {
      const { board, reboot, oldVersion } = await create();
      await board.commit();
      expect(await versionOf(await reboot())).toBe(oldVersion);
    });

    testIf(revert !== "impossible", "revert returns to the old image, and may be repeated", async () => {
      const world = await create();
      const { board, attempt } = await updated(world);
      expect(await board.revert()).toBe(revert);
      expect(await board.revert()).toBe(revert);
      const old = revert === "restart" ? await world.reboot() : board;
      expect(await versionOf(old)).toBe(world.oldVersion);
      expect(await old.outcome(attempt)).toBe("old");
    });

    testIf(revert === "impossible", "revert says that there is no way back", async () => {
      const { board } = await updated(await create());
      const error = await rejection(board.revert());
      expect(error).toBeInstanceOf(Error);
      expect((error as Error).message).not.toBe("");
    });

    testIf(busy, "a second installation at the same time is told to wait", async () => {
      const world = await create();
      const first = world.board.apply(world.goodImage, {
        signal: never,
        progress: () => {},
        attempt: "attempt-1",
      });
      const second = world.board.apply(world.goodImage, {
        signal: never,
        progress: () => {},
        attempt: "attempt-2",
      });
      const error = await rejection(wait(world, second));
      expect(error).toBeInstanceOf(BusyError);
      expect(await wait(world, first)).toBe(applied);
    });

    test("only restart asks for a restart, and only once", async () => {
      const world = await create();
      const { board } = await updated(world);
      await board.commit();
      await board.describe();
      expect(world.restarts()).toBe(0);
      await board.restart();
      expect(world.restarts()).toBe(1);
    });

    test("a check says what it found in sentences, and changes nothing", async () => {
      const { board, reboot, oldVersion } = await create();
      const findings = (await board.check?.()) ?? [];
      for (const { level, found, remedy } of findings) {
        expect(["error", "warning", "info"]).toContain(level);
        expect(found).toMatch(/\S+ \S+/);
        expect(level === "info" || remedy !== "", `${found}: a remedy`).toBe(true);
      }
      expect(findings.filter(({ level }) => level === "error")).toEqual([]);
      expect(await versionOf(await reboot())).toBe(oldVersion);
    });

    test("closing it twice is harmless", async () => {
      const { board } = await create();
      await board.close?.();
      await board.close?.();
    });
  });
}

/** A test that is not there at all where the board has other traits: nothing is skipped in silence. */
function testIf(applies: boolean, name: string, body: () => Promise<void>): void {
  if (applies) test(name, body);
}

function given<T>(member: T | undefined, name: string): T {
  if (member === undefined) throw new Error(`the harness has no ${name}, and the traits do not say so`);
  return member;
}

async function attemptOf({ board, goodImage, goodPackage }: BoardHarness): Promise<UpdateAttempt> {
  const [bootId, { firmwareVersion: previousVersion }] = [await board.bootId(), await board.describe()];
  return { id: "attempt-1", package: goodPackage, image: goodImage, bootId, previousVersion };
}

/** What it rejects with; a promise that is kept fails the test. */
function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => {
      throw new Error(`it should have been refused, and gave ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

function expectPackageError(error: unknown, failure?: PackageFailure): void {
  expect(error).toBeInstanceOf(PackageError);
  const { message, failure: found } = error as PackageError;
  expect(message).not.toBe("");
  if (failure !== undefined) expect(`${found}: ${message}`).toMatch(new RegExp(`^${failure}: `));
}
