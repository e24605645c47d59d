/** A bootstrap in simulated time, by a Bootstrap-Server gone mad: valid requests, combined as they should not be, and bytes. */
import type { Method } from "../../agent/coap/code.js";
import { noBytes } from "../../agent/coap/message.js";
import { contentFormats } from "../../agent/codec/content-format.js";
import { payloadCodec } from "../../agent/codec/payload.js";
import type { ObjectDefinition, ResourceDefinition } from "../../agent/model/definition.js";
import { MAX_ID, type Path } from "../../agent/model/path.js";
import type { InstanceContent, ResourceContent } from "../../agent/model/value.js";
import { seconds } from "../../agent/ports.js";
import { AccessControl } from "../../objects/access-control.js";
import { Oscore } from "../../objects/oscore.js";
import { Security } from "../../objects/security.js";
import { Server } from "../../objects/server.js";
import { strangerPeer } from "../agent/binding/world.js";
import { message, type Said } from "../agent/coap/scripted-peer.js";
import { sample } from "../agent/codec/samples.js";
import {
  type BootstrapWorld,
  bootstrapPeer,
  createBootstrapWorld,
  Folder,
  provision,
  securityOf,
  serverOf,
} from "../agent/lwm2m/bootstrap/world.js";
import { mutate, pick, type SeededRandom } from "./mutate.js";
import type { Target } from "./target.js";

const bootstrapUri = "coap://bootstrap.example:5783";

export const bootstrap: Target = {
  name: "bootstrap",
  weight: 4,
  async begin(random) {
    let world = await begun();
    let count = 0;
    /** What makes accounts that are consistent, between requests that do not. */
    let sensible: Said[] = [];
    const request = (): Said => {
      if (random.fraction() < 0.01) sensible = sensibleBootstrap(random);
      return (random.fraction() < 0.6 ? sensible.shift() : undefined) ?? said(random);
    };
    return {
      next: () => {
        const messageId = count++ & 0xffff;
        const datagram = message({
          ...request(),
          messageId,
          token: Uint8Array.of(messageId >> 8, messageId),
        });
        return random.fraction() < 0.8 ? datagram : mutate([datagram], random);
      },
      async take(input) {
        const sent = world.sent.length;
        await world.receive(input, random.fraction() < 0.98 ? bootstrapPeer : strangerPeer);
        if (random.fraction() < 0.01) await world.clock.advance(seconds(pick([1, 60, 300], random)));
        const isAnswered = world.sent.length > sent;
        check(world);
        // A Finish that fits ends the session, and what it brought may lead elsewhere: then another device is under fire.
        if (world.accounts.bootstrapServer()?.uri !== bootstrapUri) world = await begun();
        else if (!world.bootstrap.isOpen) await again(world);
        return isAnswered;
      },
      async end() {
        await world.clock.advance(seconds(300)); // whatever is under way ends, and Message IDs may come again
        await again(world);
        const codes = [await world.delete(), ...(await provision(world))].join(" ");
        if (codes !== "2.02 2.04 2.04 2.04") throw new Error(`a bootstrap at the end: ${codes}`);
        const servers = world.accounts.servers().map(({ shortServerId }) => shortServerId);
        if (servers.join() !== "101") throw new Error(`the Servers at the end: ${servers.join()}`);
        check(world);
      },
    };
  },
};

async function begun(): Promise<BootstrapWorld> {
  const world = await createBootstrapWorld({ version: "1.1", oscore: true });
  await world.start();
  return world;
}

/** Lets the waits between attempts pass, or begins anew after one that is done. */
async function again(world: BootstrapWorld): Promise<void> {
  for (let minutes = 0; !world.bootstrap.isOpen; minutes++) {
    if (minutes > 60) throw new Error(`no bootstrap any more: ${world.bootstrap.state.name}`);
    await world.start();
    if (!world.bootstrap.isOpen) await world.clock.advance(seconds(60));
  }
}

/** Of each Object, and of all values, as much as the agent allows. */
const maximumInstances = 256;

function check({ log, sent, requests, accountStore }: BootstrapWorld): void {
  const line = log.lines.find(({ level }) => level === "error");
  if (line !== undefined) throw new Error(`logged: ${line.event}`, { cause: line.fields["error"] });
  for (const instances of accountStore.content.values())
    if (instances.size > maximumInstances) throw new Error(`${instances.size} instances`);
  log.lines.length = 0; // one batch says a lot
  sent.length = 0;
  requests.length = 0;
}

// ---- What the Bootstrap-Server says ----------------------------------------------------------------------------

const definitions: readonly ObjectDefinition[] = [Security, Server, AccessControl, Oscore, Folder];
const formats = Object.values(contentFormats);

