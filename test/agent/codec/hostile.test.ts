import { describe, expect, test } from "vitest";
import { parseExecuteArguments } from "../../../agent/codec/execute-arguments.js";
import { parseLinks } from "../../../agent/codec/link-format.js";
import { payloadCodec } from "../../../agent/codec/payload.js";
import type { PayloadCodec } from "../../../agent/codec/payload-codec.js";
import { decodeSenmlCbor, senmlCbor } from "../../../agent/codec/senml-cbor.js";
import { decodeSenmlJson, senmlJson } from "../../../agent/codec/senml-json.js";
import { tlv } from "../../../agent/codec/tlv.js";
import type { ObjectDefinition, ResourceDefinition } from "../../../agent/model/definition.js";
import { DecodeError } from "../../../agent/model/errors.js";
import type { Path } from "../../../agent/model/path.js";
import { createSeededRandom } from "../../simulated/random.js";
import { Types } from "./definitions.js";
import { extremes } from "./samples.js";
import {
  foreignSenmlCborVectors,
  foreignSenmlJsonVectors,
  senmlCborVectors,
  senmlJsonVectors,
  tlvVectors,
  type Vector,
} from "./vectors.js";

/** What a stranger's bytes may lead to: a value or a DecodeError. */
function outcome(decode: () => unknown): "accepted" | "refused" {
  try {
    decode();
    return "accepted";
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return "refused";
  }
}

const vectors: readonly (readonly [PayloadCodec, readonly Vector[]])[] = [
  [tlv, tlvVectors],
  [senmlJson, [...senmlJsonVectors, ...foreignSenmlJsonVectors]],
  [senmlCbor, [...senmlCborVectors, ...foreignSenmlCborVectors]],
];

describe.each(vectors)("a payload that is cut off", ({ contentFormat, decode }, cases) => {
  test.each(cases)(`is refused or means less: $name in ${contentFormat}`, (vector) => {
    const { definition, target, payload } = vector;
    for (let length = 0; length < payload.length; length++) {
      const cut = payload.subarray(0, length);
      const result = outcome(() => decode(definition, target, cut));
      // SenML says how long it is. TLV entries follow each other, so a cut between two of them is no cut to see.
      if (contentFormat !== tlv.contentFormat) expect(result).toBe("refused");
    }
  });
});

test("a cut within a TLV entry is refused", () => {
  const whole = tlvVectors.find(({ name }) => name === "Read /3");
  for (let length = 1; length < (whole?.payload.length ?? 0); length++) {
    const cut = whole?.payload.subarray(0, length) ?? new Uint8Array();
    expect(outcome(() => tlv.decode(whole?.definition ?? Types, [3], cut))).toBe("refused");
  }
});

interface Seed {
  readonly decode: (payload: Uint8Array) => unknown;
  readonly payloads: readonly Uint8Array[];
}

const utf8 = new TextEncoder();
const resources: readonly ResourceDefinition[] = Object.values(Types.resources);
const decodeText = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

const withCodec =
  (codec: PayloadCodec, definition: ObjectDefinition, target: Path) => (payload: Uint8Array) =>
    codec.decode(definition, target, payload);

function seeds(): Seed[] {
  const all: Seed[] = vectors.flatMap(([codec, cases]) =>
    cases.map(({ definition, target, payload }) => ({
      decode: withCodec(codec, definition, target),
      payloads: [payload],
    })),
  );
  for (const contentFormat of [0, 42, 60, 110, 112, 11542]) {
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) continue;
    for (const { id, type } of resources.filter(({ id }) => id <= 8)) {
      if (type === undefined || (contentFormat === 42 && type !== "opaque")) continue;
      const target = [42800, 0, id] as const;
      const payloads = extremes[type]
        .filter((value) => typeof value !== "string" || value.length < 100)
        .map((value) => codec.encode(Types, target, new Map([[0, new Map([[id, value]])]])));
      all.push({ decode: withCodec(codec, Types, target), payloads });
    }
  }
  const records = [senmlJsonVectors, senmlCborVectors].map((cases) => cases.map(({ payload }) => payload));
  all.push({ decode: decodeSenmlJson, payloads: records[0] ?? [] });
  all.push({ decode: decodeSenmlCbor, payloads: records[1] ?? [] });
  const links = ['</>;ct="60 110",</1>;ver=1.1,</1/0>', "</3/0/7>;dim=2;pmin=10;obs,</3/0/7/0>"];
  all.push({
    decode: (bytes) => parseLinks(decodeText(bytes)),
    payloads: links.map((text) => utf8.encode(text)),
  });
  const args = ["5", "7,0='https://www.oma.org', 3"];
  all.push({
    decode: (bytes) => parseExecuteArguments(decodeText(bytes)),
    payloads: args.map((text) => utf8.encode(text)),
  });
  return all;
}

