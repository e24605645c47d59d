/** A Server gone mad: requests that are valid CoAP and anything but sensible LwM2M, to the Objects of a real device. */
import { beforeAll, describe, expect, test } from "vitest";
import { CoapBinding } from "../../../agent/binding/coap.js";
import { parseServerUri } from "../../../agent/binding/server-uri.js";
import { codeClass, decodeResponseCode, encodeResponseCode, methods } from "../../../agent/coap/code.js";
import { decodeMessage, encodeEmpty, encodeMessage, noBytes } from "../../../agent/coap/message.js";
import { encodeText, optionNumber } from "../../../agent/coap/option.js";
import { contentFormats } from "../../../agent/codec/content-format.js";
import { payloadCodec } from "../../../agent/codec/payload.js";
import { Client } from "../../../agent/lwm2m/client.js";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import type { ObjectDefinition, ResourceDefinition } from "../../../agent/model/definition.js";
import { formatPath, MAX_ID, type Path, parsePath } from "../../../agent/model/path.js";
import type { InstanceContent, ResourceContent } from "../../../agent/model/value.js";
import { seconds } from "../../../agent/ports.js";
import { createAccessControl } from "../../../objects/access-control.js";
import { factoryContent } from "../../../objects/accounts/factory.js";
import { openAccountStore } from "../../../objects/accounts/store.js";
import { createConfiguration } from "../../../objects/configuration.js";
import { createDevice } from "../../../objects/device.js";
import { createOscore } from "../../../objects/oscore.js";
import { createSecurity } from "../../../objects/security.js";
import { createServerObject } from "../../../objects/server.js";
import { World } from "../../objects/firmware-update/world.js";
import { createSimulatedAccounts } from "../../simulated/accounts.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { createMemoryStore } from "../../simulated/store.js";
import { message, type Said } from "../coap/scripted-peer.js";
import { sample } from "../codec/samples.js";
import { serverPeer } from "./world.js";

const requests = 30_000;
const random = createSeededRandom(20_260_301);
const chance = (probability: number) => random.fraction() < probability;

function pick<T>(items: readonly T[]): T {
  return items[random.integer(items.length)] as T;
}

// ---- What the Server says --------------------------------------------------------------------------------------

const formats = Object.values(contentFormats);
const anyFormat = () => (chance(0.95) ? pick(formats) : random.integer(65536));
const strangeSegments = [
  "",
  "abc",
  "00",
  "65535",
  "-1",
  "1.5",
  "99999",
  "ä",
  ".well-known",
  "rd",
  "bs",
  "dp",
];

/** Mostly something that is there. */
function somePath(definitions: readonly ObjectDefinition[]): Path {
  const definition = pick(definitions);
  const resources: readonly ResourceDefinition[] = Object.values(definition.resources);
  const ids = [
    chance(0.97) ? definition.id : random.integer(50),
    chance(0.9) ? random.integer(2) : random.integer(300),
    chance(0.95) ? pick(resources).id : random.integer(40),
    random.integer(3),
  ];
  const depth = pick([1, 2, 2, 3, 3, 3, 3, 4]);
  return parsePath(formatPath(ids.slice(0, depth))) ?? [definition.id];
}

/** What somebody could write there, by the definition. */
function someContent(
  definition: ObjectDefinition,
  [, , resourceId, resourceInstanceId]: Path,
): InstanceContent {
  const content = new Map<number, ResourceContent>();
  for (const { id, type, multiple, range = [0, 300] } of Object.values<ResourceDefinition>(
    definition.resources,
  )) {
    const isMeant = resourceId === undefined ? chance(0.6) : id === resourceId;
    if (type === undefined || !isMeant) continue;
    const value = () =>
      (type === "integer" || type === "unsigned") && chance(0.8)
        ? range[0] + random.integer(Math.min(300, range[1] - range[0] + 1))
        : sample(type, random);
    const ids = resourceInstanceId === undefined ? [0, 1, random.integer(5)] : [resourceInstanceId];
    content.set(id, multiple ? new Map(ids.map((instance) => [instance, value()])) : value());
  }
  return content;
}

function somePayload(definition: ObjectDefinition | undefined, path: Path, format: number): Uint8Array {
  const sensible = definition && sensiblePayload(definition, path, format);
  if (sensible === undefined || chance(0.1)) return random.bytes(random.integer(40));
  if (chance(0.6)) return sensible;
  const mutated = sensible.slice(0, chance(0.3) ? random.integer(sensible.length + 1) : undefined);
  if (mutated.length > 0) mutated[random.integer(mutated.length)] = random.integer(256);
  return mutated;
}

function sensiblePayload(definition: ObjectDefinition, path: Path, format: number): Uint8Array | undefined {
  const [, objectInstanceId = chance(0.5) ? MAX_ID : random.integer(4)] = path;
  try {
    const content = new Map([[objectInstanceId, someContent(definition, path)]]);
    return payloadCodec(format)?.encode(definition, path, content);
  } catch {
    return undefined; // not in this format
  }
}

