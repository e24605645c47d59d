/**
 * What SWUpdate says on its progress socket: structures of C, as the compiler of the daemon laid them out. Their first word is
 * a version, but the layout changed without it, so it is found out from where the second frame begins.
 */
import { DecodeError } from "../../../agent/model/errors.js";

/** @see swupdate_status.h */
export type ProgressStatus =
  | "idle"
  | "start"
  | "run"
  | "success"
  | "failure"
  | "download"
  | "done"
  | "subprocess"
  | "progress";

export interface ProgressFrame {
  readonly status: ProgressStatus;
  /** Installations of images that there are, and which one it is; from 1. */
  readonly stepCount: number;
  readonly step: number;
  /** Of the step. */
  readonly percent: number;
  /** Name of the image and of what installs it; may be empty. */
  readonly image: string;
  readonly handler: string;
}

const statuses: readonly ProgressStatus[] = [
  "idle",
  "start",
  "run",
  "success",
  "failure",
  "download",
  "done",
  "subprocess",
  "progress",
];

/** Where things are in a frame. `nsteps`, `cur_step`, `cur_percent`, `cur_image` and `hnd_name` follow each other. */
interface Layout {
  readonly size: number;
  readonly steps: number;
}

/** `dwl_bytes`, 64 bits, on a multiple of 8; the size as well. */
const aligned: Layout = { size: 2416, steps: 24 };
/** Without gaps: packed since 2025.12, and the old structure of 32-bit x86, where 64 bits begin on a multiple of 4. */
const packed: Layout = { size: 2408, steps: 20 };

const imageSize = 256;
const handlerSize = 64;
const wordSize = 4;
const greetingSize = 8;
const newestMajor = 2;

/** Cuts what arrives into frames; keeps what is not complete, which is two frames at most. */
export class ProgressDecoder {
  #bytes = Buffer.alloc(0);
  #isGreeted = false;
  #layout: Layout | undefined;

  /**
   * The frames that are complete with these bytes. The first one may wait for the beginning of the second.
   * @throws DecodeError when this is not the progress of SWUpdate, or of a release with another protocol
   */
  take(bytes: Uint8Array): readonly ProgressFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const frames: ProgressFrame[] = [];
    for (;;) {
      if (!this.#isGreeted && !this.#takeGreeting()) return frames;
      this.#layout ??= findLayout(this.#bytes);
      if (this.#layout === undefined || this.#bytes.length < this.#layout.size) return frames;
      frames.push(decodeFrame(this.#bytes.subarray(0, this.#layout.size), this.#layout));
      this.#bytes = this.#bytes.subarray(this.#layout.size);
    }
  }

  /** Since 2024.12 a version and `ACK` come first. */
  #takeGreeting(): boolean {
    if (this.#bytes.length < greetingSize) return false;
    if (this.#bytes.toString("latin1", 4, greetingSize) === "ACK\0")
      this.#bytes = this.#bytes.subarray(greetingSize);
    this.#isGreeted = true;
    return true;
  }
}

/** undefined while it cannot be told. */
function findLayout(bytes: Buffer): Layout | undefined {
  if (bytes.length < wordSize) return undefined;
  const version = readWord(bytes, 0);
  const major = version >>> 16;
  if (major > newestMajor) throw new DecodeError(`progress of version ${major} is not known`, { offset: 0 });
  if (major < newestMajor) return process.arch === "ia32" ? packed : aligned;
  if (bytes.length < aligned.size + wordSize) return undefined;
  const layout = [aligned, packed].find(({ size }) => readWord(bytes, size) === version);
  if (layout === undefined) {
    throw new DecodeError("the second frame does not begin where one may", { offset: packed.size });
  }
  return layout;
}

function decodeFrame(bytes: Buffer, { steps }: Layout): ProgressFrame {
  const status = statuses[readWord(bytes, wordSize)];
  if (status === undefined) throw new DecodeError("a status that is not known", { offset: wordSize });
  const image = steps + 3 * wordSize;
  return {
    status,
    stepCount: readWord(bytes, steps),
    step: readWord(bytes, steps + wordSize),
    percent: Math.min(100, readWord(bytes, steps + 2 * wordSize)),
    image: readText(bytes, image, imageSize),
    handler: readText(bytes, image + imageSize, handlerSize),
  };
}

/** From 0 to 1; undefined when nothing has been begun. */
export function fractionOf({ status, stepCount, step, percent }: ProgressFrame): number | undefined {
  if (status === "success") return 1;
  if (stepCount === 0 || step === 0) return undefined;
  return Math.min(1, (Math.min(step, stepCount + 1) - 1 + percent / 100) / stepCount);
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const readWord = (bytes: Buffer, offset: number): number =>
  isLittleEndian ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);

/** Up to its zero, without what would move the cursor of a terminal. */
const readText = (bytes: Buffer, offset: number, size: number): string =>
  (bytes.toString("utf8", offset, offset + size).split("\0")[0] ?? "").replace(/\p{Cc}/gu, " ");