type Random = ReturnType<typeof createSeededRandom>;

/** A payload with a few of its bytes changed, taken out, put in or doubled. */
function mutate(payload: Uint8Array, random: Random): Uint8Array {
  let bytes = [...payload];
  for (let count = 1 + random.integer(2); count > 0; count--) {
    const at = random.integer(bytes.length + 1);
    switch (random.integer(5)) {
      case 0:
        bytes[at] = random.integer(256);
        break;
      case 1:
        bytes.splice(at, 1 + random.integer(4));
        break;
      case 2:
        bytes.splice(at, 0, ...random.bytes(1 + random.integer(4)));
        break;
      case 3:
        bytes = [...bytes, ...bytes.slice(at)];
        break;
      case 4:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
        break;
    }
  }
  return Uint8Array.from(bytes.slice(0, 2000));
}

// 80,000 decodings: a few seconds of a processor, many more of one that others use too.
test("no payload of a stranger does worse than to be refused", { timeout: 120_000 }, () => {
  const random = createSeededRandom(20260101);
  const all = seeds();
  const outcomes = { accepted: 0, refused: 0 };
  const rounds = Math.ceil(80_000 / (2 * all.length));
  for (const { decode, payloads } of all) {
    for (let round = 0; round < rounds; round++) {
      const noise = random.bytes(random.integer(40));
      outcomes[outcome(() => decode(noise))]++;
      const original = payloads[random.integer(payloads.length)] ?? noise;
      outcomes[outcome(() => decode(mutate(original, random)))]++;
    }
  }
  expect(outcomes.accepted + outcomes.refused).toBeGreaterThanOrEqual(80_000);
  // Both happen often, or the mutations would be too tame or too wild to find anything.
  expect(outcomes.accepted).toBeGreaterThan(5_000);
  expect(outcomes.refused).toBeGreaterThan(20_000);
});

describe("a large payload takes time in proportion to its size", () => {
  const million = 1_000_000;
  test.each<readonly [string, number, Path, () => Uint8Array]>([
    ["text of digits", 0, [42800, 0, 1], () => utf8.encode("9".repeat(million))],
    ["Base64", 0, [42800, 0, 5], () => utf8.encode("A".repeat(million))],
    ["JSON brackets", 110, [42800, 0], () => utf8.encode("[".repeat(million))],
    ["JSON digits", 110, [42800, 0], () => utf8.encode(`[{"n":"/42800/0/1","v":${"1".repeat(million)}}]`)],
    [
      "JSON escapes",
      110,
      [42800, 0, 0],
      () => utf8.encode(`[{"n":"/42800/0/0","vs":"${"\\n".repeat(million)}"}]`),
    ],
    ["CBOR items", 112, [42800, 0], () => new Uint8Array(million).fill(0x9f)],
    [
      "CBOR chunks",
      60,
      [42800, 0, 0],
      () => Uint8Array.from({ length: million }, (_, at) => (at === 0 ? 0x7f : 0x60)),
    ],
    ["TLV entries", 11542, [42800], () => new Uint8Array(million)],
  ])("%s", (_, contentFormat, target, payload) => {
    const bytes = payload();
    const before = process.cpuUsage(); // not the clock, which counts what others do on this machine
    outcome(() => payloadCodec(contentFormat)?.decode(Types, target, bytes));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(2000);
  });
});
