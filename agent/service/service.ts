/**
 * The service: what `lwm2m-agent run` does between its start and its end. The agent itself is in agent/main.ts, its board in
 * boards.ts; here is what makes them a daemon.
 */
import { mkdir, stat } from "node:fs/promises";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { chooseLogFormat, createServiceLog, type ServiceLog } from "../../platform/service-log.js";
import { describeError } from "../../platform/system-error.js";
import { createSystemdNotifier, type SystemdNotifier } from "../../platform/systemd/notify.js";
import { loadRememberedConfig } from "../config/remembered.js";
import type { ServiceConfig } from "../config/service-config.js";
import type { ConfigSources } from "../config/sources.js";
import type { ReloadResult } from "../control/client.js";
import { type ControlRequest, RefusedError } from "../control/protocol.js";
import { type ControlServer, createControlServer } from "../control/server.js";
import { ConfigError } from "../model/errors.js";
import { type Clock, millis } from "../ports.js";
import { AgentHost } from "./agent-host.js";
import { ServiceFailure, serviceExitCodes } from "./exit-codes.js";
import type { LoopbackServer } from "./pages/loopback-server.js";
import { applyChanges } from "./reload.js";
import { countStart } from "./starts.js";
import { openStateFolder, prepare } from "./state-folder.js";
import { serviceStatus, statusLine } from "./status.js";
import { describeHold } from "./update-lock.js";
import { type Heartbeat, startHeartbeat } from "./watchdog.js";

export interface ServiceOptions {
  readonly sources: ConfigSources;
  /** Of the program. */
  readonly version: string;
  /** Tells this build of the program from all others; undefined where it cannot be told. */
  readonly build: string | undefined;
  /** Says what keeps the service from running, before there is a log. */
  readonly complain: (text: string) => void;
}

/** Runs until a signal or a failure. @returns the exit code */
export async function runService(options: ServiceOptions): Promise<number> {
  try {
    const config = await loadRememberedConfig(options.sources, options.build);
    const { env } = options.sources.surroundings;
    const { level, format } = config.log;
    const log = await createServiceLog({ level, format: format === "auto" ? chooseLogFormat(env) : format });
    return await new Service(options, config, log).run();
  } catch (error) {
    options.complain(complaintOf(error));
    return exitCodeOf(error);
  }
}

const exitCodeOf = (error: unknown): number =>
  error instanceof ServiceFailure
    ? error.exitCode
    : error instanceof ConfigError
      ? serviceExitCodes.configuration
      : serviceExitCodes.failed;

const complaintOf = (error: unknown): string =>
  error instanceof ServiceFailure || error instanceof ConfigError
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);

