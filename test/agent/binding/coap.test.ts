import { beforeEach, describe, expect, test } from "vitest";
import type { Method } from "../../../agent/coap/code.js";
import { decodeMessage } from "../../../agent/coap/message.js";
import {
  defineObject,
  type LiveObject,
  multipleInstances,
  singleInstance,
} from "../../../agent/model/definition.js";
import { RequestError } from "../../../agent/model/errors.js";
import { millis, seconds } from "../../../agent/ports.js";
import { settle } from "../../simulated/clock.js";
import { answerRegistration, bytes, createWorld, serverPeer, strangerPeer, text } from "./world.js";

const linkFormat = 40;
const senmlJson = 110;
const tlv = 11542;

const Security = defineObject({
  id: 0,
  name: "Security",
  version: "1.1",
  instances: "single",
  resources: { uri: { id: 0, operations: "BS", type: "string", mandatory: true } },
});

const Thermostat = defineObject({
  id: 3308,
  name: "Set Point",
  version: "1.1",
  instances: "single",
  resources: {
    setPoint: { id: 5900, operations: "RW", type: "float", mandatory: true },
    units: { id: 5701, operations: "R", type: "string" },
    boost: { id: 5850, operations: "E" },
    labels: { id: 5750, operations: "RW", type: "string", multiple: true },
    comment: { id: 5751, operations: "R", type: "string" },
    firmware: { id: 1, operations: "W", type: "opaque" },
  },
});

const Note = defineObject({
  id: 40000,
  name: "Note",
  version: "1.0",
  instances: "multiple",
  resources: { text: { id: 0, operations: "RW", type: "string", mandatory: true } },
});

function createObjects() {
  const state = {
    setPoint: 21,
    labels: new Map([[0, "hall"]]),
    boosts: [] as string[],
    pushed: [] as number[],
    aborted: false,
    notes: new Map([[0, "first"]]),
  };
  let live: LiveObject<typeof Thermostat> | undefined;
  const noteHandlers = (id: number) => ({
    text: {
      read: () => state.notes.get(id) ?? "",
      write: (value: string) => void state.notes.set(id, value),
    },
  });
  const objects = [
    singleInstance(Security, { uri: { read: () => "coap://secret", write: () => undefined } }),
    singleInstance(
      Thermostat,
      {
        setPoint: {
          read: () => state.setPoint,
          check: (value) => {
            if (value > 30) throw new RequestError("4.00", "too hot");
          },
          write: (value) => void (state.setPoint = value),
        },
        units: { read: () => "Cel" },
        comment: { read: () => undefined },
        boost: {
          execute: (args) => {
            if (args.get(0) === "fail") throw new Error("no power");
            state.boosts.push("begun");
            return () => void state.boosts.push("after");
          },
        },
        labels: { read: () => state.labels, write: (value) => void (state.labels = new Map(value)) },
        firmware: {
          receive: (size) => {
            if ((size ?? 0) > 100_000) throw new RequestError("4.13", "too large");
            return {
              write: (piece) => void state.pushed.push(piece.length),
              end: () => void state.pushed.push(-1),
              abort: () => void (state.aborted = true),
            };
          },
        },
      },
      { start: (object) => void (live = object) },
    ),
    multipleInstances(Note, {
      instances: new Map([[0, noteHandlers(0)]]),
      create: (id, { text: content = "" }) => {
        state.notes.set(id, content);
        return noteHandlers(id);
      },
      delete: (id) => void state.notes.delete(id),
    }),
  ];
  return { state, objects, live: () => live };
}

let world: Awaited<ReturnType<typeof createWorld>>;
let state: ReturnType<typeof createObjects>["state"];
let live: ReturnType<typeof createObjects>["live"];
beforeEach(async () => {
  const created = createObjects();
  ({ state, live } = created);
  world = await createWorld(created.objects);
});

const path = (uri: string) => uri.split("/").slice(1);
const get = (uri: string, accept?: number) =>
  world.ask({ method: "GET", path: path(uri), ...(accept !== undefined && { accept }) });
const send = (method: Method, uri: string, contentFormat?: number, payload = "") =>
  world.ask({
    method,
    path: path(uri),
    ...(contentFormat !== undefined && { contentFormat }),
    payload: bytes(payload),
  });