const someQuery = () =>
  pick([
    "pmin=1",
    "pmin=5",
    "pmax=10",
    "pmax=0",
    "pmin",
    "pmax=",
    "pmin=x",
    "gt=5",
    "depth=1",
    "a",
    "=",
    "ep=b",
  ]);

/** Everything is possible, and combined as it should not be. */
function someRequest(definitions: readonly ObjectDefinition[]): Said {
  const path = somePath(definitions);
  const definition = definitions.find(({ id }) => id === path[0]);
  const method = pick([...methods, "GET", "GET", "PUT", "PUT", "PUT", "POST", "POST", "DELETE"] as const);
  const contentFormat = chance(0.8) ? anyFormat() : undefined;
  const format = contentFormat ?? contentFormats.text;
  const payload = method === "GET" || chance(0.1) ? noBytes : somePayload(definition, path, format);
  const segments = path.map(String);
  if (chance(0.05)) {
    segments.splice(random.integer(segments.length + 1), chance(0.5) ? 1 : 0, pick(strangeSegments));
  }
  return {
    type: someType(),
    method,
    path: segments,
    payload,
    ...(method !== "GET" && contentFormat !== undefined && { contentFormat }),
    ...(chance(0.4) && { accept: anyFormat() }),
    ...(chance(0.2) && { query: Array.from({ length: 1 + random.integer(2) }, someQuery) }),
    ...(chance(0.15) && { observe: pick([0, 0, 0, 1, 2]) }),
    ...(chance(0.03) && { block2: { number: random.integer(3), more: false, size: 64 } }),
  };
}

function someExecute(definitions: readonly ObjectDefinition[]): Said {
  const path = somePath(definitions);
  const args = pick(["", "", "0", "0='x'", "5,3='a b'", "0,0", "0='", "ä"]);
  return { type: someType(), method: "POST", path: path.map(String), payload: encodeText(args) };
}

/** What else there is would soon be deleted. */
function someCreate(definitions: readonly ObjectDefinition[]): Said {
  const definition = pick(definitions.filter(({ instances }) => instances === "multiple"));
  const contentFormat = pick([contentFormats.tlv, contentFormats.senmlJson, contentFormats.senmlCbor]);
  const payload = somePayload(definition, [definition.id], contentFormat);
  return { type: someType(), method: "POST", path: [`${definition.id}`], contentFormat, payload };
}

/** The first block of a body, the last one, or one in the middle of nothing. */
function someBlock(definitions: readonly ObjectDefinition[]): Said {
  const size = 16;
  const block1 = { number: pick([0, 0, 1, 2]), more: chance(0.6), size };
  return {
    ...someRequest(definitions),
    block1,
    payload: random.bytes(block1.more ? size : random.integer(20)),
  };
}

const someType = () => (chance(0.85) ? "CON" : "NON");

const kinds = [
  someRequest,
  someRequest,
  someRequest,
  someRequest,
  someRequest,
  someExecute,
  someCreate,
  someBlock,
];

// ---- What the device answers -----------------------------------------------------------------------------------

