/** The value of Block1 and Block2 (RFC 7959 §2.2): which block, of what size, and whether more follow. */

export interface Block {
  /** Counts blocks of this size from 0. */
  readonly number: number;
  readonly more: boolean;
  /** Bytes: 16, 32 … 1024. */
  readonly size: number;
}

export const largestBlock = 1024;
const smallestBlock = 16;
/** 20 bits (RFC 7959 §2.2). */
const maxNumber = 0xfffff;

/** undefined for the reserved size exponent 7, which means BERT over TCP and nothing over UDP. */
export function decodeBlock(value: number): Block | undefined {
  const exponent = value & 7;
  if (exponent === 7) return undefined;
  return { number: value >>> 4, more: (value & 8) !== 0, size: smallestBlock << exponent };
}

export function encodeBlock({ number, more, size }: Block): number {
  if (number > maxNumber) throw new RangeError(`block ${number} does not fit in a Block option`);
  return number * 16 + (more ? 8 : 0) + Math.log2(size / smallestBlock);
}

export const blockOffset = (block: Block): number => block.number * block.size;

export function joinBlocks(blocks: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(blocks.reduce((length, block) => length + block.length, 0));
  let offset = 0;
  for (const block of blocks) {
    body.set(block, offset);
    offset += block.length;
  }
  return body;
}

/** @throws RangeError when no Block option can say this size */
export function checkBlockSize(size: number): void {
  if (size < smallestBlock || size > largestBlock || !Number.isInteger(Math.log2(size))) {
    throw new RangeError(`a block has 16, 32, 64, 128, 256, 512 or 1024 bytes, not ${size}`);
  }
}
