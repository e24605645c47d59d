import { describe, expect, test } from "vitest";
import type { IncomingRequest, Response } from "../../agent/coap/exchange-types.js";
import { seconds } from "../../agent/ports.js";
import { settle } from "../simulated/clock.js";
import {
  bytes,
  createDeviceUnderTest,
  type DeviceUnderTestOptions,
  formats,
  fromHex,
  text,
} from "./device.js";

/** The registration cases of the OMA test specification, and what stands beside them in LwM2M Core 1.2 §6.2. */

const start = (options: DeviceUnderTestOptions = {}) => createDeviceUnderTest(options);
/** Register, Update or De-register. */
const kindOf = ({ method, path }: IncomingRequest) =>
  method === "DELETE" ? "De-register" : path.length === 1 ? "Register" : "Update";
const kinds = (requests: readonly IncomingRequest[]) => requests.map(kindOf);
const registers = (requests: readonly IncomingRequest[]) =>
  requests.filter((each) => kindOf(each) === "Register");
const updates = (requests: readonly IncomingRequest[]) =>
  requests.filter((each) => kindOf(each) === "Update");
const body = (request: IncomingRequest | undefined) => text(request?.payload ?? new Uint8Array());
const writeText = (value: string) => ({ contentFormat: formats.text, payload: bytes(value) });

test("LightweightM2M-1.1-int-101 Initial Registration", async () => {
  const { server } = await start();
  const [register] = server.received;
  expect(register?.path).toEqual(["rd"]);
  expect(register?.contentFormat).toBe(formats.linkFormat);
  expect(register?.query).toEqual(["ep=device", "lwm2m=1.1", "lt=86400", "b=U"]);
  expect(body(register)).toMatch(/^<\/>;ct="60 110 112 11542",<\/1>;ver=1\.\d,<\/1\/0>,.*<\/3\/0>/);
  expect(body(register)).not.toMatch(/<\/(0|21)[/>]/);
});

test("LightweightM2M-1.1-int-102 Registration Update", async () => {
  const { server, clock } = await start();
  expect((await server.put("/1/0/1", writeText("20"))).code).toBe("2.04");
  await clock.advance(seconds(1));
  expect(updates(server.received).map(({ query, payload }) => ({ query, size: payload.length }))).toEqual([
    { query: ["lt=20"], size: 0 },
  ]);
  await clock.advance(seconds(20)); // the registration must not end
  const refreshes = updates(server.received).slice(1);
  expect(refreshes.map(({ query }) => query)).toEqual([[], []]);
  expect(registers(server.received)).toHaveLength(1);
});

test("LightweightM2M-1.1-int-103 Deregistration", async () => {
  const { server, client, clock } = await start({ account: { disableTimeout: 600 } });
  expect((await server.post("/1/0/4")).code).toBe("2.04");
  await settle();
  expect(kinds(server.received)).toEqual(["Register", "De-register"]);
  expect(server.received[1]?.path).toEqual(["rd", "1"]);
  expect(client.isOnline(1)).toBe(false);
  await clock.advance(seconds(599));
  expect(server.received).toHaveLength(2);
  await clock.advance(seconds(1));
  expect(kinds(server.received)).toEqual(["Register", "De-register", "Register"]);
});

test("LightweightM2M-1.1-int-104 Registration Update Trigger", async () => {
  const { server, client } = await start();
  expect((await server.post("/1/0/8")).code).toBe("2.04");
  await settle();
  const [update] = updates(server.received);
  expect({ query: update?.query, payload: body(update) }).toEqual({ query: [], payload: "" });
  expect(client.isOnline(1)).toBe(true);
});

test("LightweightM2M-1.1-int-105 Discarded Register Update", async () => {
  let forgets = false;
  const { server, clock, client } = await start({
    onRegistration: (request) => (forgets && kindOf(request) === "Update" ? { code: "4.04" } : undefined),
  });
  forgets = true;
  await server.put("/1/0/1", writeText("20"));
  await clock.advance(seconds(2));
  expect(kinds(server.received)).toEqual(["Register", "Update", "Register"]);
  expect(server.received[2]?.query).toContain("lt=20");
  expect(client.isOnline(1)).toBe(true);
});