async function createDeviceUnderFire() {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const store = createMemoryStore();
  const firmware = new World().agent({ clock }); // its board never restarts, and its own log says so
  const factory = factoryContent({
    servers: [{ uri: "coap://server.example", shortServerId: 1, lifetime: 3600 }],
  });
  const accountStore = await openAccountStore({ store, log, clock, factory });
  const objects = [
    createSecurity(accountStore),
    createServerObject(accountStore, {
      disable: () => undefined,
      updateTrigger: () => client.triggerUpdate(1),
      canBootstrap: () => false,
      bootstrapTrigger: () => undefined,
    }),
    createAccessControl(accountStore),
    createOscore(accountStore),
    createDevice({
      clock,
      log,
      store,
      describe: () => ({
        manufacturer: "Acme",
        modelNumber: "M1",
        serialNumber: "1",
        hardwareVersion: "",
        firmwareVersion: "1.0",
      }),
      onReboot: () => undefined,
      onFactoryReset: () => undefined,
      supportedBinding: "U",
      power: () => ({ sources: [{ kind: "dc", millivolts: clock.now() % 7 }, { kind: "usb" }] }),
      faults: { active: () => ["lowSignal"], reset: () => undefined },
    }),
    firmware.object,
    await createConfiguration({
      store,
      log,
      applied: (objectInstanceId) => {
        if (objectInstanceId % 2 === 1) throw new Error("this application does not like odd numbers");
      },
    }),
  ];
  const tree = new ObjectTree();
  for (const object of objects) tree.add(object);
  const client = new Client({
    endpointName: "board",
    version: "1.1",
    binding: "U",
    tree,
    accounts: createSimulatedAccounts(),
    clock,
    log,
  });
  let deliver: (datagram: Uint8Array) => void = () => undefined;
  /** Answers by Message ID of the request. */
  const answers = new Map<number, string[]>();
  /** Requests whose answer comes apart, by token. */
  const apart = new Map<string, number>();
  let notifications = 0;
  let registered = 0;

  function hear(datagram: Uint8Array): void {
    const { type, code, messageId, token } = decodeMessage(datagram);
    const key = Buffer.from(token).toString("hex");
    if (type !== "ACK" && codeClass(code) === 0) {
      if (code !== 0) answerRegistration(datagram);
      return;
    }
    if (type === "CON") reply(encodeEmpty(chance(0.9) ? "ACK" : "RST", messageId));
    if (type === "NON" && chance(0.02)) reply(encodeEmpty("RST", messageId));
    const answered = type === "ACK" ? messageId : apart.get(key);
    if (answered === undefined) {
      notifications++;
      return;
    }
    if (code === 0) {
      apart.set(tokens.get(messageId) ?? "", messageId);
      return;
    }
    apart.delete(key);
    answers.set(answered, [...(answers.get(answered) ?? []), decodeResponseCode(code) ?? `${code}`]);
  }
  const tokens = new Map<number, string>();
  const reply = (datagram: Uint8Array) => queueMicrotask(() => deliver(datagram));

  function answerRegistration(datagram: Uint8Array): void {
    const { messageId, token, options } = decodeMessage(datagram);
    const isRegister = options.filter(({ number }) => number === optionNumber.uriPath).length === 1;
    if (isRegister) registered++;
    reply(
      encodeMessage({
        type: "ACK",
        code: encodeResponseCode(isRegister ? "2.01" : "2.04"),
        messageId,
        token,
        options: isRegister
          ? ["rd", "7"].map((segment) => ({ number: optionNumber.locationPath, value: encodeText(segment) }))
          : [],
        payload: noBytes,
      }),
    );
  }

  const binding = new CoapBinding({
    client,
    clock,
    random: createSeededRandom(1),
    log,
    resolve: async () => serverPeer,
    openSocket: async (_family, { onDatagram }) => {
      deliver = (datagram) => onDatagram(datagram, serverPeer);
      return { local: serverPeer, send: hear, close: async () => undefined };
    },
  });
  await tree.start();
  await client.start(({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)));
  await clock.advance(seconds(1));
  return {
    client,
    clock,
    log,
    answers,
    definitions: objects.map(({ definition }) => definition),
    counts: () => ({ notifications, registered }),
    async ask(said: Said, messageId: number): Promise<void> {
      const token = Uint8Array.of(messageId >> 8, messageId);
      tokens.set(messageId, Buffer.from(token).toString("hex"));
      deliver(message({ ...said, messageId, token }));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("30,000 requests by a Server gone mad", () => {
  const sent: Said[] = [];
  let device: Awaited<ReturnType<typeof createDeviceUnderFire>>;
  beforeAll(async () => {
    device = await createDeviceUnderFire();
    for (let messageId = 0; messageId < requests; messageId++) {
      const said = pick(kinds)(device.definitions);
      sent.push(said);
      await device.ask(said, messageId);
      if (messageId % 100 === 0) await device.clock.advance(seconds(2));
    }
    await device.clock.advance(seconds(200));
  });

  test("each confirmable one gets one answer", () => {
    const unlike = sent.flatMap((said, messageId) =>
      said.type === "CON" && device.answers.get(messageId)?.length !== 1
        ? [{ ...said, answers: device.answers.get(messageId) }]
        : [],
    );
    expect(unlike).toEqual([]);
  });

  test("the answers are of all kinds that LwM2M knows, and of no other", () => {
    const codes = new Set([...device.answers.values()].flat());
    expect([...codes].sort()).toEqual([
      "2.01",
      "2.02",
      "2.04",
      "2.05",
      "2.31",
      "4.00",
      "4.01",
      "4.04",
      "4.05",
      "4.06",
      "4.08",
      "4.15",
      "5.00",
      "5.03",
    ]);
  });

  test("5.00 comes from an application that fails, and from nowhere else", () => {
    const failed = sent.filter((_, messageId) => device.answers.get(messageId)?.includes("5.00"));
    expect(failed.length).toBeGreaterThan(0);
    for (const { method, path } of failed)
      expect([method, path?.[0], path?.[2]]).toEqual(["POST", "42769", "3"]);
    const errors = device.log.lines.filter(({ level }) => level === "error");
    expect(new Set(errors.map(({ fields }) => `${fields["error"]}`))).toEqual(
      new Set(["Error: this application does not like odd numbers"]),
    );
  });

  test("observations were told of changes, and the registration lasted", () => {
    expect(device.counts().notifications).toBeGreaterThan(100);
    expect(device.counts().registered).toBe(1);
  });

  test("the device still serves", async () => {
    await device.ask({ path: ["3", "0", "0"] }, 60_000);
    expect(device.answers.get(60_000)).toEqual(["2.05"]);
  });
});
