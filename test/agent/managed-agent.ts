import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, type AgentOptions, createAgent } from "../../agent/main.js";
import type { ObjectDefinition } from "../../agent/model/definition.js";
import type { ResourcePath } from "../../agent/model/path.js";
import type { ResourceContent } from "../../agent/model/value.js";
import { resourceContent, resourceIn } from "../../jobs/device-gateway.js";
import { createManagementServer, type ManagementServer } from "../../jobs/server/management-server.js";
import { createSimulatedBoard } from "../../platform/boards/simulated.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog, type RecordingLog } from "../simulated/log.js";

export interface ManagedAgent {
  readonly agent: Agent;
  readonly server: ManagementServer;
  readonly log: RecordingLog;
  /** How often the board was asked to restart. */
  readonly restarts: () => number;
  read(path: ResourcePath): Promise<ResourceContent | undefined>;
  write(path: ResourcePath, value: ResourceContent): Promise<void>;
  execute(path: ResourcePath): Promise<void>;
  close(): Promise<void>;
}

/** A whole agent on a simulated board, registered with a management server on loopback. */
export async function startManagedAgent(
  options: Partial<AgentOptions> & {
    readonly host?: string;
    /** What the Server knows beside the Objects that each device has. */
    readonly definitions?: readonly ObjectDefinition[];
  } = {},
): Promise<ManagedAgent> {
  const { host = "127.0.0.1", definitions = [], ...agentOptions } = options;
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-managed-"));
  const clock = createSystemClock();
  const log = createRecordingLog();
  const server = await createManagementServer({
    host,
    clock,
    random: systemRandom,
    log,
    port: 0,
    objects: definitions,
  });
  let restarts = 0;
  const board = createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock,
    random: systemRandom,
    onRestart: () => void restarts++,
  });
  await board.boot();
  const agent = await createAgent({
    endpointName: "board",
    servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }],
    board,
    stateDirectory: join(directory, "state"),
    cacheDirectory: join(directory, "cache"),
    log,
    ...agentOptions,
  });
  const registered = new Promise<void>((resolve) => {
    server.onDeviceEvent(() => resolve());
  });
  await agent.start();
  await registered;
  return {
    agent,
    server,
    log,
    restarts: () => restarts,
    read: async (path) => resourceIn(await server.read("board", path), path),
    write: (path, value) => server.write("board", path, resourceContent(path, value), "replace"),
    execute: (path) => server.execute("board", path),
    async close() {
      await agent.stop();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