describe("the Register", () => {
  test("says who we are and what we have, and nothing of Security", () => {
    const [register] = world.received;
    expect(register).toMatchObject({ method: "POST", path: ["rd"], contentFormat: linkFormat });
    expect(register?.query).toEqual(["ep=board", "lwm2m=1.1", "lt=3600", "b=U"]);
    expect(text(register?.payload ?? new Uint8Array())).toBe(
      '</>;ct="60 110 112 11542",</3308>;ver=1.1,</3308/0>,</40000/0>',
    );
  });

  test("is followed by an Update with all Objects when an instance comes", async () => {
    await send("POST", "/40000", senmlJson, '[{"bn":"/40000/7/","n":"0","vs":"x"}]');
    await world.clock.advance(seconds(1));
    const update = world.received.at(-1);
    expect(update).toMatchObject({ method: "POST", path: ["rd", "5a3f"], query: [] });
    expect(text(update?.payload ?? new Uint8Array())).toContain("</40000/0>,</40000/7>");
  });

  test("is taken back when the client stops", async () => {
    await world.client.stop();
    expect(world.received.at(-1)).toMatchObject({ method: "DELETE", path: ["rd", "5a3f"] });
  });
});

describe("operations", () => {
  test.each([
    { uri: "/3308/0/5900", code: "2.05", contentFormat: 0, payload: "21" },
    { uri: "/3308/0/5750/0", code: "2.05", contentFormat: 0, payload: "hall" },
    { uri: "/3308/0/5701/", code: "2.05", contentFormat: 0, payload: "Cel" },
  ])("GET $uri answers $payload", async ({ uri, code, contentFormat, payload }) => {
    const answer = await get(uri);
    expect(answer).toMatchObject({ code, contentFormat });
    expect(text(answer.payload)).toBe(payload);
  });

  test("GET of an instance follows Accept", async () => {
    const answer = await get("/3308/0", senmlJson);
    expect(answer.contentFormat).toBe(senmlJson);
    expect(JSON.parse(text(answer.payload))).toEqual([
      { bn: "/3308/0/", n: "5701", vs: "Cel" },
      { n: "5750/0", vs: "hall" },
      { n: "5900", v: 21 },
    ]);
  });

  test("GET with Accept 40 discovers, with dim and the attributes of this Server", async () => {
    await world.ask({ method: "PUT", path: path("/3308/0/5900"), query: ["pmin=5", "pmax=60"] });
    const answer = await get("/3308", linkFormat);
    expect(answer.contentFormat).toBe(linkFormat);
    expect(text(answer.payload)).toBe(
      "</3308>;ver=1.1,</3308/0>,</3308/0/1>,</3308/0/5701>,</3308/0/5750>;dim=1,</3308/0/5850>,</3308/0/5900>;pmin=5;pmax=60",
    );
  });

  test("PUT writes, and the value is there", async () => {
    expect(await send("PUT", "/3308/0/5900", 0, "19.5")).toMatchObject({ code: "2.04" });
    expect(state.setPoint).toBe(19.5);
  });

  test("POST on an instance writes partially", async () => {
    const answer = await send("POST", "/3308/0", senmlJson, '[{"bn":"/3308/0/","n":"5900","v":18}]');
    expect(answer.code).toBe("2.04");
    expect(state).toMatchObject({ setPoint: 18, labels: new Map([[0, "hall"]]) });
  });

  test("POST on a Resource executes: the answer first, then what it causes", async () => {
    const answer = await send("POST", "/3308/0/5850", undefined, "0='x'");
    expect(answer.code).toBe("2.04");
    expect(state.boosts).toEqual(["begun", "after"]);
  });

  test("POST on an Object creates, DELETE deletes", async () => {
    const created = await send("POST", "/40000", senmlJson, '[{"bn":"/40000/3/","n":"0","vs":"new"}]');
    expect(created).toMatchObject({ code: "2.01", location: ["40000", "3"] });
    expect(text((await get("/40000/3/0")).payload)).toBe("new");
    expect(await send("DELETE", "/40000/3")).toMatchObject({ code: "2.02" });
    expect(await get("/40000/3/0")).toMatchObject({ code: "4.04" });
  });

  test.each<[string, Method, string, number | undefined, string, string]>([
    ["an Object that does not exist", "GET", "/9", undefined, "", "4.04"],
    ["an instance that does not exist", "GET", "/3308/1", undefined, "", "4.04"],
    ["a Resource that does not exist", "GET", "/3308/0/9", undefined, "", "4.04"],
    ["the Security object", "GET", "/0/0/0", undefined, "", "4.01"],
    ["writing the Security object", "PUT", "/0/0/0", 0, "x", "4.01"],
    ["attributes on the Security object", "PUT", "/0", undefined, "", "4.01"],
    ["a path that is none", "GET", "/3308/abc", undefined, "", "4.05"],
    ["a path with a leading zero", "GET", "/3308/00", undefined, "", "4.05"],
    ["a path with an empty segment inside", "GET", "/3308//5900", undefined, "", "4.05"],
    ["a path of five segments", "GET", "/3308/0/5750/0/0", undefined, "", "4.05"],
    ["a Resource Instance of a single value", "GET", "/3308/0/5900/0", undefined, "", "4.05"],
    ["reading an executable Resource", "GET", "/3308/0/5850", undefined, "", "4.05"],
    ["reading a Package", "GET", "/3308/0/1", undefined, "", "4.05"],
    ["a format that nobody has", "GET", "/3308/0/5900?", 9999, "", "4.06"],
    ["several values as text", "GET", "/3308/0", 0, "", "4.06"],
    ["writing a read-only Resource", "PUT", "/3308/0/5701", 0, "K", "4.05"],
    ["writing a whole Object", "PUT", "/3308", senmlJson, "[]", "4.05"],
    ["a payload that is no number", "PUT", "/3308/0/5900", 0, "warm", "4.00"],
    ["a payload in a format that nobody has", "PUT", "/3308/0/5900", 9999, "1", "4.15"],
    ["a value that the application refuses", "PUT", "/3308/0/5900", 0, "31", "4.00"],
    ["TLV that is cut", "PUT", "/3308/0", tlv, "\x08", "4.00"],
    ["executing what is not executable", "POST", "/3308/0/5701", undefined, "", "4.05"],
    ["Execute arguments that are none", "POST", "/3308/0/5850", undefined, "hello", "4.00"],
    ["an application that fails", "POST", "/3308/0/5850", undefined, "0='fail'", "5.00"],
    ["creating where nobody may", "POST", "/3308", senmlJson, '[{"bn":"/3308/1/","n":"5900","v":1}]', "4.05"],
    ["creating what exists", "POST", "/40000", senmlJson, '[{"bn":"/40000/0/","n":"0","vs":"x"}]', "4.00"],
    ["creating without a Content-Format", "POST", "/40000", undefined, "x", "4.00"],
    ["deleting where nobody may", "DELETE", "/3308/0", undefined, "", "4.05"],
    ["deleting a Resource", "DELETE", "/40000/0/0", undefined, "", "4.05"],
    ["a partial write of a Resource Instance", "POST", "/3308/0/5750/0", 112, "\x80", "4.05"],
    ["a value in no format at all", "PUT", "/3308/0/5900", undefined, "19", "4.00"],
    ["discovering an Object that does not exist", "GET", "/9", linkFormat, "", "4.04"],
    ["discovering a Resource without a value", "GET", "/3308/0/5751", linkFormat, "", "4.04"],
    ["discovering a Resource Instance", "GET", "/3308/0/5750/0", linkFormat, "", "4.05"],
    ["an attribute on an executable Resource", "PUT", "/3308/0/5850", undefined, "", "4.00"],
    ["a method that LwM2M 1.0 does not have", "PATCH", "/3308/0", senmlJson, "[]", "4.05"],
  ])("%s: %s %s is refused", async (_name, method, uri, format, payload, code) => {
    const reading = method === "GET" && format !== undefined;
    const answer = reading
      ? await get(uri.replace("?", ""), format)
      : await send(method, uri, format, payload);
    expect(answer.code).toBe(code);
  });

  test.each([
    { uri: "/3308/0/5751", query: ["pmin=1"], code: "4.04" },
    { uri: "/3308/0/5750/9", query: ["pmin=1"], code: "4.04" },
    { uri: "/3308/0/5750/0", query: ["pmin=1"], code: "2.04" },
    { uri: "/3308/0/5850", query: ["pmin=1"], code: "4.00" },
    { uri: "/3308/0/5900", query: ["pmin=1", "pmin=2"], code: "4.00" },
    { uri: "/3308/0/5900", query: ["pmin=-1"], code: "4.00" },
    { uri: "/3308/0/5900", query: ["dim=1"], code: "4.00" },
    { uri: "/3308/0/5900", query: ["pmin=10", "pmax=5"], code: "2.04" },
  ])("Write-Attributes $query on $uri is $code", async ({ uri, query, code }) => {
    const answer = await world.ask({ method: "PUT", path: path(uri), query });
    expect(answer.code).toBe(code);
    const attributes = text((await get("/3308", linkFormat)).payload);
    expect(attributes.includes("pmin")).toBe(code === "2.04" && !uri.endsWith("/5750/0"));
  });

  test("a large body is refused at its first block when nothing could come of it", async () => {
    const first = world.sent.length;
    const answer = await world.ask({
      method: "PUT",
      path: path("/3308/0/5701"),
      contentFormat: 0,
      payload: new Uint8Array(5000),
    });
    expect(answer.code).toBe("4.05");
    expect(world.sent).toHaveLength(first + 1);
  });

  test("a request from an address that is no Server of ours gets no answer at all", async () => {
    const before = world.sent.length;
    const getRequest = Uint8Array.from([0x40, 0x01, 0x12, 0x34, 0xb4, 0x33, 0x33, 0x30, 0x38]);
    await world.receive(getRequest, strangerPeer);
    await world.clock.advance(seconds(2));
    expect(world.sent).toHaveLength(before);
  });

  test("a request before the Register was answered gets no answer either", async () => {
    const silent = await createWorld(createObjects().objects, () => ({ code: "4.03" }));
    const before = silent.sent.length;
    await silent.receive(Uint8Array.from([0x40, 0x01, 0x12, 0x34, 0xb4, 0x33, 0x33, 0x30, 0x38]), serverPeer);
    expect(silent.sent).toHaveLength(before);
  });
});

