/** Every decoder of the agent, with valid inputs to begin from. */
import { decodeMessage, encodeMessage, MessageFormatError } from "../../agent/coap/message.js";
import { type CompositeCodec, compositeCodec, type Definitions } from "../../agent/codec/composite.js";
import { parseExecuteArguments } from "../../agent/codec/execute-arguments.js";
import { formatLinks, parseLinks } from "../../agent/codec/link-format.js";
import { payloadCodec } from "../../agent/codec/payload.js";
import type { PayloadCodec } from "../../agent/codec/payload-codec.js";
import type { ObjectDefinition, ResourceDefinition } from "../../agent/model/definition.js";
import { ConfigError, DecodeError, RequestError } from "../../agent/model/errors.js";
import { formatPath, type Path, parsePath } from "../../agent/model/path.js";
import type { InstanceContent, ObjectContent, ResourceContent } from "../../agent/model/value.js";
import { parseObjectFile } from "../../agent/oma/object-file.js";
import { message } from "../agent/coap/scripted-peer.js";
import { Device, Types } from "../agent/codec/definitions.js";
import { sample } from "../agent/codec/samples.js";
import { item, objectFile } from "../agent/oma/files.js";
import { mutate, pick, type SeededRandom } from "./mutate.js";
import type { Target } from "./target.js";

type ErrorType = new (...args: never[]) => Error;

/**
 * @param samples made anew for each batch
 * @param decode throws one of `errors` for what it refuses, and an AssertionError for what must never be
 */
const decoder = (
  name: string,
  samples: (random: SeededRandom) => readonly Uint8Array[],
  decode: (input: Uint8Array) => unknown,
  ...errors: readonly ErrorType[]
): Target => ({
  name,
  weight: 1,
  begin(random) {
    const all = samples(random);
    return {
      next: () => mutate(all, random),
      take(input) {
        try {
          decode(input);
          return true;
        } catch (error) {
          if (errors.some((type) => error instanceof type)) return false;
          throw error;
        }
      },
    };
  },
});

const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const textDecoder = (
  name: string,
  texts: readonly string[],
  parse: (text: string) => unknown,
  ...errors: readonly ErrorType[]
) =>
  decoder(
    name,
    () => texts.map((text) => utf8.encode(text)),
    (input) => parse(latin1.decode(input)),
    ...errors,
  );

/** What was accepted has one meaning: written and read again it is still the same. */
function sameAgain<T>(value: T, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T): void {
  let forms: string[];
  try {
    const written = encode(value);
    forms = [written, encode(decode(written))].map((bytes) => Buffer.from(bytes).toString("hex"));
  } catch (cause) {
    throw new Error("what was accepted cannot be written and read again", { cause });
  }
  if (forms[0] !== forms[1]) throw new Error(`${forms[0]} is ${forms[1]} when read`);
}

// ---- Payloads --------------------------------------------------------------------------------------------------

const resources: readonly ResourceDefinition[] = Object.values(Types.resources);

function someInstance(random: SeededRandom): InstanceContent {
  const content = new Map<number, ResourceContent>();
  for (const { id, type, multiple, range } of resources) {
    if (type === undefined || range !== undefined || random.fraction() < 0.6) continue;
    const value = () => sample(type, random);
    content.set(id, multiple ? new Map([0, 1, 300].map((instance) => [instance, value()])) : value());
  }
  return content;
}

const someObject = (random: SeededRandom): ObjectContent =>
  new Map([0, 1 + random.integer(65534)].map((id) => [id, someInstance(random)]));

/** The part of an instance that a target has. */
function part(content: InstanceContent, [, , resourceId, resourceInstanceId]: Path): InstanceContent {
  if (resourceId === undefined) return content;
  const held = content.get(resourceId);
  if (resourceInstanceId === undefined || !(held instanceof Map)) return new Map([[resourceId, held ?? ""]]);
  return new Map([[resourceId, new Map([[resourceInstanceId, held.get(resourceInstanceId) ?? ""]])]]);
}

function payloadTarget(codec: PayloadCodec, contentFormat: number, target: Path): Target {
  const samples = (random: SeededRandom) =>
    Array.from({ length: 8 }, () => {
      const [, objectInstanceId] = target;
      if (objectInstanceId === undefined) return codec.encode(Types, target, someObject(random));
      const full = fullInstance(random);
      return codec.encode(Types, target, new Map([[objectInstanceId, part(full, target)]]));
    });
  const decode = (input: Uint8Array) => codec.decode(Types, target, input);
  return decoder(
    `payload ${contentFormat} for ${formatPath(target)}`,
    samples,
    (input) => {
      const content = decode(input);
      // In a Create an instance may come without its ID, which not every format can write.
      if (!content.has(65535)) sameAgain(content, (value) => codec.encode(Types, target, value), decode);
    },
    DecodeError,
  );
}

function fullInstance(random: SeededRandom): InstanceContent {
  const content = new Map<number, ResourceContent>();
  for (const { id, type, multiple, range } of resources) {
    if (type === undefined || range !== undefined) continue;
    const value = () => sample(type, random);
    content.set(id, multiple ? new Map([0, 1, 300].map((instance) => [instance, value()])) : value());
  }
  return content;
}

const structuredTargets: readonly Path[] = [[42800], [42800, 0], [42800, 0, 101], [42800, 0, 105, 300]];
const singleTargets: readonly Path[] = resources
  .filter(({ id, type }) => id <= 8 && type !== undefined)
  .map(({ id }) => [42800, 0, id]);

