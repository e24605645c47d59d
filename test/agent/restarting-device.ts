import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, type AgentOptions, createAgent } from "../../agent/main.js";
import { millis } from "../../agent/ports.js";
import {
  createSimulatedBoard,
  type SimulatedBoard,
  type SimulatedBoardOptions,
} from "../../platform/boards/simulated.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { createRecordingLog, type RecordingLog } from "../simulated/log.js";

export interface RestartingDeviceOptions {
  readonly endpointName: string;
  readonly agent: Pick<AgentOptions, "servers"> & Partial<AgentOptions>;
  readonly board?: Partial<Pick<SimulatedBoardOptions, "fault" | "applyDuration">>;
}

/** A whole agent over real sockets whose board, when it restarts, starts it again from what is on disk. */
export interface RestartingDevice {
  readonly board: SimulatedBoard;
  readonly log: RecordingLog;
  /** The one that runs. @throws while the board restarts */
  agent(): Agent;
  readonly restarts: () => number;
  /** Ends it for good: it de-registers. */
  close(): Promise<void>;
}

export async function startRestartingDevice(options: RestartingDeviceOptions): Promise<RestartingDevice> {
  const directory = await mkdtemp(join(tmpdir(), "lwm2m-agent-device-"));
  const log = createRecordingLog();
  const board = createSimulatedBoard({
    directory: join(directory, "board"),
    firmwareVersion: "1.0",
    clock: createSystemClock(),
    random: systemRandom,
    applyDuration: millis(100),
    ...options.board,
    onRestart: () => void inTurn(restart),
  });
  let agent: Agent | undefined;
  let restarts = 0;
  let isClosed = false;
  /** Starts and stops come one after the other. */
  let lastTurn: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>) => {
    const turn = lastTurn.then(work);
    lastTurn = turn.catch((error: unknown) => log.error("the device does not restart", { error }));
    return turn;
  };

  async function switchOn(): Promise<void> {
    await board.boot();
    const next = await createAgent({
      endpointName: options.endpointName,
      board,
      stateDirectory: join(directory, "state"),
      cacheDirectory: join(directory, "cache"),
      log,
      readings: { power: () => board.power(), memory: () => board.memory() },
      ...options.agent,
    });
    await next.start();
    agent = next;
  }

  async function restart(): Promise<void> {
    restarts++;
    await agent?.abandon();
    agent = undefined;
    if (!isClosed) await switchOn();
  }

  await inTurn(switchOn);
  return {
    board,
    log,
    agent() {
      if (agent === undefined) throw new Error("the board restarts");
      return agent;
    },
    restarts: () => restarts,
    async close() {
      isClosed = true;
      await inTurn(async () => agent?.stop());
      await rm(directory, { recursive: true, force: true });
    },
  };
}
