/**
 * Runs the table: takes one event after the other, keeps the state on disk, and has the effects performed. The record
 * is written before a Server is answered and before an effect begins, so after a power cut it never claims less than
 * what was promised, nor is anything irreversible begun that it does not know of.
 */
import type { AfterResponse } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import { type PackageWriter, type Random, type Store, seconds } from "../../agent/ports.js";
import {
  type EffectOptions,
  Effects,
  type FirmwareUpdateProgress,
  type LongEffect,
  type Work,
} from "./effects.js";
import { MAX_URI_BYTES, uriFault } from "./package-uri.js";
import { PushedPackage } from "./push.js";
import {
  decodeFirmwareUpdateRecord,
  encodeFirmwareUpdateRecord,
  type FirmwareUpdateRecord,
  initialRecord,
} from "./record.js";
import { failureOf, isUpdateResult } from "./results.js";
import { type Attempt, imageOf, stateNames, stateNumbers } from "./state.js";
import {
  accepts,
  type Effect,
  type FirmwareUpdateEvent,
  firmwareUpdateTable,
  type Occurrence,
  reportableStates,
  type ServerRequest,
  step,
  type Table,
} from "./table.js";
import { within } from "./waiting.js";

export interface RunnerOptions extends EffectOptions {
  readonly store: Store;
  readonly random: Random;
  /** How often an interrupted update is taken up again before it counts as failed; 2 unless told. */
  readonly maxResumes?: number;
  /** Called after each change, when it is what a Read would see. */
  onChange(before: FirmwareUpdateRecord, now: FirmwareUpdateRecord): void;
}

const RECORD = "firmware-update";
/** How long cancelled work may take to end, and to let go of its file. */
const LET_GO_LIMIT = seconds(30);
/** How long the answer to a pushed package waits for its verification. */
const VERIFY_PATIENCE = seconds(5);

/** An effect under way. */
interface Activity {
  readonly controller: AbortController;
  /** `push` is a download too: these two and `verify` end by cancel or reset. */
  readonly kind: LongEffect["do"] | "push";
  /** Resolves when it touches nothing any more. */
  readonly done: Promise<void>;
}

