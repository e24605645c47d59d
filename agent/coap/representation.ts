/**
 * Response bodies that do not fit in one message (RFC 7959 §2.4): cut into blocks, and kept as they were when the
 * first block went out, so that all blocks belong to one representation.
 */
import type { Millis } from "../ports.js";
import { type Block, blockOffset } from "./block.js";
import { isSuccess } from "./code.js";
import type { Response } from "./exchange-types.js";
import { noBytes } from "./message.js";
import type { ResponseExtras } from "./response-message.js";

export interface RepresentationLimits {
  /** Bytes of a block, unless the peer asks for smaller ones. */
  readonly blockSize: number;
  /** Representations kept, and the bytes that they may have together. */
  readonly snapshots: number;
  readonly snapshotBytes: number;
}

/** What one message carries of a response. */
export interface Part {
  readonly response: Response;
  readonly extras: ResponseExtras;
}

/** What was asked, as far as its blocks are concerned. */
export interface Asked {
  readonly block2: Block | undefined;
  /** What later requests for other blocks have in common with this one; evaluated only when there are any. */
  readonly transferKey: () => string;
  /** Of the request. */
  readonly body: Uint8Array;
}

interface Snapshot {
  readonly response: Response;
  /** Of the request: two FETCHes may differ in nothing else. */
  readonly askedBody: Uint8Array;
  readonly payload: Uint8Array;
  readonly eTag: Uint8Array;
  readonly expires: number;
}

export class Representations {
  readonly #limits: RepresentationLimits;
  readonly #lifetime: Millis;
  /** The oldest first. What has expired goes when it is looked for or when it makes room. */
  readonly #snapshots = new Map<string, Snapshot>();
  #bytes = 0;

  constructor(limits: RepresentationLimits, lifetime: Millis) {
    this.#limits = limits;
    this.#lifetime = lifetime;
  }

  /** Representations that are kept. */
  get size(): number {
    return this.#snapshots.size;
  }

  /** Bytes in the largest block that goes to a peer which asked for this one. */
  blockSize(asked: Block | undefined): number {
    return Math.min(this.#limits.blockSize, asked?.size ?? this.#limits.blockSize);
  }

  /** The part of a new response that goes out now; the rest is kept. */
  firstPart(response: Response, { block2, transferKey, body }: Asked, now: Millis): Part {
    const payload = response.payload ?? noBytes;
    const size = this.blockSize(block2);
    const offset = block2 ? blockOffset(block2) : 0;
    if (!isSuccess(response.code) || (offset === 0 && payload.length <= size)) {
      const says = block2 !== undefined && payload.length > 0 && isSuccess(response.code);
      return { response, extras: says ? { block2: { number: 0, more: false, size } } : {} };
    }
    if (offset >= payload.length) return beyondTheEnd;
    const frozen = payload.slice();
    const snapshot: Snapshot = {
      response: { ...response, payload: frozen },
      askedBody: body.slice(),
      payload: frozen,
      eTag: eTagOf(payload),
      expires: now + this.#lifetime,
    };
    this.#keep(transferKey(), snapshot);
    return cut(snapshot, offset, size);
  }

  /**
   * The part of a representation that is kept; undefined when it is not (any more). The body of the request need not come
   * again with each block; where it does, it has to be the same.
   */
  laterPart(key: string, asked: Block, body: Uint8Array, now: Millis): Part | undefined {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) return undefined;
    if (body.length > 0 && String(body) !== String(snapshot.askedBody)) return undefined;
    if (snapshot.expires <= now) {
      this.#forget(key, snapshot);
      return undefined;
    }
    const offset = blockOffset(asked);
    return offset < snapshot.payload.length ? cut(snapshot, offset, this.blockSize(asked)) : beyondTheEnd;
  }

  #keep(key: string, snapshot: Snapshot): void {
    const old = this.#snapshots.get(key);
    if (old) this.#forget(key, old);
    // What is larger than all that may be kept is made anew for each block.
    if (sizeOf(snapshot) > this.#limits.snapshotBytes) return;
    this.#snapshots.set(key, snapshot);
    this.#bytes += sizeOf(snapshot);
    for (const [oldestKey, oldest] of this.#snapshots) {
      if (this.#snapshots.size <= this.#limits.snapshots && this.#bytes <= this.#limits.snapshotBytes) return;
      this.#forget(oldestKey, oldest);
    }
  }

  #forget(key: string, snapshot: Snapshot): void {
    this.#snapshots.delete(key);
    this.#bytes -= sizeOf(snapshot);
  }
}

const sizeOf = ({ payload, askedBody }: Snapshot): number => payload.length + askedBody.length;

const beyondTheEnd: Part = { response: { code: "4.00" }, extras: {} };

function cut({ response, payload, eTag }: Snapshot, offset: number, size: number): Part {
  return {
    response: { ...response, payload: payload.subarray(offset, offset + size) },
    extras: {
      eTag,
      block2: { number: offset / size, more: offset + size < payload.length, size },
      bodySize: offset === 0 ? payload.length : undefined,
    },
  };
}

/**
 * Made of the content, so that a representation that has to be made anew and is the same goes on fitting. Two
 * multiplicative hashes (FNV-1a and one with another prime) side by side: this tells versions apart, it proves nothing.
 */
function eTagOf(payload: Uint8Array): Uint8Array {
  let one = 0x811c9dc5;
  let other = 0x9747b28c;
  for (const byte of payload) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x5bd1e995);
  }
  const eTag = new Uint8Array(8);
  const view = new DataView(eTag.buffer);
  view.setUint32(0, one);
  view.setUint32(4, other);
  return eTag;
}