test("LightweightM2M-1.1-int-107 Extending the lifetime of a registration", async () => {
  const { server, clock } = await start({ account: { lifetime: 60 } });
  expect(server.received[0]?.query).toContain("lt=60");
  await server.put("/1/0/1", writeText("120"));
  await clock.advance(seconds(1));
  expect(updates(server.received).map(({ query }) => query)).toEqual([["lt=120"]]);
  await clock.advance(seconds(58));
  expect(updates(server.received)).toHaveLength(1);
  await clock.advance(seconds(60));
  expect(updates(server.received).map(({ query }) => query)).toEqual([["lt=120"], []]);
});

const sleepy: DeviceUnderTestOptions = { registration: { queueMode: { awakeTime: seconds(93) } } };

test("LightweightM2M-1.1-int-108 Turn on Queue Mode", async () => {
  const { server } = await start(sleepy);
  expect(server.received[0]?.query).toEqual(["ep=device", "lwm2m=1.1", "lt=86400", "b=U", "Q"]);
});

test("LightweightM2M-1.1-int-109 Behavior in Queue Mode", async () => {
  const { server, client, clock } = await start({ ...sleepy, account: { lifetime: 400 } });
  expect((await server.get("/3/0/0")).code).toBe("2.05");
  await clock.advance(seconds(92));
  expect(client.isAwake(1)).toBe(true);
  await clock.advance(seconds(2));
  expect(client.isAwake(1)).toBe(false);
  const asked = server.ask("GET", "/3/0/1").then(
    ({ code }) => code,
    () => "no answer",
  );
  await clock.advance(seconds(100));
  expect(await asked).toBe("no answer"); // nobody listened
  await clock.advance(seconds(120)); // 93 s before the registration would end
  expect(updates(server.received)).toHaveLength(1);
  expect(client.isAwake(1)).toBe(true);
  expect((await server.get("/3/0/1", { accept: formats.text })).code).toBe("2.05");
});

const profile = { id: "v:lamp", uncovered: [] as number[] };

test("LightweightM2M-1.2-int-110 Registration with Profile ID", async () => {
  const { server, client } = await start({ version: "1.2", registration: { profile: { id: profile.id } } });
  expect(server.received[0]?.query).toContain("pid=v:lamp");
  expect(server.received[0]?.payload).toHaveLength(0);
  expect(client.isOnline(1)).toBe(true);
});

test("LightweightM2M-1.2-int-111 Registration with Profile ID and additional Objects", async () => {
  const { server } = await start({
    version: "1.2",
    registration: { profile: { id: profile.id, uncovered: [16] } },
  });
  expect(server.received[0]?.query).toContain("pid=v:lamp");
  expect(body(server.received[0])).toMatch(/<\/16\/0>$/);
  expect(body(server.received[0])).not.toContain("</3");
});

test("LightweightM2M-1.1-int-950 Registration to several Servers", async () => {
  const { servers, client } = await start({ serverCount: 2 });
  expect(servers.map(({ received }) => kinds(received))).toEqual([["Register"], ["Register"]]);
  expect([client.isOnline(1), client.isOnline(2)]).toEqual([true, true]);
  for (const server of servers) expect((await server.get("/3/0/0")).code).toBe("2.05");
});

describe("a Profile ID", () => {
  test.each(["4.09", "4.00"] as const)(
    "that the Server refuses with %s gives way to the Objects",
    async (code) => {
      const { server, client } = await start({
        version: "1.2",
        registration: { profile: { id: profile.id } },
        onRegistration: ({ query }) => (query.some((each) => each.startsWith("pid=")) ? { code } : undefined),
      });
      expect(body(registers(server.received)[1])).toContain("</3/0>");
      expect(registers(server.received)[1]?.query).toContain("lwm2m=1.2");
      expect(client.isOnline(1)).toBe(true);
    },
  );

  test("is followed by all Objects once they change", async () => {
    const { server, clock } = await start({ version: "1.2", registration: { profile: { id: profile.id } } });
    await server.post("/16", {
      contentFormat: formats.tlv,
      payload: fromHex(
        "08012e 88002b 480011 486f737420446576696365204944202332 480114 486f737420446576696365204d6f64656c202332",
      ),
    });
    await clock.advance(seconds(1));
    expect(body(updates(server.received)[0])).toContain("</3/0>");
  });
});