describe("a pushed package", () => {
  test("is handed on block by block", async () => {
    const answer = await world.ask({
      method: "PUT",
      path: path("/3308/0/1"),
      contentFormat: 42,
      payload: new Uint8Array(2500),
    });
    expect(answer.code).toBe("2.04");
    expect(state.pushed).toEqual([1024, 1024, 452, -1]);
  });

  test("that is too large is refused at its first block", async () => {
    const answer = await world.ask({
      method: "PUT",
      path: path("/3308/0/1"),
      contentFormat: 42,
      payload: new Uint8Array(200_000),
    });
    expect(answer.code).toBe("4.13");
    expect(state.pushed).toEqual([]);
  });

  test("may also come in one message", async () => {
    const answer = await world.ask({
      method: "PUT",
      path: path("/3308/0/1"),
      contentFormat: 42,
      payload: new Uint8Array(9),
    });
    expect(answer.code).toBe("2.04");
    expect(state.pushed).toEqual([9, -1]);
  });
});

describe("observations", () => {
  /** A raw Observe of /3308/0/5900 with token 01; notifications are what the client sends afterwards. */
  const observe = async (observeValue: readonly number[] = [0x60]) => {
    const head = [0x41, 0x01, 0x77, observeValue.length === 1 ? 0x01 : 0x02, 0x01];
    const uriPath = [0x54, ...bytes("3308"), 0x01, ...bytes("0"), 0x04, ...bytes("5900")];
    await world.receive(Uint8Array.from([...head, ...observeValue, ...uriPath]), serverPeer);
  };
  const notifications = () =>
    world.sent
      .map((datagram) => decodeMessage(datagram))
      .filter(({ token, code }) => token.length === 1 && token[0] === 1 && code === 0x45);
  const values = () => notifications().map(({ payload }) => text(payload));
  const change = async (value: number) => {
    state.setPoint = value;
    live()?.changed(0, "setPoint");
    await settle();
  };

  test("tell a change at once, without asking for an ACK", async () => {
    await observe();
    await change(22);
    expect(values()).toEqual(["21", "22"]);
    expect(notifications()[1]?.type).toBe("NON");
    expect(world.client.observationCount).toBe(1);
  });

  test("say nothing when the value is the same", async () => {
    await observe();
    await change(21);
    expect(values()).toEqual(["21"]);
  });

  test("hold changes back during pmin and send the value of its end", async () => {
    await world.ask({ method: "PUT", path: path("/3308/0/5900"), query: ["pmin=10"] });
    await observe();
    await change(22);
    await change(23);
    expect(values()).toEqual(["21"]);
    await world.clock.advance(millis(9_999));
    expect(values()).toEqual(["21"]);
    await world.clock.advance(millis(1));
    expect(values()).toEqual(["21", "23"]);
  });

  test("repeat the value after pmax, and follow a new pmax at once", async () => {
    world.settings.defaultMaximumPeriodSeconds = 60;
    await observe();
    await world.clock.advance(seconds(60));
    expect(values()).toEqual(["21", "21"]);
    await world.ask({ method: "PUT", path: path("/3308"), query: ["pmax=10"] });
    await world.clock.advance(seconds(10));
    expect(values()).toEqual(["21", "21", "21"]);
  });

  test("see what a Server writes", async () => {
    await observe();
    await send("PUT", "/3308/0/5900", 0, "25");
    expect(values()).toEqual(["21", "25"]);
  });

  test("ask for an ACK once a day", async () => {
    world.settings.defaultMaximumPeriodSeconds = 3600;
    await observe();
    await world.clock.advance(seconds(24 * 3600));
    const confirmable = notifications().filter(({ type }) => type === "CON");
    expect(confirmable.length).toBeGreaterThanOrEqual(1);
  });

  test("end by RST", async () => {
    await observe();
    await change(22);
    const notification = notifications().at(-1);
    const id = notification?.messageId ?? 0;
    await world.receive(Uint8Array.from([0x70, 0x00, id >> 8, id & 0xff]), serverPeer);
    await change(23);
    expect(values()).toEqual(["21", "22"]);
    expect(world.client.observationCount).toBe(0);
  });

  test("end by Observe 1", async () => {
    await observe();
    await observe([0x61, 0x01]);
    await change(22);
    expect(world.client.observationCount).toBe(0);
    expect(values().slice(2)).toEqual([]);
  });

  test("end with 4.04 when what they watch is deleted", async () => {
    await world.receive(
      Uint8Array.from([0x41, 0x01, 0x77, 0x05, 0x09, 0x60, 0x55, ...bytes("40000"), 0x01, ...bytes("0")]),
      serverPeer,
    );
    expect(world.client.observationCount).toBe(1);
    await send("DELETE", "/40000/0");
    await settle();
    const codes = world.sent.map((datagram) => decodeMessage(datagram)).filter(({ token }) => token[0] === 9);
    expect(codes.map(({ code }) => code)).toEqual([0x45, 0x84]);
    expect(world.client.observationCount).toBe(0);
  });

  test("stay over an Update, and end when the client stops", async () => {
    await observe();
    world.client.triggerUpdate(1);
    await settle();
    expect(world.client.observationCount).toBe(1);
    await world.client.stop();
    expect(world.client.observationCount).toBe(0);
  });

  test("are void after a new Register, and make room for others", async () => {
    const forgetful = await createWorld(createObjects().objects, (request) =>
      request.path.length === 2 ? { code: "4.04" } : answerRegistration(request),
    );
    const uriPath = [0x54, ...bytes("3308"), 0x01, ...bytes("0"), 0x04, ...bytes("5900")];
    for (let token = 0; token < 70; token++) {
      const head = [0x41, 0x01, 0x77, token, token, 0x60];
      await forgetful.receive(Uint8Array.from([...head, ...uriPath]), serverPeer);
      expect(forgetful.client.observationCount).toBe(1);
      forgetful.client.triggerUpdate(1);
      await settle();
      expect(forgetful.client.observationCount).toBe(0);
    }
  });
});
