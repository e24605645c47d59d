/** The agent of this service on its board. It begins anew where a board restarts that is not the machine. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFileStore } from "../../platform/files/store.js";
import type { ServiceConfig } from "../config/service-config.js";
import { type Agent, createAgent } from "../main.js";
import { type Clock, type Log, millis, type Random } from "../ports.js";
import { agentOptions } from "./agent-options.js";
import { createBoard, type HostedBoard } from "./boards.js";
import { DownloadCount } from "./download-count.js";
import { loadPlugins, type ServicePlugins } from "./plugins.js";
import { openUpdateLock, type UpdateLock } from "./update-lock.js";

/** What a factory reset leaves where it is: the service itself, and the board, which knows best. */
const notForgotten = ["lock", "version", "board"];
/** How long a restart keeps a simulated board off the network. */
const bootDuration = millis(1000);

export interface AgentHostOptions {
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The agent did not come back after a restart of its board. */
  readonly onLost: (error: unknown) => void;
}

const credentials = () => ({
  credentialsDirectory: process.env["CREDENTIALS_DIRECTORY"],
  uid: process.getuid?.() ?? 0,
});

export class AgentHost {
  readonly #options: AgentHostOptions;
  #board: HostedBoard | undefined;
  #plugins: ServicePlugins | undefined;
  #agent: Agent | undefined;
  #updateLock: UpdateLock | undefined;
  /** Starts and stops, one after the other. */
  #lastTurn: Promise<void> = Promise.resolve();
  #stopped = false;
  readonly #downloads = new DownloadCount();

  constructor(options: AgentHostOptions) {
    this.#options = options;
  }

  /** undefined while the board restarts. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  get board(): HostedBoard | undefined {
    return this.#board;
  }

  /** undefined before the start. */
  get plugins(): ServicePlugins | undefined {
    return this.#plugins;
  }

  /** Bytes of packages that came since the start. */
  get downloaded(): number {
    return this.#downloads.bytes;
  }

  get updateLock(): UpdateLock | undefined {
    return this.#updateLock;
  }

  /** @throws ConfigError when the board or an Object cannot be used */
  async start(): Promise<void> {
    const { config, clock, random, log } = this.#options;
    this.#plugins = await loadPlugins({ config, clock, log });
    this.#board = await createBoard(config.board, {
      directories: config.directories,
      clock,
      random,
      log,
      uid: process.getuid?.() ?? 0,
      onRestart: (cause) => this.#restart(cause),
      forget: () => this.#forgetEverything(),
    });
    await this.#inTurn(() => this.#begin());
  }

  /** De-registers. Calling it again is harmless. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.#inTurn(async () => {
      await this.#agent?.stop();
      this.#agent = undefined;
      await this.#board?.close?.();
      this.#plugins?.close();
    });
  }

  async #begin(): Promise<void> {
    const { config, clock, log } = this.#options;
    const board = this.#board;
    if (this.#stopped || board === undefined) return;
    await board.boot?.();
    const store = createFileStore(config.directories.state);
    this.#updateLock = await openUpdateLock({ store, clock, log });
    const agent = await createAgent({
      ...(await agentOptions(config, { gates: [this.#updateLock], clock, log, ...credentials() })),
      board,
      log,
      wrapDownloader: (downloader) => this.#downloads.counting(downloader),
      plugins: this.#plugins?.plugins ?? [],
      ...(this.#plugins?.containment && { pluginContainment: this.#plugins.containment }),
    });
    await agent.start();
    this.#agent = agent;
  }

  /** Whoever asked for it is part of what ends now, so nobody waits for it. */
  #restart(cause: "restart" | "factoryReset"): void {
    const { log, clock, onLost } = this.#options;
    this.#inTurn(async () => {
      log.info("board restarts", { cause });
      await this.#agent?.abandon();
      this.#agent = undefined;
      if (cause === "factoryReset") await this.#forgetEverything();
      clock.after(bootDuration, () => void this.#inTurn(() => this.#begin()).catch(onLost));
    }).catch(onLost);
  }

  async #forgetEverything(): Promise<void> {
    const { state, cache } = this.#options.config.directories;
    const records = (await readdir(state)).filter((name) => !notForgotten.includes(name));
    await Promise.all(records.map((name) => rm(join(state, name), { recursive: true, force: true })));
    await rm(cache, { recursive: true, force: true }).catch(() => undefined); // it may belong to the unit
    await mkdir(cache, { recursive: true });
  }

  #inTurn(turn: () => Promise<void>): Promise<void> {
    const next = this.#lastTurn.then(turn);
    this.#lastTurn = next.catch(() => undefined); // whoever asked for the turn hears of it
    return next;
  }
}
