import { describe, expect, test } from "vitest";
import { compositeCodec, type Definitions } from "../../../agent/codec/composite.js";
import { resolveRecords } from "../../../agent/codec/senml.js";
import { decodeSenmlCbor } from "../../../agent/codec/senml-cbor.js";
import { decodeSenmlJson } from "../../../agent/codec/senml-json.js";
import type { ResourceDefinition } from "../../../agent/model/definition.js";
import { formatPath, type ResourcePath } from "../../../agent/model/path.js";
import type {
  InstanceContent,
  ResourceContent,
  TimedContent,
  TreeContent,
} from "../../../agent/model/value.js";
import { createSeededRandom } from "../../simulated/random.js";
import { Device, Types } from "./definitions.js";
import { extremes, sample } from "./samples.js";

const definitions: Definitions = (objectId) => [Types, Device].find(({ id }) => id === objectId);
const resources = Object.values<ResourceDefinition>(Types.resources).filter(
  ({ type, range }) => type !== undefined && range === undefined,
);

const writers = [110, 112, 11544].map((contentFormat) => compositeCodec(contentFormat));
const readers = new Map([
  [110, [110, 320]],
  [112, [112, 322]],
  [11544, [11544]],
]);

describe.each(writers)("what is written in Content-Format $contentFormat", (codec) => {
  const contentFormat = codec?.contentFormat ?? 0;
  const expectRoundTrip = (content: TreeContent) => {
    const payload = codec?.encode?.(definitions, content) ?? new Uint8Array();
    for (const reader of readers.get(contentFormat) ?? []) {
      const read = compositeCodec(reader)?.decodeContent?.(definitions, payload);
      expect(read).toEqual({ content, removals: [], unknown: [] });
    }
  };

  test.each(resources)("is read again: the extremes of Resource $id, a $type", ({ id, type, multiple }) => {
    for (const value of type === undefined ? [] : extremes[type]) {
      const held = multiple ? new Map([[65534, value]]) : value;
      expectRoundTrip(new Map([[Types.id, new Map([[65534, new Map([[id, held]])]])]]));
    }
  });

  test("is read again: any content of several Objects", () => {
    const random = createSeededRandom(contentFormat);
    for (let round = 0; round < 50; round++) {
      const instances = new Map<number, InstanceContent>();
      for (let count = 1 + random.integer(3); count > 0; count--) {
        const held = new Map<number, ResourceContent>([[1, sample("integer", random)]]);
        for (const { id, type, multiple } of resources) {
          if (type === undefined || random.integer(3) === 0) continue;
          const value = () => sample(type, random);
          held.set(id, multiple ? new Map([3, 300].map((instance) => [instance, value()])) : value());
        }
        instances.set(random.integer(65535), held);
      }
      const device = new Map([[0, new Map([[9, random.integer(101)]])]]);
      expectRoundTrip(
        new Map([
          [Types.id, instances],
          [3, device],
        ]),
      );
    }
  });
});

test.each([
  [110, decodeSenmlJson],
  [112, decodeSenmlCbor],
] as const)(
  "times in Content-Format %i come back to the millisecond, in their order",
  (contentFormat, decode) => {
    const random = createSeededRandom(contentFormat);
    for (let round = 0; round < 500; round++) {
      const isOneResource = random.integer(2) === 0;
      const samples: TimedContent[] = Array.from({ length: 1 + random.integer(6) }, () => {
        const path: ResourcePath = [Types.id, isOneResource ? 0 : random.integer(3), 1];
        const time = (1_600_000_000_000 + random.integer(200_000_000_000)) / 1000; // as a clock has it
        return { path, content: random.integer(1000), time: random.integer(5) === 0 ? undefined : time };
      });
      const payload = compositeCodec(contentFormat)?.encodeTimed?.(definitions, samples) ?? new Uint8Array();
      const read = resolveRecords(decode(payload));
      expect(read.map(({ path }) => formatPath(path))).toEqual(samples.map(({ path }) => formatPath(path)));
      expect(read.map(({ value }) => value?.value)).toEqual(samples.map(({ content }) => content));
      // 0 and none are both now (RFC 8428 §4.5.3).
      const milliseconds = (time: number | undefined) => Math.round((time ?? 0) * 1000);
      expect(read.map(({ time }) => milliseconds(time))).toEqual(
        samples.map(({ time }) => milliseconds(time)),
      );
    }
  },
);
