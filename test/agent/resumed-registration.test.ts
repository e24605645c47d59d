/** A registration and its observations over a restart of the program, on real sockets. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  decodeMessage,
  encodeEmpty,
  encodeMessage,
  type Message,
  type OutgoingOption,
} from "../../agent/coap/message.js";
import { decodeText, optionNumber, textOption } from "../../agent/coap/option.js";
import { type Agent, createAgent } from "../../agent/main.js";
import { createSimulatedBoard } from "../../platform/boards/simulated.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";

const methods = { GET: 1, POST: 2, DELETE: 4 } as const;
const nothing = new Uint8Array();

interface Heard extends Message {
  /** Of the device. */
  readonly port: number;
}

/** A Server that is one socket: it takes registrations, observes, and writes down what it hears. */
async function openServer() {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const heard: Heard[] = [];
  const server = {
    uri: `coap://127.0.0.1:${socket.address().port}`,
    /** Does it know the registration that an Update names? */
    remembers: true,
    heard,
    /** Register, Update and De-register, in the order of their coming. */
    requests: () =>
      heard
        .filter(({ code }) => code > 0 && code < 32)
        .map(({ code, options }) => {
          const path = options
            .filter(({ number }) => number === optionNumber.uriPath)
            .map(({ value }) => decodeText(value));
          const name = code === methods.DELETE ? "De-register" : path.length === 1 ? "Register" : "Update";
          return name;
        }),
    ports: () => new Set(heard.map(({ port }) => port)),
    /** Texts of what came with this token. */
    told: (token: number) =>
      heard
        .filter(({ code, token: given }) => code === 0x45 && given[0] === token)
        .map(({ payload }) => decodeText(payload)),
    observe: (path: string, token: number) => {
      const [port] = [...server.ports()].slice(-1);
      const message = encodeMessage({
        type: "CON",
        code: methods.GET,
        messageId: token,
        token: Uint8Array.of(token),
        options: [
          { number: optionNumber.observe, value: nothing },
          ...path.split("/").map((segment) => textOption(optionNumber.uriPath, segment)),
        ],
        payload: nothing,
      });
      socket.send(message, port, "127.0.0.1");
      return vi.waitFor(() => expect(server.told(token)).toHaveLength(1));
    },
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
  socket.on("message", (datagram, { port }) => {
    const message = decodeMessage(datagram);
    heard.push({ ...message, token: message.token.slice(), payload: message.payload.slice(), port });
    const { code, type, messageId, token, options } = message;
    const reply = (code: number, given: readonly OutgoingOption[] = []) =>
      socket.send(
        encodeMessage({ type: "ACK", code, messageId, token, options: given, payload: nothing }),
        port,
        "127.0.0.1",
      );
    if (code >= 32 && type === "CON") socket.send(encodeEmpty("ACK", messageId), port, "127.0.0.1");
    if (code === 0 || code >= 32) return;
    if (code === methods.DELETE) return reply(0x42);
    const isRegister = options.filter(({ number }) => number === optionNumber.uriPath).length === 1;
    if (!isRegister) return reply(server.remembers ? 0x44 : 0x84);
    const location = ["rd", "1"].map((segment) => textOption(optionNumber.locationPath, segment));
    server.remembers = true;
    return reply(0x41, location);
  });
  return server;
}

let directory: string;
let server: Awaited<ReturnType<typeof openServer>>;
let agent: Agent;
let log: ReturnType<typeof createRecordingLog>;

/** A program that runs this firmware from now on. */
async function run(firmwareVersion: string): Promise<void> {
  const board = createSimulatedBoard({
    directory: join(directory, `board-${firmwareVersion}`),
    firmwareVersion,
    clock: createSystemClock(),
    random: systemRandom,
    onRestart: () => undefined,
  });
  await board.boot();
  agent = await createAgent({
    endpointName: "board",
    servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }],
    board,
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    resumesRegistrations: true,
    log,
  });
  await agent.start();
}

const registered = () =>
  vi.waitFor(() => expect(agent.status().registrations[0]?.state).toBe("registered"), { timeout: 5000 });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-resumed-"));
  log = createRecordingLog();
  server = await openServer();
  await run("1.0");
  await registered();
  await server.observe("3/0/3", 0x33);
  await server.observe("5/0/3", 0x53);
});

afterEach(async () => {
  await agent.stop();
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

test("an Update from the same port takes it up, and old tokens hear what is different now", async () => {
  await agent.abandon();
  await run("2.0");
  await registered();
  await vi.waitFor(() => expect(server.told(0x33)).toEqual(["1.0", "2.0"]));
  expect(server.told(0x53)[0]).toBe("0");
  expect(server.requests()).toEqual(["Register", "Update"]);
  expect(server.ports().size).toBe(1);
  expect(agent.status().observations).toBe(2);
});

test("a Server that has forgotten it gets a Register, and hears nothing on old tokens", async () => {
  server.remembers = false;
  await agent.abandon();
  await run("2.0");
  await vi.waitFor(() => expect(server.requests()).toEqual(["Register", "Update", "Register"]));
  await registered();
  expect(agent.status().observations).toBe(0);
  expect(server.told(0x33)).toEqual(["1.0"]);
  await server.observe("3/0/3", 0x34);
  expect(server.told(0x34)).toEqual(["2.0"]);
});

test("where its port is taken the client registers anew, from another one", async () => {
  const [port] = server.ports();
  await agent.abandon();
  const squatter = createSocket("udp4");
  squatter.bind(port);
  await once(squatter, "listening");
  try {
    await run("2.0");
    await registered();
    expect(server.requests()).toEqual(["Register", "Register"]);
    expect(server.ports().size).toBe(2);
    expect(agent.status().observations).toBe(0);
  } finally {
    squatter.close();
  }
});
