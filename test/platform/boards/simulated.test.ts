import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ImageFile, millis, seconds, type UpdateAttempt } from "../../../agent/ports.js";
import { createSimulatedBoard, type SimulatedBoardOptions } from "../../../platform/boards/simulated.js";
import { createSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createSeededRandom } from "../../simulated/random.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { type BoardHarness, boardContract } from "./board.contract.js";

const day = seconds(24 * 60 * 60);
const random = createSeededRandom(1);

/** A board and its disk; `again` is the same disk under a board that has just been switched on. */
async function createBoard(
  options: Partial<SimulatedBoardOptions> = {},
  directory = join(temporaryDirectory(), "board"),
) {
  const clock = createSimulatedClock();
  let restarts = 0;
  const board = createSimulatedBoard({
    directory,
    firmwareVersion: "1.0",
    clock,
    random,
    onRestart: () => {
      restarts++;
    },
    ...options,
  });
  await board.boot();
  const { signal } = new AbortController();
  const progress: number[] = [];
  /** Lets time pass until the work has ended. */
  async function during<T>(work: Promise<T>): Promise<T> {
    let ended = false;
    const end = () => {
      ended = true;
    };
    work.then(end, end);
    while (!ended) await clock.advance(millis(50));
    return work;
  }
  return {
    board,
    clock,
    directory,
    progress,
    restarts: () => restarts,
    version: async () => (await board.describe()).firmwareVersion,
    /** Applies while time passes. */
    apply: (image: ImageFile, abort = signal) =>
      during(
        board.apply(image, {
          attempt: "1",
          signal: abort,
          progress: (fraction) => progress.push(fraction),
        }),
      ),
    during,
    again: (changed: Partial<SimulatedBoardOptions> = {}) =>
      createBoard({ ...options, ...changed }, directory),
  };
}

