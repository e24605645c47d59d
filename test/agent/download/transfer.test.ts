import { describe, expect, test } from "vitest";
import type { DownloadOptions } from "../../../agent/download/options.js";
import { TemporaryError } from "../../../agent/download/retry.js";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type Fetch, transfer } from "../../../agent/download/transfer.js";
import { type DownloadProgress, millis, seconds } from "../../../agent/ports.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createMemoryDisk, createMemoryDownloadStorage } from "../../simulated/download-storage.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

const piece = new Uint8Array(1000);
const source = { size: 10_000, validator: '"1"' };

interface World extends DownloadOptions {
  readonly start?: Date;
  readonly disk?: ReturnType<typeof createMemoryDisk>;
  /** Milliseconds that the sender takes for each of the ten pieces. */
  readonly interval?: number;
}

/** A sender of ten pieces of 1000 bytes, which goes on where it is asked to. */
function begin({ start, disk = createMemoryDisk(), interval = 0, ...options }: World = {}, fetch?: Fetch) {
  const clock = createSimulatedClock(start);
  const progress: DownloadProgress[] = [];
  const offsets: number[] = [];
  const log = createRecordingLog();
  const abort = new AbortController();
  const settings = createTransferSettings(options, {
    storage: createMemoryDownloadStorage(disk),
    clock,
    random: createSeededRandom(1),
    log,
  });
  const send: Fetch = async (part, signal) => {
    offsets.push(part.received);
    if (part.received === 0) await part.begin(source);
    while (part.received < 10_000) {
      if (interval > 0) await new Promise<void>((resolve) => void clock.after(millis(interval), resolve));
      signal.throwIfAborted();
      await part.write(piece);
    }
  };
  let outcome: unknown;
  const done = transfer({ uri: "x://host/fw", name: "x://host/fw", fetch: fetch ?? send }, settings, {
    signal: abort.signal,
    progress: (state) => progress.push(state),
  }).then(
    (file) => (outcome = file),
    (error: unknown) => (outcome = error),
  );
  return { clock, progress, offsets, log, abort, disk, done, outcome: () => outcome };
}

const at = (text: string) => new Date(text); // local time, as the windows are
const arrived = expect.objectContaining({ size: 10_000 });

describe("maintenance hours", () => {
  const windows = [{ from: "22:00", to: "04:00" }];

  test("are waited for, and that is said", async () => {
    const { clock, progress, outcome } = begin({ windows, start: at("2026-03-04T21:00") });
    await clock.advance(seconds(3599));
    expect(outcome()).toBeUndefined();
    const opening = at("2026-03-04T22:00").toISOString();
    expect(progress).toEqual([
      { received: 0, total: undefined, rate: 0, waiting: `the download window opens at ${opening}` },
    ]);
    await clock.advance(seconds(1));
    expect(outcome()).toEqual(arrived);
    expect(clock.pending).toBe(0);
  });

  test("that end pause a download, which goes on in the next", async () => {
    const world = begin({
      windows,
      start: at("2026-03-04T03:59"),
      interval: 15_000,
      totalTime: seconds(600),
    });
    await world.clock.advance(seconds(120));
    expect(world.progress.at(-1)).toMatchObject({ received: 4000, total: 10_000, rate: 0 });
    expect(world.log.lines.map(({ event }) => event)).toEqual(["download waits"]);
    // The pause is 18 hours, and no part of the ten minutes that it may take.
    await world.clock.advance(seconds(18 * 3600 + 300));
    expect(world.outcome()).toEqual(arrived);
    expect(world.offsets).toEqual([0, 4000]);
    expect(world.clock.pending).toBe(0);
  });

  test("are unknown until the clock is set", async () => {
    const { clock, progress, outcome, abort, done } = begin({ windows, start: new Date(0) });
    await clock.advance(seconds(86_400));
    expect(outcome()).toBeUndefined();
    expect(progress).toHaveLength(1);
    expect(progress[0]?.waiting).toBe("the download window is unknown until the clock of this device is set");
    abort.abort(new Error("enough"));
    await done;
    expect(outcome()).toEqual(new Error("enough"));
    expect(clock.pending).toBe(0);
  });
});

