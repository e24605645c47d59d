import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AgentOptions, createAgent } from "../../agent/main.js";
import { ConfigError } from "../../agent/model/errors.js";
import { definePlugin, type Plugin } from "../../agent/plugin.js";
import { createSimulatedBoard, type SimulatedBoard } from "../../platform/boards/simulated.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog } from "../simulated/log.js";

let directory: string;
let board: SimulatedBoard;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-main-"));
  board = createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock: createSystemClock(),
    random: systemRandom,
    onRestart: () => undefined,
  });
  await board.boot();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Its Server is a port where nobody listens. */
const options = (changes: Partial<AgentOptions> = {}): AgentOptions => ({
  endpointName: "board",
  servers: [{ uri: "coap://127.0.0.1:9", shortServerId: 1, lifetime: 300 }],
  board,
  stateDirectory: join(directory, "state"),
  cacheDirectory: join(directory, "cache"),
  log: createRecordingLog(),
  ...changes,
});

/** A plugin that notes its life. */
const noting = (notes: string[], name: string, start?: () => void | Promise<void>): Plugin =>
  definePlugin({
    name,
    start: async () => {
      notes.push(`${name} starts`);
      await start?.();
    },
    stop: () => void notes.push(`${name} stops`),
  });

describe("an endpoint name", () => {
  test.each(["", "x".repeat(253), "ä".repeat(127)])(
    "%s is refused with a word to the operator",
    async (name) => {
      await expect(createAgent(options({ endpointName: name }))).rejects.toBeInstanceOf(ConfigError);
    },
  );

  test("may be as long as a query allows", async () => {
    await createAgent(options({ endpointName: "x".repeat(252) }));
  });
});

test("an agent with nobody to speak to is refused with a word to the operator", async () => {
  await expect(createAgent(options({ servers: [] }))).rejects.toBeInstanceOf(ConfigError);
  await expect(
    createAgent(options({ bootstrapServer: { uri: "http://bootstrap.example" } })),
  ).rejects.toBeInstanceOf(ConfigError);
});

test("an agent that cannot start ends what it began", async () => {
  const stateDirectory = join(directory, "spoilt");
  await mkdir(join(stateDirectory, "device"), { recursive: true }); // where a record should be
  const notes: string[] = [];
  const agent = await createAgent(
    options({
      plugins: [noting(notes, "first"), noting(notes, "third")],
      stateDirectory,
    }),
  );
  await expect(agent.start()).rejects.toThrow("cannot read the record");
  expect(notes).toEqual(["first starts", "third starts", "third stops", "first stops"]);
  expect(agent.status().registrations[0]?.state).toBe("unregistered");
});

test("an agent ends once, however often it is told to", async () => {
  const notes: string[] = [];
  const agent = await createAgent(options({ plugins: [noting(notes, "plugin")] }));
  await agent.start();
  await Promise.all([agent.stop(), agent.stop(), agent.abandon()]);
  expect(notes).toEqual(["plugin starts", "plugin stops"]);
});

test("an agent that is stopped while it starts leaves nothing behind", async () => {
  const notes: string[] = [];
  let go: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => (go = resolve));
  const agent = await createAgent(options({ plugins: [noting(notes, "slow", () => waiting)] }));
  const started = agent.start();
  const stopped = agent.stop();
  go();
  await Promise.all([started, stopped]);
  expect(notes).toEqual(["slow starts", "slow stops"]);
  expect(agent.status().registrations[0]?.state).toBe("unregistered");
});
