/** A whole agent on real sockets, bootstrapped by the `coap` package, and two Servers of the same package. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { Agent as CoapAgent, createServer, type IncomingMessage, type OutgoingMessage } from "coap";
import { expect, onTestFinished, test } from "vitest";
import { type Agent, type AgentOptions, createAgent } from "../../agent/main.js";
import { createSimulatedBoard } from "../../platform/boards/simulated.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";
import { createRecordingLog } from "../simulated/log.js";

interface Heard {
  readonly method: string;
  readonly path: string;
  readonly query: readonly string[];
}

const senmlJson = Buffer.of(110);
const linkFormat = Buffer.of(40);

/**
 * A peer at a port of its own, from which it speaks as well as hears: a client knows its Servers by that.
 * @param answer to each request; what it sets beyond the code goes along
 */
async function createPeer(answer: (heard: Heard, response: OutgoingMessage) => string) {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const heard: Heard[] = [];
  const waiting: { readonly path: string; readonly resolve: () => void }[] = [];
  const clients: number[] = [];
  const server = createServer((request: IncomingMessage, response: OutgoingMessage) => {
    const url = new URL(request.url, "coap://localhost");
    const { method } = request;
    const one = { method, path: url.pathname, query: url.search.slice(1).split("&").map(decodeURIComponent) };
    clients.push(request.rsinfo.port);
    heard.push(one);
    response.code = answer(one, response);
    response.end();
    for (const { path, resolve } of waiting) if (one.path === path) resolve();
  });
  server.listen(socket);
  const agent = new CoapAgent({ type: "udp4", socket });
  onTestFinished(() => {
    server.close();
    socket.close();
  });
  return {
    uri: `coap://127.0.0.1:${socket.address().port}`,
    heard,
    /** The next request to that path, from now on. */
    next: (path: string) => new Promise<void>((resolve) => waiting.push({ path, resolve })),
    /** A request to the client that was heard last. */
    ask(method: "GET" | "PUT" | "POST" | "DELETE", uri: string, records?: unknown, accept?: Buffer) {
      const port = clients.at(-1);
      if (port === undefined) throw new Error("nobody to ask");
      const [pathname = "", query = ""] = uri.split("?");
      const request = agent.request({ host: "127.0.0.1", port, method, pathname, query });
      if (records !== undefined) request.setOption("Content-Format", senmlJson);
      if (accept !== undefined) request.setOption("Accept", accept);
      const answered = once(request, "response");
      request.end(records === undefined ? undefined : Buffer.from(JSON.stringify(records)));
      return answered.then(([response]: IncomingMessage[]) => {
        if (response === undefined) throw new Error("there is no response");
        return { code: response.code, text: response.payload.toString() };
      });
    },
  };
}

/** Knows no packs, and takes every Bootstrap-Request. */
const createBootstrapServer = () => createPeer(({ path }) => (path === "/bs" ? "2.04" : "4.04"));

/** Takes every registration. */
const createLwM2mServer = () =>
  createPeer(({ method, path }, response) => {
    if (path !== "/rd") return method === "DELETE" ? "2.02" : "2.04";
    response.setOption("Location-Path", [Buffer.from("rd"), Buffer.from("1")]);
    return "2.01";
  });

async function switchOn(directory: string, options: Partial<AgentOptions>): Promise<Agent> {
  const board = createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock: createSystemClock(),
    random: systemRandom,
    onRestart: () => undefined,
  });
  await board.boot();
  const agent = await createAgent({
    endpointName: "board",
    servers: [],
    board,
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    log: createRecordingLog(),
    ...options,
  });
  onTestFinished(() => agent.abandon());
  await agent.start();
  return agent;
}

const securityOf = (id: number, uri: string, shortServerId: number) => [
  { bn: `/0/${id}/`, n: "0", vs: uri },
  { n: "1", vb: false },
  { n: "2", v: 3 },
  { n: "10", v: shortServerId },
];
const serverOf = (id: number, shortServerId: number, lifetime: number) => [
  { bn: `/1/${id}/`, n: "0", v: shortServerId },
  { n: "1", v: lifetime },
  { n: "6", vb: true },
  { n: "7", vs: "U" },
];

