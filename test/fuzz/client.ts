/** The whole client in simulated time: datagrams in, and whatever comes of them. */
import type { Method } from "../../agent/coap/code.js";
import { compositeCodec } from "../../agent/codec/composite.js";
import { contentFormats } from "../../agent/codec/content-format.js";
import { payloadCodec } from "../../agent/codec/payload.js";
import type { ResourceDefinition } from "../../agent/model/definition.js";
import type { Path } from "../../agent/model/path.js";
import type { InstanceContent, ResourceContent } from "../../agent/model/value.js";
import { seconds } from "../../agent/ports.js";
import { createStoredObject } from "../../objects/stored-object.js";
import { createWorld, serverPeer, strangerPeer } from "../agent/binding/world.js";
import { message } from "../agent/coap/scripted-peer.js";
import { Types } from "../agent/codec/definitions.js";
import { sample } from "../agent/codec/samples.js";
import { createRecordingLog } from "../simulated/log.js";
import { createMemoryStore } from "../simulated/store.js";
import { mutate, pick, type SeededRandom } from "./mutate.js";
import type { Target } from "./target.js";

export const client: Target = {
  name: "client",
  weight: 8,
  async begin(random) {
    const store = createMemoryStore();
    const object = await createStoredObject({
      definition: Types,
      store,
      log: createRecordingLog(),
      serversCreate: true,
    });
    const world = await createWorld([object], undefined, pick(["1.0", "1.1", "1.2"], random));
    const checkLog = () => {
      const line = world.log.lines.find(({ level }) => level === "error");
      if (line !== undefined) throw new Error(`logged: ${line.event}`, { cause: line.fields["error"] });
      world.log.lines.length = 0; // one batch says a lot
      world.sent.length = 0;
      world.received.length = 0;
    };
    let count = 0;
    return {
      next: () => {
        const datagram = someRequest(random, count++ & 0xffff);
        return random.fraction() < 0.6 ? datagram : mutate([datagram], random);
      },
      async take(input) {
        const sent = world.sent.length;
        await world.receive(input, random.fraction() < 0.98 ? serverPeer : strangerPeer);
        if (random.fraction() < 0.02) await world.clock.advance(seconds(pick([1, 5, 60], random)));
        const isAnswered = world.sent.length > sent;
        checkLog();
        return isAnswered;
      },
      async end() {
        await world.clock.advance(seconds(300)); // whatever is under way ends, and Message IDs may come again
        const answer = world
          .ask({ method: "GET", path: ["42800"], accept: contentFormats.tlv })
          .catch(String);
        await world.clock.advance(seconds(100));
        const code = await Promise.race([answer, "no answer"]);
        if (typeof code === "string" || code.code !== "2.05") {
          throw new Error(`a Read at the end: ${typeof code === "string" ? code : code.code}`);
        }
        checkLog();
      },
    };
  },
};

// ---- What a Server says ----------------------------------------------------------------------------------------

const resources: readonly ResourceDefinition[] = Object.values(Types.resources);
const formats = Object.values(contentFormats);

function someRequest(random: SeededRandom, messageId: number): Uint8Array {
  const chance = (probability: number) => random.fraction() < probability;
  const method = pick<Method>(
    ["GET", "GET", "PUT", "PUT", "POST", "POST", "DELETE", "FETCH", "iPATCH"],
    random,
  );
  const isComposite = method === "FETCH" || method === "iPATCH";
  const path = isComposite && chance(0.95) ? [] : somePath(random);
  const contentFormat = chance(0.9) ? pick(formats, random) : undefined;
  const hasPayload = method !== "GET" && method !== "DELETE";
  return message({
    type: chance(0.8) ? "CON" : "NON",
    method,
    messageId,
    token: Uint8Array.of(messageId >> 8, messageId),
    path: path.map(String),
    ...(hasPayload && contentFormat !== undefined && { contentFormat }),
    ...(hasPayload && { payload: somePayload(random, method, path, contentFormat ?? contentFormats.text) }),
    ...(chance(0.4) && { accept: pick(formats, random) }),
    ...(chance(0.2) && { observe: pick([0, 0, 1], random) }),
    ...(chance(0.1) && {
      query: [pick(["pmin=1", "pmax=5", "gt=5", "st=0.1", "depth=1", "con=1", "="], random)],
    }),
    ...(chance(0.05) && { block1: { number: random.integer(2), more: chance(0.5), size: 16 } }),
    ...(chance(0.05) && { block2: { number: random.integer(3), more: false, size: 16 } }),
  });
}

const somePath = (random: SeededRandom): number[] =>
  [
    random.fraction() < 0.95 ? Types.id : random.integer(10),
    random.integer(4),
    pick(resources, random).id,
    random.integer(3),
  ].slice(0, pick([1, 2, 2, 3, 3, 3, 4], random));

function somePayload(
  random: SeededRandom,
  method: Method,
  path: readonly number[],
  format: number,
): Uint8Array {
  try {
    if (method === "FETCH") return new TextEncoder().encode('[{"n":"/42800/0"},{"n":"/42800/1/101"}]');
    const content = new Map([[path[1] ?? random.integer(4), someContent(random, path[2], path[3])]]);
    const sibling = format === contentFormats.senmlEtchJson ? contentFormats.senmlJson : format;
    const composite = method === "iPATCH" ? compositeCodec(sibling)?.encode : undefined;
    const written =
      method === "iPATCH"
        ? composite?.(() => Types, new Map([[Types.id, content]]))
        : payloadCodec(format)?.encode(Types, path as unknown as Path, content);
    if (written !== undefined) return written;
  } catch {
    // Not in this format: then something else.
  }
  return random.bytes(random.integer(30));
}

function someContent(random: SeededRandom, resourceId?: number, instanceId?: number): InstanceContent {
  const content = new Map<number, ResourceContent>();
  for (const { id, type, multiple, range } of resources) {
    const isMeant =
      resourceId === undefined ? random.fraction() < 0.3 && range === undefined : id === resourceId;
    if (type === undefined || !isMeant) continue;
    const value = () => sample(type, random);
    const ids = instanceId === undefined ? [0, 1] : [instanceId];
    content.set(id, multiple ? new Map(ids.map((instance) => [instance, value()])) : value());
  }
  return content;
}