function sensibleBootstrap(random: SeededRandom): Said[] {
  const write = (definition: ObjectDefinition, content: InstanceContent): Said => ({
    method: "PUT",
    path: [`${definition.id}`],
    contentFormat: contentFormats.tlv,
    payload:
      payloadCodec(contentFormats.tlv)?.encode(definition, [definition.id], new Map([[1, content]])) ??
      noBytes,
  });
  const shortServerId = 1 + random.integer(3);
  return [
    { method: "DELETE", path: [] },
    write(Security, securityOf(shortServerId)),
    write(Server, serverOf(shortServerId)),
    { method: "POST", path: ["bs"] },
  ];
}

function said(random: SeededRandom): Said {
  const chance = (probability: number) => random.fraction() < probability;
  const type = chance(0.8) ? "CON" : "NON";
  const path = somePath(random);
  const segments = path.map(String);
  const kind = random.fraction();
  if (kind < 0.04) return { type, method: "POST", path: ["bs"] };
  if (kind < 0.12) return { type, method: "DELETE", path: chance(0.2) ? [] : segments.slice(0, 2) };
  if (kind < 0.2)
    return {
      type,
      method: "GET",
      path: chance(0.5) ? [] : segments.slice(0, 1),
      accept: contentFormats.linkFormat,
    };
  if (kind < 0.3) return { type, method: "GET", path: segments.slice(0, 2), accept: pick(formats, random) };
  const method = chance(0.9) ? "PUT" : pick<Method>(["POST", "FETCH", "PATCH", "iPATCH"], random);
  const contentFormat = chance(0.8) ? pick(writable, random) : pick(formats, random);
  return {
    type,
    method,
    path: chance(0.95) ? segments : [...segments, "x"],
    ...(chance(0.97) && { contentFormat }),
    payload: somePayload(random, path, contentFormat),
    ...(chance(0.05) && { block1: { number: random.integer(2), more: chance(0.5), size: 16 } }),
  };
}

const writable = [
  contentFormats.tlv,
  contentFormats.senmlJson,
  contentFormats.senmlCbor,
  contentFormats.lwm2mCbor,
];

/** The Bootstrap-Server's account is /0/0: mostly it is left alone. */
function somePath(random: SeededRandom): Path {
  const definition = pick(definitions, random);
  const resources: readonly ResourceDefinition[] = Object.values(definition.resources);
  const objectId = random.fraction() < 0.95 ? definition.id : random.integer(30);
  const objectInstanceId = random.fraction() < 0.03 ? 0 : 1 + random.integer(3);
  const path = [objectId, objectInstanceId, pick(resources, random).id, random.integer(3)];
  return path.slice(0, pick([1, 2, 2, 2, 3, 3, 4], random)) as unknown as Path;
}

function somePayload(random: SeededRandom, path: Path, format: number): Uint8Array {
  const definition = definitions.find(({ id }) => id === path[0]);
  try {
    const given = random.fraction() < 0.1 ? MAX_ID : 1 + random.integer(3);
    const content = definition && new Map([[path[1] ?? given, someContent(random, definition, path)]]);
    const payload = definition && content && payloadCodec(format)?.encode(definition, path, content);
    if (payload !== undefined) return payload;
  } catch {
    // Not in this format: then something else.
  }
  return random.bytes(random.integer(40));
}

/** Mostly an instance that has what it needs, so that some sessions end well. */
function someContent(
  random: SeededRandom,
  definition: ObjectDefinition,
  [, , resourceId, resourceInstanceId]: Path,
): InstanceContent {
  const content = new Map<number, ResourceContent>();
  for (const resource of Object.values<ResourceDefinition>(definition.resources)) {
    const { id, type, multiple, mandatory } = resource;
    const isMeant =
      resourceId === undefined ? random.fraction() < (mandatory ? 0.98 : 0.1) : id === resourceId;
    if (type === undefined || !isMeant) continue;
    const value = () => someValue(random, definition, resource);
    const ids = resourceInstanceId === undefined ? [0, 1, 2] : [resourceInstanceId];
    content.set(id, multiple ? new Map(ids.map((instance) => [instance, value()])) : value());
  }
  if (definition === Security && resourceId === undefined) content.set(10, 1 + random.integer(3));
  return content;
}

function someValue(random: SeededRandom, definition: ObjectDefinition, resource: ResourceDefinition) {
  const { id, type = "string", range = [0, 300] } = resource;
  if (definition === Security && id === 0)
    return pick(["coap://server.example", "coap://other.example"], random);
  if (definition === Security && id === 1) return random.fraction() < 0.02;
  if (definition === Security && id === 2) return random.fraction() < 0.95 ? 3 : random.integer(5);
  if ((type === "integer" || type === "unsigned") && random.fraction() < 0.9)
    return range[0] + random.integer(Math.min(4, range[1] - range[0] + 1));
  return sample(type, random);
}