class Service {
  readonly #options: ServiceOptions;
  /** What the agent was made from. */
  readonly #running: ServiceConfig;
  readonly #log: ServiceLog;
  readonly #clock: Clock = createSystemClock();
  readonly #startedAt = this.#clock.date();
  readonly #host: AgentHost;
  readonly #systemd: SystemdNotifier;
  /** As of the last reload. */
  #present: ServiceConfig;
  #needRestart: readonly string[] = [];
  #starts = 0;
  #heartbeat: Heartbeat | undefined;
  #reloading: Promise<unknown> = Promise.resolve();
  #end: (exitCode: number) => void = () => undefined;
  readonly #ended = new Promise<number>((resolve) => {
    this.#end = resolve;
  });

  constructor(options: ServiceOptions, config: ServiceConfig, log: ServiceLog) {
    this.#options = options;
    this.#running = config;
    this.#present = config;
    this.#log = log;
    const clock = this.#clock;
    this.#systemd = createSystemdNotifier({ env: options.sources.surroundings.env, clock, log });
    this.#host = new AgentHost({
      ...{ config, clock, random: systemRandom, log },
      onLost: (error) => {
        log.error("agent did not come back", { error });
        this.#end(serviceExitCodes.failed);
      },
    });
  }

  async run(): Promise<number> {
    const { directories, file, endpointName, board, stated } = this.#running;
    const log = this.#log;
    const stopListening = this.#listenToSignals();
    const lock = await openStateFolder(directories.state, log);
    let control: ControlServer | undefined;
    let pages: LoopbackServer | undefined;
    let heartbeat: Heartbeat | undefined;
    try {
      await prepare(directories.cache);
      log.info("starting", {
        version: this.#options.version,
        pid: process.pid,
        configuration: file ?? "flags and environment",
        endpointName,
        board: board.type,
      });
      if (stated.endpointName === undefined) {
        log.warn("endpoint name chosen", {
          endpointName,
          advice: "set endpointName, so that it never changes",
        });
      }
      this.#warnOfClock();
      this.#starts = await countStart(directories.state, log);
      await prepareRuntimeDirectory(directories.runtime);
      await this.#host.start();
      control = await this.#openControl();
      heartbeat = startHeartbeat({
        ...{ systemd: this.#systemd, clock: this.#clock, log },
        status: () => statusLine(this.#host.agent),
      });
      this.#heartbeat = heartbeat;
      pages = await this.#openPages();
      await this.#systemd.tell("READY=1", `STATUS=${statusLine(this.#host.agent)}`);
      return await this.#ended;
    } finally {
      void this.#systemd.tell("STOPPING=1", "STATUS=stopping");
      heartbeat?.stop();
      await pages?.close();
      await control?.close();
      await this.#host.stop().catch((error: unknown) => log.error("not stopped", { error }));
      await lock.release();
      await this.#systemd.tell("STATUS=stopped");
      stopListening();
      log.info("stopped");
    }
  }

  #listenToSignals(): () => void {
    const stop = (signal: NodeJS.Signals) => {
      this.#log.info("stopping", { signal });
      process.once("SIGTERM", () => process.exit(serviceExitCodes.failed)); // a second one: at once
      process.once("SIGINT", () => process.exit(serviceExitCodes.failed));
      this.#end(serviceExitCodes.stopped);
    };
    const reload = () => void this.#reload();
    process.once("SIGTERM", stop);
    process.once("SIGINT", stop);
    process.on("SIGHUP", reload);
    return () => {
      process.off("SIGTERM", stop);
      process.off("SIGINT", stop);
      process.off("SIGHUP", reload);
    };
  }

  /** A board without a clock that keeps time starts in 1970 and goes on; what depends on the calendar waits. */
  #warnOfClock(): void {
    const date = this.#clock.date();
    if (date.getFullYear() >= 2025) return;
    this.#log.warn("clock not set", {
      date: date.toISOString(),
      advice: "certificates and maintenance hours need the time: is a time service (NTP) on?",
    });
  }

  // ---- Control ---------------------------------------------------------------------------------------------------

  async #openControl(): Promise<ControlServer> {
    const { control } = this.#running;
    return createControlServer({
      path: control.socket,
      group: control.group,
      perform: (request) => this.#perform(request),
      log: this.#log,
    });
  }

  async #perform(request: ControlRequest): Promise<unknown> {
    switch (request.method) {
      case "status":
        return this.#status();
      case "metrics":
        return this.#metrics();
      case "log":
        return this.#log.recent();
      case "logLevel": {
        const before = this.#log.level;
        this.#log.setLevel(request.level);
        return { before };
      }
      case "hold":
        return this.#hold(request.reason, request.until);
      case "release": {
        const held = await this.#updateLock().release();
        this.#host.agent?.askGatesAgain();
        return { held: held ? describeHold(held) : null };
      }
      case "reload":
        return this.#reload();
      case "triggerUpdate":
        return this.#triggerUpdate(request.shortServerId);
    }
  }

  #status() {
    const { endpointName, board, file, stated } = this.#running;
    return serviceStatus({
      version: this.#options.version,
      startedAt: this.#startedAt,
      configurationFile: file,
      needRestart: this.#needRestart,
      queueMode: stated.queueMode === true,
      logLevel: this.#log.level,
      boardType: board.type,
      endpointName,
      host: this.#host,
    });
  }

  async #metrics(): Promise<string> {
    const { renderMetrics } = await import("./metrics.js");
    return renderMetrics(await this.#status(), {
      uptime: this.#clock.now(),
      cpu: process.cpuUsage(),
      lag: this.#heartbeat?.lag() ?? { last: millis(0), longest: millis(0) },
      starts: this.#starts,
      downloaded: this.#host.downloaded,
    });
  }

  /** Nothing is loaded for what is not configured. */
  async #openPages(): Promise<LoopbackServer | undefined> {
    const { metrics, statusPage } = this.#running;
    if (metrics === undefined && statusPage === undefined) return undefined;
    const { openLocalPages } = await import("./pages/local-pages.js");
    return openLocalPages({
      config: { metrics, statusPage },
      status: () => this.#status(),
      metrics: () => this.#metrics(),
      recentLog: () => this.#log.recent(),
      now: () => this.#clock.date(),
      log: this.#log,
    });
  }

  async #hold(reason: string, until: string | null) {
    const end = until === null ? undefined : new Date(until);
    if (end !== undefined && Number.isNaN(end.getTime())) throw new RefusedError(`"${until}" is no time`);
    if (end !== undefined && end <= this.#clock.date()) throw new RefusedError(`${until} is over already`);
    if (reason.trim() === "" || reason.length > 200) {
      throw new RefusedError("a hold needs a reason of 1 to 200 characters");
    }
    const lock = this.#updateLock();
    const before = lock.hold();
    await lock.set(reason, end);
    return { replaced: before ? describeHold(before) : null };
  }

  #updateLock() {
    const lock = this.#host.updateLock;
    if (lock === undefined) throw new RefusedError("the agent is starting: try again");
    return lock;
  }

  #triggerUpdate(shortServerId: number | undefined) {
    const servers = this.#host.agent?.triggerUpdate(shortServerId) ?? [];
    if (servers.length > 0) return { servers };
    throw new RefusedError(
      shortServerId === undefined
        ? "no Server has our registration now"
        : `Server ${shortServerId} has no registration of ours now`,
    );
  }

  // ---- Reload ----------------------------------------------------------------------------------------------------

  #reload(): Promise<ReloadResult> {
    const next = this.#reloading.then(() => this.#reloadNow());
    this.#reloading = next.catch(() => undefined);
    return next;
  }

  async #reloadNow(): Promise<ReloadResult> {
    const microseconds = process.hrtime.bigint() / 1000n;
    await this.#systemd.tell("RELOADING=1", `MONOTONIC_USEC=${microseconds}`);
    try {
      const next = await loadRememberedConfig(this.#options.sources, this.#options.build);
      const configs = { running: this.#running, present: this.#present, next };
      const result = applyChanges(configs, { "log.level": ({ log }) => this.#log.setLevel(log.level) });
      this.#present = next;
      this.#needRestart = result.needRestart;
      this.#log.info("configuration reloaded", { applied: result.applied });
      if (result.needRestart.length > 0) {
        this.#log.warn("configuration needs a restart", {
          keys: result.needRestart,
          advice: "systemctl restart lwm2m-agent",
        });
      }
      return { ...result, problems: [] };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const problems = error.message.split("\n");
      this.#log.error("configuration not reloaded", {
        problems,
        advice: "the one from before stays in force",
      });
      return { applied: [], needRestart: this.#needRestart, problems };
    } finally {
      await this.#systemd.tell("READY=1");
    }
  }
}

/** For the socket and for what is noted about plugins, which have rights of their own. Whoever can write there could put another one in its place. */
async function prepareRuntimeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new ServiceFailure(
      serviceExitCodes.notWritable,
      `the folder ${directory} for the control socket cannot be made: ${describeError(cause)}. Choose another one with directories.runtime`,
      { cause },
    );
  }
  const { uid, mode } = await stat(directory);
  const isOurs = uid === process.getuid?.() || uid === 0;
  if (isOurs && (mode & 0o002) === 0) return;
  throw new ServiceFailure(
    serviceExitCodes.notWritable,
    `${directory} is open to other users: choose another folder for the control socket with directories.runtime`,
  );
}