function imageFile(version = "2.0", change: (bytes: Uint8Array) => void = () => {}): ImageFile {
  const bytes = createSimulatedImage({ name: "fw", version, size: 50_000, seed: 1 });
  change(bytes);
  const path = join(temporaryDirectory(), "package");
  writeFileSync(path, bytes);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

const attemptOf = (image: ImageFile, bootId: string): UpdateAttempt => ({
  id: "1",
  package: { name: "fw", version: "2.0" },
  image,
  bootId,
  previousVersion: "1.0",
});

async function createContractWorld(): Promise<BoardHarness> {
  let restarts = 0;
  const first = await createBoard({ onRestart: () => void restarts++ });
  const goodImage = imageFile();
  let current = first;
  const reboot =
    (options: Partial<SimulatedBoardOptions> = {}) =>
    async () => {
      current = await current.again(options);
      return current.board;
    };
  return {
    board: first.board,
    oldVersion: "1.0",
    goodImage,
    goodPackage: { name: "fw", version: "2.0" },
    badImage: imageFile("2.0", (bytes) => bytes.fill(0, 10_000)),
    badFailure: "integrity",
    reboot: reboot(),
    fallBack: reboot({ fault: "old-image" }),
    restarts: () => restarts,
    during: (work) => current.during(work),
  };
}

boardContract("the simulated board", createContractWorld, { tellsAttempt: false });

test("a new board runs its factory image", async () => {
  const { board, version } = await createBoard();
  expect(await version()).toBe("1.0");
  expect(await board.describe()).toMatchObject({ modelNumber: "Simulated board", serialNumber: "SIM-0001" });
});

test("the boot id stays within a boot and changes with each", async () => {
  const { board, again } = await createBoard();
  const first = await board.bootId();
  expect(await board.bootId()).toBe(first);
  await board.boot();
  const second = await board.bootId();
  const third = await (await again()).board.bootId();
  expect(new Set([first, second, third]).size).toBe(3);
});

test("an update runs after the restart, and stays after commit", async () => {
  const { board, apply, version, restarts, again } = await createBoard();
  const image = imageFile();
  const attempt = attemptOf(image, await board.bootId());
  expect(await board.inspect(image, { signal: new AbortController().signal })).toEqual(attempt.package);
  expect(await apply(image)).toBe("restart");
  expect([await version(), await board.outcome(attempt)]).toEqual(["1.0", "old"]);
  await board.restart();
  expect(restarts()).toBe(1);

  const next = await again();
  expect([await next.version(), await next.board.outcome(attempt)]).toEqual(["2.0", "new"]);
  await next.board.commit();
  for (let boots = 0; boots < 5; boots++) expect(await (await again()).version()).toBe("2.0");
});

test("installing takes its time and tells how far it is", async () => {
  const { apply, clock, progress } = await createBoard({ applyDuration: seconds(10) });
  await apply(imageFile());
  expect(clock.now()).toBeGreaterThanOrEqual(seconds(10));
  expect(progress).toHaveLength(50);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toBe(1);
});

test("an image that runs already needs no restart", async () => {
  const { apply, again } = await createBoard();
  const image = imageFile();
  await apply(image);
  const { apply: applyAgain } = await again();
  expect(await applyAgain(image)).toBe("running");
});

test("applying is repeated after a power cut in the middle", async () => {
  const { board, clock, again } = await createBoard();
  const image = imageFile();
  const cut = new AbortController();
  const interrupted = board.apply(image, {
    attempt: "1",
    signal: cut.signal,
    progress: () => cut.abort(new Error("dark")),
  });
  interrupted.catch(() => {});
  while (!cut.signal.aborted) await clock.advance(millis(50));
  await expect(interrupted).rejects.toThrow("dark");

  const next = await again();
  expect(await next.version()).toBe("1.0");
  expect(await next.apply(image)).toBe("restart");
  expect(await (await again()).version()).toBe("2.0");
});

test("a second installation at the same time is told to wait", async () => {
  const { board, apply } = await createBoard();
  const first = apply(imageFile());
  await expect(apply(imageFile("3.0"))).rejects.toMatchObject({ name: "BusyError" });
  expect(await first).toBe("restart");
  expect(board.name).toBe("simulated");
});

test("a bad package never reaches a slot", async () => {
  const { apply, directory, again } = await createBoard();
  const corrupt = imageFile("2.0", (bytes) => bytes.fill(0, 10_000));
  await expect(apply(corrupt)).rejects.toMatchObject({ failure: "integrity" });
  expect(readdirSync(directory)).toEqual(["board.json"]);
  expect(await (await again()).version()).toBe("1.0");
});

test("revert of an image on trial restarts into the previous one", async () => {
  const { apply, again } = await createBoard();
  await apply(imageFile());
  const trial = await again();
  expect(await trial.board.revert()).toBe("restart");
  expect(await (await again()).version()).toBe("1.0");
});

test("revert where nothing was installed is done at once", async () => {
  expect(await (await createBoard()).board.revert()).toBe("done");
});

test("a factory reset restarts into the factory image and forgets the others", async () => {
  const { apply, directory, again } = await createBoard();
  await apply(imageFile());
  const updated = await again();
  await updated.board.commit();
  await updated.board.factoryReset();
  expect(updated.restarts()).toBe(1);
  expect(await (await again()).version()).toBe("1.0");
  expect(readdirSync(directory)).toEqual(["board.json"]);
});

test("install-failure: the installation breaks halfway and the old image stays", async () => {
  const { apply, progress, again } = await createBoard({ fault: "install-failure" });
  await expect(apply(imageFile())).rejects.toMatchObject({ failure: "failed" });
  expect(progress.at(-1)).toBe(0.5);
  expect(await (await again()).version()).toBe("1.0");
});

test("old-image: the board comes back with its old image", async () => {
  const { board, apply, again } = await createBoard({ fault: "old-image" });
  const image = imageFile();
  const attempt = attemptOf(image, await board.bootId());
  expect(await apply(image)).toBe("restart");
  const next = await again();
  expect([await next.version(), await next.board.outcome(attempt)]).toEqual(["1.0", "old"]);
  expect(await next.board.bootId()).not.toBe(attempt.bootId);
});

test("the battery drains with time, over restarts, down to nothing", async () => {
  const { board, clock, again } = await createBoard({ batteryLife: day });
  expect(board.power()).toMatchObject({ batteryLevel: 100, batteryStatus: "normal" });
  await clock.advance(seconds(6 * 60 * 60));
  expect(board.power()).toMatchObject({ batteryLevel: 75, sources: [{ millivolts: 3975 }] });
  await board.boot();
  const next = await again();
  expect(next.board.power().batteryLevel).toBe(75);
  await next.clock.advance(seconds(14 * 60 * 60));
  expect(next.board.power()).toMatchObject({ batteryLevel: 16, batteryStatus: "low" });
  await next.clock.advance(day);
  expect(next.board.power().batteryLevel).toBe(0);
});

test("a damaged record is named, with what to do about it", async () => {
  const { directory, again } = await createBoard();
  const path = join(directory, "board.json");
  for (const damaged of ["", "{", '{"slots":{}}', "null"]) {
    writeFileSync(path, damaged);
    await expect(again()).rejects.toMatchObject({
      name: "ConfigError",
      message: `${path} is damaged: remove it to start from the factory image`,
    });
    expect(existsSync(path) && readFileSync(path, "utf8")).toBe(damaged);
  }
});
