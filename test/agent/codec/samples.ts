import type { ResourceType, ResourceValue } from "../../../agent/model/value.js";
import { integerValue } from "../../../agent/model/value.js";
import type { createSeededRandom } from "../../simulated/random.js";

type Random = ReturnType<typeof createSeededRandom>;

/** Values at the edges of each type, all of which every format for that type can carry. */
export const extremes: Readonly<Record<ResourceType, readonly ResourceValue[]>> = {
  string: ["", "\u0000", "\uFEFFx", '"\\/\b\f\n\r\t\u007f\u2028', "ä€🙂", "x".repeat(70_000)],
  corelnk: ["", '</3/0>;ver="1.1",</1/0>'],
  integer: edges([0, 7, 8, 15, 16, 31, 32, 53, 63], true),
  unsigned: edges([0, 7, 8, 15, 16, 31, 32, 53, 64], false),
  float: [0, 1, -1, 22.5, 22.4, 1e21, 1e300, -5e-324, Number.MAX_VALUE, Math.fround(0.1), 2 ** 53, 1 / 3],
  boolean: [false, true],
  opaque: [[], [0], [255, 254], [1, 2, 3]].map((bytes) => Uint8Array.from(bytes)),
  time: [0, 1, -1, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  objlnk: [
    { objectId: 0, objectInstanceId: 0 },
    { objectId: 65534, objectInstanceId: 65535 },
    { objectId: 65535, objectInstanceId: 65535 },
  ],
};

/** Both sides of each power of two that fit the type. */
function edges(powers: readonly number[], isSigned: boolean): (number | bigint)[] {
  const values = powers.flatMap((power) => [2n ** BigInt(power) - 1n, 2n ** BigInt(power)]);
  const all = isSigned ? values.flatMap((value) => [value, -value, -value - 1n]) : values;
  const [minimum, maximum] = isSigned ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  return all.filter((value) => value >= minimum && value <= maximum).map(integerValue);
}

/** Any value of a type. */
export function sample(type: ResourceType, random: Random): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk":
      return Array.from({ length: random.integer(20) }, () => sampleCharacter(random)).join("");
    case "integer":
      return integerValue(BigInt.asIntN(1 + random.integer(64), sampleBits(random)));
    case "unsigned":
      return integerValue(BigInt.asUintN(1 + random.integer(64), sampleBits(random)));
    case "float":
      return sampleFloat(random);
    case "boolean":
      return random.integer(2) === 1;
    case "opaque":
      return random.bytes(random.integer(300));
    case "time":
      return Number(BigInt.asIntN(1 + random.integer(53), sampleBits(random)));
    case "objlnk":
      return { objectId: random.integer(65536), objectInstanceId: random.integer(65536) };
  }
}

const sampleBits = (random: Random) => new DataView(random.bytes(8).buffer).getBigUint64(0);

function sampleFloat(random: Random): number {
  const value = new DataView(random.bytes(8).buffer).getFloat64(0);
  return Number.isFinite(value) ? value : random.fraction();
}

function sampleCharacter(random: Random): string {
  const point = random.integer([0x80, 0x800, 0xd800, 0x110000][random.integer(4)] ?? 1);
  return String.fromCodePoint(point >= 0xd800 && point < 0xe000 ? point - 0x1000 : point);
}