describe("the start delay", () => {
  const startDelay = seconds(3600);

  test("spreads a fleet, and that is said", async () => {
    const { clock, progress, outcome } = begin({ startDelay });
    await settle();
    const [, wait] = /^the download begins in (\d+) s/.exec(progress[0]?.waiting ?? "") ?? [];
    expect(Number(wait)).toBeGreaterThan(0);
    expect(Number(wait)).toBeLessThan(3600);
    await clock.advance(seconds(Number(wait) - 1));
    expect(outcome()).toBeUndefined();
    await clock.advance(seconds(1));
    expect(outcome()).toEqual(arrived);
  });

  test("is not for a download that is taken up", async () => {
    const disk = createMemoryDisk();
    const first = begin({ interval: 1000, disk });
    await first.clock.advance(seconds(4.5));
    first.abort.abort(new Error("the agent stops"));
    await first.clock.advance(seconds(1));
    const second = begin({ startDelay, disk });
    await settle();
    expect(second.outcome()).toEqual(arrived);
    expect(second.offsets).toEqual([4000]);
    expect(second.log.lines[0]).toMatchObject({ event: "download taken up", fields: { received: 4000 } });
  });
});

describe("the bandwidth", () => {
  test.each([
    [1000, 9000],
    [5000, 1000],
    [100, 99_000],
  ])("of %d bytes per second makes 10,000 bytes take %d ms", async (bandwidthLimit, duration) => {
    const { clock, outcome } = begin({ bandwidthLimit });
    await clock.advance(millis(duration - 200));
    expect(outcome()).toBeUndefined();
    await clock.advance(millis(200));
    expect(outcome()).toEqual(arrived);
    expect(clock.pending).toBe(0);
  });

  test("is no limit when none is given", async () => {
    const { outcome } = begin();
    await settle();
    expect(outcome()).toEqual(arrived);
  });
});

test("the rate is what came of late", async () => {
  const { clock, progress } = begin({ interval: 500 });
  await clock.advance(seconds(6));
  expect(progress.at(-1)).toEqual({ received: 10_000, total: 10_000, rate: 2000 });
});

test("what has come is kept when the agent stops, and not when it failed", async () => {
  const stopped = begin({ interval: 1000 });
  await stopped.clock.advance(seconds(3.5));
  stopped.abort.abort(new Error("the agent stops"));
  await stopped.clock.advance(seconds(1));
  expect(stopped.outcome()).toEqual(new Error("the agent stops"));
  expect(stopped.disk.part?.pieces).toHaveLength(3);

  const late = begin({ interval: 1000, totalTime: seconds(3) });
  await late.clock.advance(seconds(5));
  expect(late.outcome()).toMatchObject({
    failure: "connection",
    message: "x://host/fw did not arrive within 3 s",
  });
  expect(late.disk.part).toBeUndefined();
});

describe("a failure", () => {
  test("is repeated with waits that say why, up to the last attempt", async () => {
    const { clock, progress, outcome } = begin({ attempts: 4 }, async () => {
      throw new TemporaryError("the server is away");
    });
    await clock.advance(seconds(2 + 4 + 8));
    expect(outcome()).toMatchObject({
      failure: "connection",
      message: "the server is away (given up after 4 attempts)",
    });
    const waits = progress.map(({ waiting }) =>
      /^the server is away; asked again in \d+ s$/.test(waiting ?? ""),
    );
    expect(waits).toEqual([true, true, true]);
  });

  test("that is none of ours is not repeated", async () => {
    const { outcome } = begin({}, async () => {
      throw new RangeError("a mistake");
    });
    await settle();
    expect(outcome()).toEqual(new RangeError("a mistake"));
  });

  test("waits as long as it is asked to, but not longer than it may", async () => {
    let failures = 0;
    const { clock, log, outcome } = begin({ maximumRetryDelay: seconds(60) }, async (part) => {
      if (failures++ < 2)
        throw new TemporaryError("later", { retryAfter: seconds(failures === 1 ? 30 : 86_400) });
      await part.begin(source);
    });
    await clock.advance(seconds(90));
    expect(log.lines.map(({ fields }) => fields["delay"])).toEqual([30_000, 60_000]);
    expect(outcome()).toMatchObject({ size: 0 });
  });
});