describe("the version of LwM2M", () => {
  const speaks =
    (...versions: string[]) =>
    (request: IncomingRequest): Response | undefined =>
      kindOf(request) === "Register" && !versions.some((each) => request.query.includes(`lwm2m=${each}`))
        ? { code: "4.12" }
        : undefined;
  const negotiable = { version: "1.2", registration: { minimumVersion: "1.0" } } as const;

  test.each([
    { version: "1.1", query: ["b=U"], root: '</>;ct="60 110 112 11542",' },
    { version: "1.0", query: ["b=U"], root: "" },
  ] as const)("is negotiated down to $version by 4.12", async ({ version, query, root }) => {
    const { server, client } = await start({ ...negotiable, onRegistration: speaks(version) });
    expect(client.origin(1)).toEqual({ shortServerId: 1, version });
    const last = registers(server.received).at(-1);
    expect(last?.query.slice(3)).toEqual(query);
    expect(body(last).split("</1")[0]).toBe(root);
  });

  test("1.0 says queue mode in the binding", async () => {
    const { server } = await start({
      version: "1.0",
      registration: { queueMode: { awakeTime: seconds(93) } },
    });
    expect(server.received[0]?.query).toEqual(["ep=device", "lwm2m=1.0", "lt=86400", "b=UQ"]);
  });

  test("that no side gives in on makes one attempt, and tells the operator what to do", async () => {
    const { server, client, log, clock } = await start({ ...negotiable, onRegistration: speaks() });
    expect(registers(server.received)).toHaveLength(3);
    expect(client.isOnline(1)).toBe(false);
    expect(
      log.lines.filter(({ event }) => event === "registration failed").map(({ fields }) => fields),
    ).toEqual([
      {
        shortServerId: 1,
        reason: "the Server refused with 4.12",
        advice: "allow an older LwM2M version, or use a Server that speaks a newer one",
        nextAttemptInSeconds: 60,
      },
    ]);
    await clock.advance(seconds(60));
    expect(registers(server.received)).toHaveLength(6);
  });
});

describe("a Server that answers nonsense to a Register", () => {
  test.each([
    ["2.05", { code: "2.05", payload: bytes("hello") }],
    ["2.04", { code: "2.04" }],
    ["2.01 without a location", { code: "2.01" }],
  ] as [string, Response][])(
    "%s has not registered us, and the log says so in one line",
    async (_, answer) => {
      const { server, client, log, clock } = await start({ onRegistration: () => answer });
      expect(client.isOnline(1)).toBe(false);
      const asked = server.get("/3/0/0").catch(() => "no answer");
      await clock.advance(seconds(100));
      expect(await asked).toBe("no answer");
      const failures = log.lines.filter(({ event }) => event === "registration failed");
      expect(failures[0]?.fields["advice"]).toBe(
        "check that the address is that of an LwM2M Server: this is no answer to a Register",
      );
      expect(registers(server.received)).toHaveLength(2); // again after a minute
    },
  );
});

test("an address that changed makes a new registration", async () => {
  const { server, client } = await start();
  client.networkChanged();
  await settle();
  expect(kinds(server.received)).toEqual(["Register", "Register"]);
  expect(client.isOnline(1)).toBe(true);
});

test("an Object Instance that came is told in an Update with the whole list, and nothing else", async () => {
  const { server, clock } = await start();
  await server.post("/16", {
    contentFormat: formats.tlv,
    payload: fromHex(
      "08012e 88002b 480011 486f737420446576696365204944202332 480114 486f737420446576696365204d6f64656c202332",
    ),
  });
  await clock.advance(seconds(1));
  const [update] = updates(server.received);
  expect(update?.query).toEqual([]);
  expect(body(update)).toMatch(/<\/1\/0>.*<\/16\/1>/);
});

test("a stop de-registers from every Server", async () => {
  const { servers, client } = await start({ serverCount: 2 });
  await client.stop();
  expect(servers.map(({ received }) => kinds(received))).toEqual([
    ["Register", "De-register"],
    ["Register", "De-register"],
  ]);
});
