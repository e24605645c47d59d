/**
 * SenML CBOR against `cbor-x` by itself: a pack of 1,000 records to bytes and back; and the whole way between that pack
 * and what an Object holds, with names, types and ranges, of which `cbor-x` knows nothing.
 */
import { Decoder, Encoder } from "cbor-x";
import { recordsOf } from "../agent/codec/senml.js";
import { decodeSenmlCbor, encodeSenmlCbor, senmlCbor } from "../agent/codec/senml-cbor.js";
import { defineObject } from "../agent/model/definition.js";
import type { InstanceContent, ObjectContent, ResourceContent } from "../agent/model/value.js";
import type { Figure } from "./child.js";

const records = 1000;
const rounds = 15;
/** What a ratio must be at least. */
const packBound = 0.5;
const objectBound = 0.1;

/** IPSO Temperature, OMA registry: text, floats, a time. */
const Temperature = defineObject({
  id: 3303,
  name: "Temperature",
  version: "1.0",
  instances: "multiple",
  resources: {
    minimumMeasured: { id: 5601, operations: "R", type: "float" },
    maximumMeasured: { id: 5602, operations: "R", type: "float" },
    sensorValue: { id: 5700, operations: "R", type: "float", mandatory: true },
    units: { id: 5701, operations: "R", type: "string" },
    timestamp: { id: 5518, operations: "R", type: "time" },
  },
});

const content: ObjectContent = new Map(
  Array.from({ length: records / 5 }, (_, id): readonly [number, InstanceContent] => [
    id,
    new Map<number, ResourceContent>([
      [5518, 1_700_000_000 + id],
      [5601, -10.5],
      [5602, 40 + id / 7],
      [5700, 20 + id / 3],
      [5701, "Cel"],
    ]),
  ]),
);

export async function benchCodec(): Promise<Figure[]> {
  const options = { useRecords: false, mapsAsObjects: false } as const;
  const [decoder, encoder] = [new Decoder(options), new Encoder(options)];
  const payload = senmlCbor.encode(Temperature, [3303], content);
  const plain: unknown = decoder.decode(payload);
  const pack = recordsOf(Temperature, [3303], content);
  const encodeAlone = () => encoder.encode(plain);
  const decodeAlone = () => decoder.decode(payload);
  const size = `SenML CBOR, ${records} records (${payload.length} bytes)`;
  return [
    compare(`${size} encoded`, packBound, () => encodeSenmlCbor(pack), encodeAlone),
    compare(`${size} decoded`, packBound, () => decodeSenmlCbor(payload), decodeAlone),
    compare(
      `${size} encoded from an Object`,
      objectBound,
      () => senmlCbor.encode(Temperature, [3303], content),
      encodeAlone,
    ),
    compare(
      `${size} decoded for an Object`,
      objectBound,
      () => senmlCbor.decode(Temperature, [3303], payload),
      decodeAlone,
    ),
  ];
}

/** Both in turn, so that what disturbs one disturbs the other; of each the median. */
function compare(what: string, bound: number, ours: () => unknown, theirs: () => unknown): Figure {
  const [our, their]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    our.push(perSecond(ours));
    their.push(perSecond(theirs));
  }
  const ratio = median(our) / median(their);
  return {
    text:
      `${what}: ${median(our).toFixed(0)}/s, cbor-x alone ${median(their).toFixed(0)}/s: ` +
      `ratio ${ratio.toFixed(2)} (at least ${bound})`,
    holds: ratio >= bound,
  };
}

function perSecond(run: () => unknown): number {
  const duration = 50_000_000n; // ns
  const start = process.hrtime.bigint();
  let count = 0;
  let elapsed = 0n;
  for (; elapsed < duration; elapsed = process.hrtime.bigint() - start) {
    run();
    count++;
  }
  return count / (Number(elapsed) / 1e9);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