test("an agent that knows only its Bootstrap-Server gets two Servers, registers with both, and finds them again", async () => {
  const [bootstrapServer, one, two] = await Promise.all([
    createBootstrapServer(),
    createLwM2mServer(),
    createLwM2mServer(),
  ]);
  const directory = temporaryDirectory();
  const options = { bootstrapServer: { uri: bootstrapServer.uri } };
  const asked = bootstrapServer.next("/bs");
  const registered = Promise.all([one.next("/rd"), two.next("/rd")]);
  const agent = await switchOn(directory, options);
  await asked;
  expect(bootstrapServer.heard).toEqual([
    { method: "GET", path: "/bspack", query: ["ep=board", "acc=</0/0>"] },
    { method: "POST", path: "/bs", query: ["ep=board", "pct=112"] },
  ]);

  const { ask } = bootstrapServer;
  expect(await ask("DELETE", "/")).toEqual({ code: "2.02", text: "" });
  const securities = [...securityOf(1, one.uri, 101), ...securityOf(2, two.uri, 102)];
  expect(await ask("PUT", "/0", securities)).toEqual({ code: "2.04", text: "" });
  expect(await ask("POST", "/bs")).toMatchObject({ code: "4.06" }); // there is more to come
  const servers = [...serverOf(0, 101, 300), ...serverOf(1, 102, 600)];
  expect(await ask("PUT", "/1", servers)).toEqual({ code: "2.04", text: "" });
  const { code, text } = await ask("GET", "/", undefined, linkFormat);
  expect(code).toBe("2.05");
  expect(text.split(",")).toEqual(
    expect.arrayContaining([
      "</>;lwm2m=1.2",
      "</0/0>",
      `</0/1>;ssid=101;uri="${one.uri}"`,
      `</0/2>;ssid=102;uri="${two.uri}"`,
      "</1/0>;ssid=101",
      "</1/1>;ssid=102",
    ]),
  );
  expect(one.heard.length + two.heard.length).toBe(0);
  expect(await ask("POST", "/bs")).toEqual({ code: "2.04", text: "" });

  await registered;
  expect(one.heard[0]?.query).toEqual(expect.arrayContaining(["ep=board", "lt=300", "lwm2m=1.2"]));
  expect(two.heard[0]?.query).toEqual(expect.arrayContaining(["ep=board", "lt=600", "lwm2m=1.2"]));
  expect(await one.ask("GET", "/1/0/1", undefined, Buffer.of(0))).toEqual({ code: "2.05", text: "300" });
  expect(await two.ask("GET", "/1/1/1", undefined, Buffer.of(0))).toEqual({ code: "2.05", text: "600" });

  await agent.abandon();
  const again = Promise.all([one.next("/rd/1"), two.next("/rd/1")]); // the registrations of before, with an Update
  await switchOn(directory, options);
  await again;
  expect(bootstrapServer.heard.filter(({ method }) => method === "POST").map(({ path }) => path)).toEqual([
    "/bs",
  ]);
});

test("an agent whose Server asks for it bootstraps again, and moves to another Server", async () => {
  const [bootstrapServer, one, two] = await Promise.all([
    createBootstrapServer(),
    createLwM2mServer(),
    createLwM2mServer(),
  ]);
  const first = one.next("/rd");
  const agent = await switchOn(temporaryDirectory(), {
    servers: [{ uri: one.uri, shortServerId: 101, lifetime: 300 }],
    bootstrapServer: { uri: bootstrapServer.uri },
  });
  await first;
  expect(bootstrapServer.heard).toEqual([]);

  const asked = bootstrapServer.next("/bs");
  expect((await one.ask("POST", "/1/0/9")).code).toBe("2.04");
  await asked;
  const { ask } = bootstrapServer;
  expect((await ask("DELETE", "/0")).code).toBe("2.02");
  expect((await ask("PUT", "/0", securityOf(5, two.uri, 102))).code).toBe("2.04");
  expect((await ask("PUT", "/1", serverOf(5, 102, 600))).code).toBe("2.04");
  const moved = two.next("/rd");
  expect((await ask("POST", "/bs")).code).toBe("2.04");
  await moved;
  expect(agent.status().registrations.map(({ shortServerId, uri }) => [shortServerId, uri])).toEqual([
    [102, two.uri],
  ]);
  expect((await two.ask("GET", "/1/5/1", undefined, Buffer.of(0))).text).toBe("600");
});

test("an account that a bootstrap deletes takes its attributes along, for good", async () => {
  const [bootstrapServer, one, two] = await Promise.all([
    createBootstrapServer(),
    createLwM2mServer(),
    createLwM2mServer(),
  ]);
  const directory = temporaryDirectory();
  const options = {
    servers: [
      { uri: one.uri, shortServerId: 101, lifetime: 300 },
      { uri: two.uri, shortServerId: 102, lifetime: 300 },
    ],
    bootstrapServer: { uri: bootstrapServer.uri },
  };
  const { ask } = bootstrapServer;
  /** A bootstrap that Server One orders, up to its Finish. */
  const bootstrap = async () => {
    const asked = bootstrapServer.next("/bs");
    expect((await one.ask("POST", "/1/0/9")).code).toBe("2.04");
    await asked;
  };
  const attributesOf = async (server: typeof one) =>
    (await server.ask("GET", "/3/0/16", undefined, linkFormat)).text;

  const registered = Promise.all([one.next("/rd"), two.next("/rd")]);
  const agent = await switchOn(directory, options);
  await registered;
  expect((await one.ask("PUT", "/3/0/16?pmin=7")).code).toBe("2.04");
  expect((await two.ask("PUT", "/3/0/16?pmin=9")).code).toBe("2.04");
  expect(await attributesOf(one)).toBe("</3/0/16>;pmin=7");
  expect(await attributesOf(two)).toBe("</3/0/16>;pmin=9");

  await bootstrap();
  expect((await ask("DELETE", "/0/1")).code).toBe("2.02");
  expect((await ask("POST", "/bs")).code).toBe("2.04");
  expect(agent.status().registrations.map(({ shortServerId }) => shortServerId)).toEqual([101]);
  await agent.abandon();

  const back = one.next("/rd/1");
  await switchOn(directory, options);
  await back;
  expect(await attributesOf(one)).toBe("</3/0/16>;pmin=7");
  await bootstrap();
  expect((await ask("PUT", "/0", securityOf(1, two.uri, 102))).code).toBe("2.04");
  expect((await ask("PUT", "/1", serverOf(1, 102, 300))).code).toBe("2.04");
  const again = two.next("/rd");
  expect((await ask("POST", "/bs")).code).toBe("2.04");
  await again;
  expect(await attributesOf(two)).toBe("</3/0/16>");
  expect(await attributesOf(one)).toBe("</3/0/16>;pmin=7");
});