function payloadTargets(): Target[] {
  const targetsOf = new Map<number, readonly Path[]>([
    [0, singleTargets],
    [42, [[42800, 0, 5]]],
    [60, singleTargets],
    ...[110, 112, 11542, 11543, 11544].map((format) => [format, structuredTargets] as const),
  ]);
  return [...targetsOf].flatMap(([contentFormat, targets]) => {
    const codec = payloadCodec(contentFormat);
    return codec === undefined ? [] : targets.map((target) => payloadTarget(codec, contentFormat, target));
  });
}

// ---- Composite payloads ----------------------------------------------------------------------------------------

const known: readonly ObjectDefinition[] = [Types, Device];
const definitions: Definitions = (objectId) => known.find(({ id }) => id === objectId);

/** What a codec cannot write, its sibling can. */
function compositeSamples(random: SeededRandom, { contentFormat }: CompositeCodec): readonly Uint8Array[] {
  const sibling = new Map([
    [320, 110],
    [322, 112],
  ]).get(contentFormat);
  const writer = compositeCodec(sibling ?? contentFormat);
  return Array.from({ length: 8 }, () => {
    const tree = new Map([
      [42800, someObject(random)],
      [3, new Map([[0, new Map([[9, random.integer(101)]])]])],
    ]);
    return writer?.encode?.(definitions, tree) ?? new Uint8Array();
  });
}

function pathSamples(random: SeededRandom, { contentFormat }: CompositeCodec): readonly Uint8Array[] {
  const isJson = contentFormat === 110 || contentFormat === 320;
  return Array.from({ length: 4 }, () => {
    const names = ["/", "/3/0/0", "/42800/1", `/3/${random.integer(70000)}`].slice(random.integer(4));
    if (isJson) return utf8.encode(JSON.stringify(names.map((n) => ({ n, t: 0 }))));
    const records = names.map((name) => [0xa1, 0x00, 0x60 + name.length, ...utf8.encode(name)]);
    return Uint8Array.from([0x80 + records.length, ...records.flat()]);
  });
}

function compositeTargets(): Target[] {
  return [110, 112, 320, 322, 11544].flatMap((contentFormat) => {
    const codec = compositeCodec(contentFormat);
    if (codec === undefined) return [];
    const { decodePaths, decodeContent, encode } = codec;
    const write = (input: Uint8Array) => {
      const content = decodeContent?.(definitions, input).content ?? new Map();
      if (encode === undefined || decodeContent === undefined) return;
      sameAgain(
        content,
        (value) => encode(definitions, value),
        (bytes) => decodeContent(definitions, bytes).content,
      );
    };
    const writing = decoder(
      `composite ${contentFormat}, content`,
      (random) => compositeSamples(random, codec),
      write,
      DecodeError,
      RequestError,
    );
    if (decodePaths === undefined) return [writing];
    const reading = decoder(
      `composite ${contentFormat}, paths`,
      (random) => pathSamples(random, codec),
      decodePaths,
      DecodeError,
    );
    return [writing, reading];
  });
}

// ---- Everything else -------------------------------------------------------------------------------------------

const coapMessage = decoder(
  "CoAP message",
  (random) =>
    Array.from({ length: 8 }, () =>
      message({
        method: pick(["GET", "POST", "PUT", "DELETE", "FETCH", "iPATCH"], random),
        path: ["42800", "0", `${random.integer(300)}`],
        query: ["pmin=5"],
        contentFormat: random.integer(65536),
        ...(random.integer(2) === 0 && { block1: { number: random.integer(2000), more: true, size: 64 } }),
        options: [{ number: random.integer(65000), value: random.bytes(random.integer(400)) }],
        token: random.bytes(random.integer(9)),
        payload: random.bytes(random.integer(30)),
      }),
    ),
  (input) => sameAgain(decodeMessage(input), encodeMessage, decodeMessage),
  MessageFormatError,
);

const others: readonly Target[] = [
  textDecoder(
    "link format",
    ['</>;ct="60 110",</1>;ver=1.1,</1/0>', "</3/0/7>;dim=2;pmin=10;obs,</3/0/7/0>", '</a>;t="x\\"y", </b/>'],
    (text) => {
      const links = parseLinks(text);
      for (const { path } of links) parsePath(path);
      sameAgain(
        links,
        (value) => utf8.encode(formatLinks(value)),
        (bytes) => parseLinks(new TextDecoder().decode(bytes)),
      );
    },
    DecodeError,
  ),
  textDecoder(
    "arguments of an Execute",
    ["5", "7,0='https://www.oma.org', 3", "0,1,2,3,4", "2='10.3'"],
    parseExecuteArguments,
    DecodeError,
  ),
  textDecoder("path", ["/3/0/9", "/65534/0", "/1/2/3/4", "/0"], (text) => {
    const path = parsePath(text);
    if (path !== undefined && formatPath(path) !== text) throw new Error(`${text} is ${formatPath(path)}`);
  }),
  decoder(
    "definition file",
    (random) => [
      utf8.encode(
        objectFile({
          id: random.integer(65535),
          items: [
            item({ id: random.integer(70), operations: "RW", type: "Float", range: "-10..10" }),
            item({ id: 80, operations: "E", type: "" }),
            item({ id: 81, multiple: true, type: "String", range: "0..255 bytes" }),
          ],
        }),
      ),
    ],
    (input) => parseObjectFile(latin1.decode(input), "fuzz.xml"),
    ConfigError,
  ),
];

export const decoders: readonly Target[] = [
  coapMessage,
  ...payloadTargets(),
  ...compositeTargets(),
  ...others,
];
