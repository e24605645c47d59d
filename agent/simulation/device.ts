import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  createSimulatedBoard,
  type RestartCause,
  type SimulatedBoard,
} from "../../platform/boards/simulated.js";
import { createSimulatedSoftware } from "../../platform/boards/simulated-software.js";
import { type Agent, type AgentStatus, createAgent, type ManagedSoftware } from "../main.js";
import type { ObjectDefinition } from "../model/definition.js";
import type { Plugin } from "../plugin.js";
import { type Clock, type Downloader, type Log, millis, type Random, type Timer } from "../ports.js";
import { type Fault, faultyUri, isBoardFault } from "./faults.js";
import { simulateNetwork } from "./network.js";
import { simulateValues } from "./values.js";

/** Whom a device turns to from the factory: an LwM2M server, or a Bootstrap-Server that names one. */
export type DeviceHome = { readonly serverUri: string } | { readonly bootstrapUri: string };

export interface SimulatedDeviceOptions {
  readonly endpointName: string;
  readonly home: DeviceHome;
  readonly firmwareVersion: string;
  readonly fault: Fault | undefined;
  /** Of definition files; their values are simulated. */
  readonly objects: readonly ObjectDefinition[];
  /** Has a piece of software that Servers manage (/9/0). */
  readonly managesSoftware: boolean;
  /** All that survives a restart lies here. */
  readonly directory: string;
  readonly plugins: readonly Plugin[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** How long a restart keeps the device off the network. */
const bootDuration = millis(1200);
const applyDuration = millis(2000);

const stateFolder = "state";
const cacheFolder = "cache";
const softwareFolder = "software";

/**
 * A device with a whole agent in it. When its board restarts, the agent is torn down without a word and a new one
 * starts from what is on disk, as on real hardware.
 */
export class SimulatedDevice {
  readonly endpointName: string;
  readonly #options: SimulatedDeviceOptions;
  readonly #board: SimulatedBoard;
  #agent: Agent | undefined;
  #boot: Timer | undefined;
  #closed = false;
  /** Starts and stops of the agent, one after the other. */
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(options: SimulatedDeviceOptions) {
    const { endpointName, directory, firmwareVersion, fault, clock, random } = options;
    this.#options = options;
    this.endpointName = endpointName;
    this.#board = createSimulatedBoard({
      directory: join(directory, "board"),
      firmwareVersion,
      serialNumber: endpointName,
      clock,
      random,
      applyDuration,
      ...(isBoardFault(fault) && { fault }),
      onRestart: (cause) => this.#restart(cause),
    });
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#switchOn());
  }

  /** Switches the device off for good: it de-registers. */
  close(): Promise<void> {
    this.#closed = true;
    this.#boot?.cancel();
    return this.#inTurn(async () => {
      await this.#agent?.stop();
      this.#agent = undefined;
    });
  }

  /** undefined while the device restarts. */
  status(): AgentStatus | undefined {
    return this.#agent?.status();
  }

  async firmwareVersion(): Promise<string> {
    return (await this.#board.describe()).firmwareVersion;
  }

  async #switchOn(): Promise<void> {
    if (this.#closed) return;
    const { endpointName, home, directory, plugins, objects, clock, log } = this.#options;
    await this.#board.boot();
    const agent = await createAgent({
      endpointName,
      servers: "serverUri" in home ? [{ uri: home.serverUri, shortServerId: 1, lifetime: 300 }] : [],
      ...("bootstrapUri" in home && { bootstrapServer: { uri: home.bootstrapUri } }),
      board: this.#board,
      stateDirectory: join(directory, stateFolder),
      cacheDirectory: join(directory, cacheFolder),
      objects,
      software: this.#software(),
      plugins: [simulateValues(objects, clock), ...plugins],
      log,
      readings: {
        power: () => this.#board.power(),
        memory: () => this.#board.memory(),
        ...simulateNetwork(clock),
      },
      wrapDownloader: (downloader) => this.#onFaultyNetwork(downloader),
    });
    await agent.start();
    this.#agent = agent;
  }

  #software(): readonly ManagedSoftware[] {
    const { managesSoftware, directory, clock } = this.#options;
    if (!managesSoftware) return [];
    const installer = createSimulatedSoftware({
      directory: join(directory, softwareFolder),
      clock,
      installDuration: applyDuration,
    });
    return [{ name: "app", installer }];
  }

  /** The board goes down: whoever asked for it is part of what ends now, so nobody waits for it. */
  #restart(cause: RestartCause): void {
    this.#boot?.cancel();
    const { clock, log } = this.#options;
    const report = (error: unknown) => log.error("device does not restart", { error });
    this.#inTurn(async () => {
      await this.#agent?.abandon();
      this.#agent = undefined;
      log.debug("restarting", { cause });
      if (cause === "factoryReset") await this.#forgetEverything();
      this.#boot = clock.after(bootDuration, () => {
        this.#inTurn(() => this.#switchOn()).catch(report);
      });
    }).catch(report);
  }

  async #forgetEverything(): Promise<void> {
    for (const folder of [stateFolder, cacheFolder, softwareFolder]) {
      await rm(join(this.#options.directory, folder), { recursive: true, force: true });
    }
  }

  #onFaultyNetwork(downloader: Downloader): Downloader {
    return {
      schemes: downloader.schemes,
      download: (uri, options) => downloader.download(faultyUri(uri, this.#options.fault), options),
    };
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }
}