export class FirmwareUpdateRunner {
  readonly #options: RunnerOptions;
  readonly #table: Table;
  readonly #effects: Effects;
  readonly #activities = new Set<Activity>();
  #record: FirmwareUpdateRecord = initialRecord;
  /** Counts the changes of State; work reports into the State that it was begun for, and no other. */
  #episode = 0;
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** Resolves when nothing that was cancelled or discarded touches the disk any more. */
  #quiet: Promise<unknown> = Promise.resolve();
  #answered: Promise<void> = Promise.resolve();
  #verification: Promise<void> = Promise.resolve();
  #progress: FirmwareUpdateProgress | undefined;
  #closed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#table = firmwareUpdateTable({ maxResumes: options.maxResumes ?? 2 });
    this.#effects = new Effects(options);
  }

  get record(): FirmwareUpdateRecord {
    return this.#record;
  }

  get progress(): FirmwareUpdateProgress | undefined {
    return this.#progress;
  }

  /** Finds out what happened before the agent started, and goes on from there. */
  async start(): Promise<void> {
    await this.#load();
    const { state } = this.#record;
    const packageIntact = await this.#effects.isIntact(imageOf(state));
    const sameBoot = state.name !== "updating" || state.attempt.bootId === (await this.#bootId());
    await this.#inTurn(() => this.#take({ type: "agentStarted", sameBoot, packageIntact }, "known"));
  }

  /** Ends what is under way without a change of state: the next start goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    const activities = [...this.#activities];
    for (const { controller } of activities) controller.abort(new Error("the agent stops"));
    // A hook that does not listen to its signal must not keep the agent from stopping.
    await within(this.#options.clock, LET_GO_LIMIT, Promise.all(activities.map(({ done }) => done)));
    await this.#lastTurn;
    await this.#quiet;
  }

  // ---- What Servers ask for ---------------------------------------------------------------------------------------

  async writePackageUri(uri: string): Promise<void> {
    if (uri === "") return this.reset();
    if (new TextEncoder().encode(uri).length > MAX_URI_BYTES) {
      throw new RequestError("4.00", `a Package URI has at most ${MAX_URI_BYTES} bytes`);
    }
    const { hooks, downloaders } = this.#options;
    const schemes = hooks?.packageUriWritten
      ? undefined
      : new Set(downloaders.flatMap(({ schemes }) => schemes));
    const fault = uriFault(uri, schemes);
    await this.#request({ type: "packageUriWritten", uri, ...(fault && { fault }) });
  }

  reset(): Promise<void> {
    return this.#request({ type: "resetRequested" });
  }

  cancel(): Promise<void> {
    return this.#request({ type: "cancelExecuted" });
  }

  /** The installation begins when what this returns is called, for then the Server has its answer. */
  async executeUpdate(): Promise<AfterResponse> {
    let answer = () => {};
    await this.#inTurn(async () => {
      this.#refuseUnlessListed("updateExecuted");
      const attempt = await this.#newAttempt();
      const before = this.#answered;
      this.#answered = new Promise((resolve) => {
        answer = resolve;
      });
      const by = this.#options.hooks?.updateExecuted ? "plugin" : "board";
      try {
        await this.#take({ type: "updateExecuted", attempt, by }, "promised");
      } catch (error) {
        this.#answered = before;
        throw error;
      }
    });
    return answer;
  }

  openPush(size: number | undefined): Promise<PushedPackage> {
    return this.#inTurn(async () => {
      this.#refuseUnlessListed("pushBegun");
      await this.#quiet;
      const writer = await this.#createPackage(size);
      try {
        await this.#take({ type: "pushBegun" }, "promised");
      } catch (error) {
        await writer.discard();
        throw error;
      }
      return new Promise((resolve) => {
        this.#begin(
          "push",
          (work) =>
            new Promise((letGo) => {
              resolve(new PushedPackage(writer, work, letGo));
            }),
        );
      });
    });
  }

  async verified(): Promise<void> {
    await within(this.#options.clock, VERIFY_PATIENCE, this.#verification);
  }

  /** Severity and Maximum Defer Period: kept for Servers and plugins to read. */
  configure(change: Partial<Pick<FirmwareUpdateRecord, "severity" | "maximumDeferSeconds">>): Promise<void> {
    return this.#inTurn(() => this.#keep({ ...this.#record, ...change }, "promised"));
  }

  // ---- What plugins report ----------------------------------------------------------------------------------------

  /** @throws Error naming the legal states, when `reported` is none of them */
  reportState(reported: number): Promise<void> {
    return this.#inTurn(async () => {
      const { state } = this.#record;
      const legal = reportableStates(this.#table, state);
      const to = legal.find((one) => one === reported);
      if (to === undefined) {
        const name = (one: number) => `${stateNames[one] ?? "unknown"} (${one})`;
        throw new Error(
          `Firmware Update cannot go from ${name(stateNumbers[state.name])} to ${name(reported)}; ` +
            `legal now: ${legal.map(name).join(", ")}`,
        );
      }
      if (to === stateNumbers[state.name]) return;
      await this.#take(
        to === 3
          ? { type: "stateReported", state: to, attempt: await this.#newAttempt() }
          : { type: "stateReported", state: to },
        "known",
      );
    });
  }

  /** @throws Error unless `result` is an Update Result of this version */
  reportResult(result: number): Promise<void> {
    return this.#inTurn(async () => {
      if (!isUpdateResult(result)) throw new Error(`${result} is no Update Result; they go from 0 to 11`);
      await this.#take({ type: "resultReported", result }, "known");
    });
  }

  // ---- One event after the other ------------------------------------------------------------------------------------

  async #request(request: ServerRequest): Promise<void> {
    await this.#inTurn(() => this.#take(request, "promised"));
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(act);
    this.#lastTurn = turn.catch(() => undefined); // whoever asked hears of it
    return turn;
  }

  /**
   * @param certainty what is `promised` to a Server must be durable first, or it is refused; what is `known` to have
   *   happened cannot be refused
   */
  async #take(event: FirmwareUpdateEvent, certainty: "promised" | "known"): Promise<void> {
    const before = this.#record.state;
    const { state, effects, answer } = step(this.#table, before, event);
    if (typeof answer === "object") throw refusal(answer.refused, event.type, before.name);
    if (state !== before) {
      const moved = stateNumbers[state.name] !== stateNumbers[before.name];
      const lastStateChange = moved ? this.#unixTime() : this.#record.lastStateChange;
      await this.#keep(
        { ...this.#record, state, ...(lastStateChange !== undefined && { lastStateChange }) },
        certainty,
      );
      if (moved) {
        this.#options.log.info("firmware update", { state: state.name, result: state.result });
        this.#enterState();
      }
    }
    if (this.#closed) return; // the next start goes on from the record
    for (const effect of effects) this.#perform(effect);
  }

  async #keep(record: FirmwareUpdateRecord, certainty: "promised" | "known"): Promise<void> {
    const { store, log, onChange } = this.#options;
    try {
      await store.write(RECORD, encodeFirmwareUpdateRecord(record));
    } catch (error) {
      if (certainty === "promised") throw error;
      // The older record stays true enough: from each of its steps, the next start finds out what happened since.
      log.error("the state of the firmware update cannot be stored", { error });
    }
    const before = this.#record;
    this.#record = record;
    if (!this.#closed) onChange(before, record);
  }

  #enterState(): void {
    this.#episode += 1;
    this.#progress = undefined;
    if (this.#record.state.name !== "downloading") return;
    for (const activity of this.#activities)
      if (outlastsHook(activity.kind)) this.#activities.delete(activity);
  }

  #refuseUnlessListed(type: ServerRequest["type"]): void {
    const { state } = this.#record;
    if (!accepts(this.#table, state, type)) throw refusal("4.05", type, state.name);
  }

  // ---- Effects ------------------------------------------------------------------------------------------------------

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "cancelTransfer":
        this.#cancelTransfer();
        break;
      case "discard":
        this.#discard();
        break;
      default:
        this.#beginEffect(effect);
    }
  }

  #beginEffect(effect: LongEffect): void {
    const answered = this.#answered;
    const done = this.#begin(effect.do, async (work) => {
      await this.#quiet;
      if (!work.signal.aborted) await this.#effects.perform(effect, work, answered);
    });
    if (effect.do === "verify") this.#verification = done;
  }

  #begin(kind: Activity["kind"], act: (work: Work) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const done = act(this.#work(controller.signal)).catch((error: unknown) => {
      if (!controller.signal.aborted) this.#options.log.error("firmware update work failed", { error });
    });
    const activity: Activity = { controller, kind, done };
    this.#activities.add(activity);
    if (!outlastsHook(kind)) void done.then(() => this.#activities.delete(activity));
    return done;
  }

  #work(signal: AbortSignal): Work {
    const episode = this.#episode;
    const isStale = () => signal.aborted || this.#closed || episode !== this.#episode;
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    return {
      signal,
      report: (occurrence: Occurrence) => {
        const turn = this.#inTurn(async () => {
          if (!isStale()) await this.#take(occurrence, "known");
        });
        return Promise.race([turn, aborted]); // who is cancelled must not wait for its turn: others wait for its end
      },
      progress: (progress) => {
        if (!isStale()) this.#progress = progress;
      },
    };
  }

  #cancelTransfer(): void {
    const cancelled = [...this.#activities].filter(({ kind }) => isTransfer(kind));
    for (const activity of cancelled) {
      this.#activities.delete(activity);
      activity.controller.abort(new Error("the package is not wanted any more"));
    }
    const letGo = Promise.all([this.#quiet, ...cancelled.map(({ done }) => done)]);
    this.#quiet = within(this.#options.clock, LET_GO_LIMIT, letGo);
  }

  #discard(): void {
    const { storage, log } = this.#options;
    this.#quiet = this.#quiet
      .then(() => storage.clear())
      .catch((error: unknown) => log.error("the package cannot be removed", { error }));
  }

  async #createPackage(size: number | undefined): Promise<PackageWriter> {
    try {
      return await this.#options.storage.create(size);
    } catch (error) {
      const failure = failureOf(error, "storage");
      await this.#take({ type: "pushRefused", failure }, "known");
      throw new RequestError(failure === "storage" ? "4.13" : "5.00", "the package cannot be stored", {
        cause: error,
      });
    }
  }

  // ---- Facts --------------------------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    const bytes = await store.read(RECORD);
    if (bytes === undefined) return;
    try {
      this.#record = decodeFirmwareUpdateRecord(bytes);
    } catch (error) {
      log.warn("the record of the firmware update is unreadable; it starts from Idle", { error });
    }
  }

  /** undefined when the board cannot tell, which no attempt ever had: the outcome is asked then. */
  async #bootId(): Promise<string | undefined> {
    try {
      return await this.#options.board.bootId();
    } catch (error) {
      this.#options.log.error("the boot cannot be told", { error });
      return undefined;
    }
  }

  async #newAttempt(): Promise<Attempt> {
    const { board, random } = this.#options;
    const id = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const [bootId, { firmwareVersion }] = await Promise.all([board.bootId(), board.describe()]);
    return { id, bootId, previousVersion: firmwareVersion };
  }

  #unixTime(): number {
    return Math.floor(this.#options.clock.date().getTime() / 1000);
  }
}

const isTransfer = (kind: Activity["kind"]) => kind === "download" || kind === "push" || kind === "verify";

/** A hook may have returned while its work goes on; its signal must still fire, until the next package comes. */
const outlastsHook = (kind: Activity["kind"]) => kind === "download" || kind === "apply";

const refusal = (code: RequestError["code"], request: string, state: string) =>
  new RequestError(code, `${request} is not possible while ${state}`);
