import type { createSeededRandom } from "../simulated/random.js";

export type SeededRandom = ReturnType<typeof createSeededRandom>;

export function pick<T>(items: readonly T[], random: SeededRandom): T {
  return items[random.integer(items.length)] as T; // nobody picks from nothing
}

const MAXIMUM_LENGTH = 2000;
/** At the edges of types, lengths and depths in every format. */
const interesting = [
  0x00, 0x01, 0x7f, 0x80, 0xff, 0x1b, 0x5f, 0x7b, 0x9f, 0xa0, 0xbf, 0xf6, 0x22, 0x2c, 0x5b,
];

/** Noise, a sample as it is, or one to four changes to it; sometimes the head of one before the tail of another. */
export function mutate(samples: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  const kind = random.integer(20);
  if (kind === 0 || samples.length === 0) return random.bytes(random.integer(60));
  const sample = pick(samples, random);
  if (kind === 1) return new Uint8Array(sample);
  if (kind === 2) {
    const other = pick(samples, random);
    const head = sample.subarray(0, random.integer(sample.length + 1));
    return Uint8Array.from([...head, ...other.subarray(random.integer(other.length + 1))]);
  }
  let bytes = [...sample.subarray(0, MAXIMUM_LENGTH)];
  for (let count = 1 + random.integer(4); count > 0; count--) bytes = changed(bytes, random);
  return Uint8Array.from(bytes.slice(0, MAXIMUM_LENGTH));
}

function changed(bytes: readonly number[], random: SeededRandom): number[] {
  const at = random.integer(bytes.length + 1);
  const length = 1 + random.integer(4);
  const before = bytes.slice(0, at);
  switch (random.integer(7)) {
    case 0:
      return [...before, random.integer(256), ...bytes.slice(at + 1)];
    case 1:
      return [...before, pick(interesting, random), ...bytes.slice(at + 1)];
    case 2:
      return [...before, (bytes[at] ?? 0) ^ (1 << random.integer(8)), ...bytes.slice(at + 1)];
    case 3:
      return [...before, ...bytes.slice(at + length)];
    case 4:
      return [...before, ...random.bytes(length), ...bytes.slice(at)];
    case 5:
      return before;
    default:
      return [...before, ...bytes.slice(at), ...bytes.slice(at, at + 32 * length)];
  }
}
