import { describe, expect, test } from "vitest";
import { DecodeError } from "../../../../agent/model/errors.js";
import {
  fractionOf,
  ProgressDecoder,
  type ProgressFrame,
} from "../../../../platform/boards/swupdate/progress-frame.js";
import { createSeededRandom } from "../../../simulated/random.js";

interface Fields {
  readonly status: number;
  readonly nsteps?: number;
  readonly step?: number;
  readonly percent?: number;
  readonly image?: string;
}

/** As the C compiler lays it out, from progress_ipc.h of each release. */
const layouts = {
  "2022.12": { version: 0, size: 2416, at: 24, greeting: false },
  "2023.12": { version: 0x00010000, size: 2416, at: 24, greeting: false },
  "2024.12": { version: 0x00020000, size: 2416, at: 24, greeting: true },
  "2025.12": { version: 0x00020000, size: 2408, at: 20, greeting: true },
} as const;
type Release = keyof typeof layouts;

function frame(release: Release, { status, nsteps = 1, step = 0, percent = 0, image = "" }: Fields): Buffer {
  const { version, size, at } = layouts[release];
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(version, 0);
  bytes.writeUInt32LE(status, 4);
  bytes.writeUInt32LE(nsteps, at);
  bytes.writeUInt32LE(step, at + 4);
  bytes.writeUInt32LE(percent, at + 8);
  bytes.write(image, at + 12);
  bytes.write("raw", at + 12 + 256);
  return bytes;
}

function stream(release: Release, frames: readonly Fields[]): Buffer {
  const { version, greeting } = layouts[release];
  const hello = Buffer.from("....ACK\0", "latin1");
  hello.writeUInt32LE(version, 0);
  return Buffer.concat([...(greeting ? [hello] : []), ...frames.map((fields) => frame(release, fields))]);
}

const run: readonly Fields[] = [
  { status: 1 },
  { status: 2, step: 1, image: "rootfs.img" },
  { status: 8, step: 1, percent: 40, image: "rootfs.img" },
  { status: 3, step: 2 },
];
const releases = Object.keys(layouts) as Release[];

/** Little-endian only: the daemon writes as the machine does that runs it, and the vectors are from such ones. */
describe("progress of SWUpdate", () => {
  test.each(releases)("release %s is read, however the stream is cut", (release) => {
    const bytes = stream(release, run);
    for (const piece of [1, 7, 2408, 2416, bytes.length]) {
      const decoder = new ProgressDecoder();
      const frames: ProgressFrame[] = [];
      for (let at = 0; at < bytes.length; at += piece)
        frames.push(...decoder.take(bytes.subarray(at, at + piece)));
      expect(frames.map(({ status }) => status)).toEqual(["start", "run", "progress", "success"]);
      expect(frames[2]).toEqual({
        status: "progress",
        stepCount: 1,
        step: 1,
        percent: 40,
        image: "rootfs.img",
        handler: "raw",
      });
    }
  });

  test("how far it is goes over all images", () => {
    const at = (
      stepCount: number,
      step: number,
      percent: number,
      status: ProgressFrame["status"] = "progress",
    ) => fractionOf({ status, stepCount, step, percent, image: "", handler: "" });
    expect(at(2, 0, 0)).toBeUndefined();
    expect(at(0, 0, 0)).toBeUndefined();
    expect(at(2, 1, 50)).toBe(0.25);
    expect(at(2, 2, 50)).toBe(0.75);
    expect(at(1, 2, 0, "run")).toBe(1);
    expect(at(3, 1, 0, "success")).toBe(1);
    expect(at(1, 4_000_000_000, 100)).toBe(1);
  });

  test("a protocol that is newer than we know is refused, not guessed at", () => {
    const bytes = frame("2024.12", { status: 1 });
    bytes.writeUInt32LE(0x00030000, 0);
    expect(() => new ProgressDecoder().take(bytes)).toThrow(/version 3/);
  });

  test("a second frame that is nowhere is refused", () => {
    const bytes = Buffer.concat([frame("2024.12", { status: 1 }), Buffer.alloc(8, 0xff)]);
    expect(() => new ProgressDecoder().take(bytes)).toThrow(DecodeError);
  });

  test("names are cut at their zero and move no cursor", () => {
    const [only] = new ProgressDecoder().take(
      frame("2022.12", { status: 8, step: 1, percent: 300, image: "a\x1b[2Jb" }),
    );
    expect(only).toMatchObject({ image: "a [2Jb", percent: 100 });
  });

  test("changed bytes are frames or a DecodeError, never anything else, and nothing piles up", () => {
    const random = createSeededRandom(7);
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const bytes = stream(releases[round % releases.length] as Release, run);
      for (let change = 0; change < 8; change++)
        bytes[random.integer(random.integer(2) === 0 ? 40 : bytes.length)] = random.integer(256);
      try {
        for (const { percent } of new ProgressDecoder().take(bytes)) expect(percent).toBeLessThanOrEqual(100);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
  });
});
