/** A device that knows nothing but Leshan's bootstrap server is given two management servers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ManagedDevice } from "./managed-device.js";
import { type LeshanEvent, LeshanProcess, optionNumber, optionText } from "./process.js";

const tlv = 11542;
const senmlJson = 110;
const senmlCbor = 112;

let bootstrapServer: LeshanProcess;
let first: LeshanProcess;
let second: LeshanProcess;
beforeAll(async () => {
  bootstrapServer = await LeshanProcess.start("bootstrap-server");
  first = await LeshanProcess.start("server");
  second = await LeshanProcess.start("server");
});
afterAll(async () => {
  await Promise.all([bootstrapServer, first, second].map((leshan) => leshan?.close()));
});

let board: ManagedDevice | undefined;
afterEach(async () => {
  await board?.close();
  board = undefined;
});

const of = (endpoint: string) => (event: LeshanEvent) => event.endpoint === endpoint;

const configure = (endpoint: string, changes: Readonly<Record<string, unknown>> = {}) =>
  bootstrapServer.perform({
    operation: "configure",
    endpoint,
    configuration: {
      delete: ["/0", "/1"],
      bootstrapUri: bootstrapServer.uri,
      servers: [
        { uri: first.uri, shortServerId: 101, lifetime: 300 },
        { uri: second.uri, shortServerId: 102, lifetime: 600 },
      ],
      ...changes,
    },
  });

const start = (endpointName: string) =>
  ManagedDevice.start(first, {
    endpointName,
    agent: { servers: [], bootstrapServer: { uri: bootstrapServer.uri } },
  });

describe.each([
  { name: "the format that the client prefers", format: undefined },
  { name: "TLV", format: tlv },
  { name: "SenML JSON", format: senmlJson },
  { name: "SenML CBOR", format: senmlCbor },
])("accounts in $name", ({ format }) => {
  const endpoint = `bootstrapped-${format ?? "preferred"}`;

  test("are written, and the device registers with both Servers", async () => {
    await configure(endpoint, format === undefined ? {} : { format });
    const before = { bootstrap: bootstrapServer.mark(), second: second.mark() };
    board = await start(endpoint);
    expect(board.registered.lifetime).toBe(300);
    const other = await second.event({ kind: "registered", after: before.second, where: of(endpoint) });
    expect(other["lifetime"]).toBe(600);

    const requested = await bootstrapServer.event({ kind: "requested", where: of(endpoint) });
    expect(requested["preferredFormat"]).toBe(senmlCbor);
    await bootstrapServer.event({ kind: "ended", where: of(endpoint) });
    expect(bootstrapServer.events("failed", before.bootstrap)).toEqual([]);

    const trace = bootstrapServer.trace(before.bootstrap);
    const request = trace.find((message) => optionText(message, "Uri-Path") === "/bs");
    expect(request && optionText(request, "Uri-Query").split("&").sort()).toEqual([
      `ep=${endpoint}`,
      "pct=112",
    ]);
    const writes = trace.filter(({ direction, code }) => direction === "sent" && code === "0.03");
    expect(writes.map((message) => optionNumber(message, "Content-Format"))).toEqual(
      writes.map(() => format ?? senmlCbor),
    );
    expect(writes.length).toBeGreaterThanOrEqual(2);
    const answers = trace.filter(
      ({ direction, ack, code }) => direction === "received" && ack && code !== "0.00",
    );
    expect(answers.filter(({ code }) => !["2.02", "2.04", "2.05"].includes(code))).toEqual([]);
  });
});

test("a bootstrap that begins with a Discover keeps the account of the Bootstrap-Server", async () => {
  const endpoint = "discovered";
  await configure(endpoint, { discover: true });
  board = await start(endpoint);
  await bootstrapServer.event({ kind: "ended", where: of(endpoint) });
  const discovered = await bootstrapServer.event({
    kind: "answered",
    where: (event) => of(endpoint)(event) && event["request"] === "BootstrapDiscoverRequest",
  });
  expect(discovered["response"]).toContain("205");
});

test("Bootstrap-Request Trigger brings other Servers in the place of those that are there", async () => {
  const endpoint = "moved";
  await configure(endpoint, { servers: [{ uri: first.uri, shortServerId: 101, lifetime: 300 }] });
  board = await start(endpoint);
  expect((await board.read("/0")).code).toBe("4.01");
  expect(await board.value("/1/0/0")).toBe(101);

  await configure(endpoint, { servers: [{ uri: second.uri, shortServerId: 102, lifetime: 600 }] });
  const after = second.mark();
  expect((await board.execute("/1/0/9")).code).toBe("2.04");
  const registered = await second.event({ kind: "registered", after, where: of(endpoint) });
  expect(registered["lifetime"]).toBe(600);
});

test("what was bootstrapped is there after a restart, without another bootstrap", async () => {
  const endpoint = "restarted";
  await configure(endpoint);
  board = await start(endpoint);
  await bootstrapServer.event({ kind: "ended", where: of(endpoint) });
  const after = { bootstrap: bootstrapServer.mark(), first: first.mark() };
  expect((await board.execute("/3/0/4")).code).toBe("2.04");
  const updated = await board.event("updated", after.first);
  expect(updated["id"]).toBe(board.registered.id);
  expect(board.device.restarts()).toBe(1);
  expect(bootstrapServer.events("requested", after.bootstrap)).toEqual([]);
});
