import { describe, expect, test } from "vitest";
import { contentFormats } from "../../../agent/codec/content-format.js";
import { payloadCodec } from "../../../agent/codec/payload.js";
import type { PayloadCodec } from "../../../agent/codec/payload-codec.js";
import type { ResourceDefinition } from "../../../agent/model/definition.js";
import type { Path } from "../../../agent/model/path.js";
import type {
  InstanceContent,
  ObjectContent,
  ResourceContent,
  ResourceType,
} from "../../../agent/model/value.js";
import { createSeededRandom } from "../../simulated/random.js";
import { Types } from "./definitions.js";
import { extremes, sample } from "./samples.js";

const codecs = (...formats: readonly number[]): PayloadCodec[] =>
  formats.map(payloadCodec).filter((codec) => codec !== undefined);

const structured = codecs(
  contentFormats.tlv,
  contentFormats.senmlJson,
  contentFormats.senmlCbor,
  contentFormats.json,
  contentFormats.lwm2mCbor,
);
const singleValue = codecs(contentFormats.text, contentFormats.cbor);
const all = [...structured, ...singleValue];

/** The Resources without a range: the single and the multiple one of each type. */
const resources: readonly ResourceDefinition[] = Object.values(Types.resources);
const ofType = (type: ResourceType, multiple: boolean) =>
  resources.find((resource) => resource.type === type && (resource.multiple === true) === multiple)?.id ?? -1;
const types = Object.keys(extremes) as ResourceType[];

const expectRoundTrip = (codec: PayloadCodec, target: Path, content: ObjectContent) =>
  expect(codec.decode(Types, target, codec.encode(Types, target, content))).toEqual(content);

test("the table knows each format by its number, TLV and JSON also by their old ones", () => {
  for (const format of [0, 42, 60, 110, 112, 11542, 11543, 11544])
    expect(payloadCodec(format)?.contentFormat).toBe(format);
  expect(payloadCodec(1542)).toBe(payloadCodec(11542));
  expect(payloadCodec(1543)).toBe(payloadCodec(11543));
  for (const format of [40, 50, 320, 322, 1541]) expect(payloadCodec(format)).toBeUndefined();
});

describe.each(all)("Content-Format $contentFormat", (codec) => {
  test.each(types)("carries the extremes of %s, alone and as Resource Instance", (type) => {
    for (const value of extremes[type]) {
      const [single, multiple] = [ofType(type, false), ofType(type, true)];
      expectRoundTrip(codec, [42800, 0, single], new Map([[0, new Map([[single, value]])]]));
      const instances = new Map([[65534, new Map([[multiple, new Map([[65534, value]])]])]]);
      expectRoundTrip(codec, [42800, 65534, multiple, 65534], instances);
    }
  });

  test("carries any value of each type", () => {
    const random = createSeededRandom(1);
    for (let round = 0; round < 300; round++) {
      for (const type of types) {
        const id = ofType(type, false);
        expectRoundTrip(codec, [42800, 0, id], new Map([[0, new Map([[id, sample(type, random)]])]]));
      }
    }
  });
});

test("opaque carries any bytes", () => {
  const random = createSeededRandom(2);
  for (const codec of codecs(contentFormats.opaque)) {
    for (let round = 0; round < 300; round++) {
      expectRoundTrip(codec, [42800, 0, 5], new Map([[0, new Map([[5, sample("opaque", random)]])]]));
    }
  }
});

describe.each(structured)("Content-Format $contentFormat", (codec) => {
  test("carries whole Objects, Object Instances and Resources", () => {
    const random = createSeededRandom(3);
    for (let round = 0; round < 30; round++) {
      const content = new Map<number, InstanceContent>();
      for (let count = 1 + random.integer(3); count > 0; count--) {
        const held = new Map<number, ResourceContent>(
          types.flatMap((type) => [
            [ofType(type, false), sample(type, random)] as const,
            [ofType(type, true), new Map([3, 300].map((id) => [id, sample(type, random)]))] as const,
          ]),
        );
        content.set(random.integer(65535), held);
      }
      expectRoundTrip(codec, [42800], content);
      for (const [id, held] of content) {
        expectRoundTrip(codec, [42800, id], new Map([[id, held]]));
        for (const [resourceId, value] of held) {
          expectRoundTrip(codec, [42800, id, resourceId], new Map([[id, new Map([[resourceId, value]])]]));
        }
      }
    }
  });
});
