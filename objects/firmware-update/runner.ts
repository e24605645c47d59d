/**
 * Runs the table: takes one event after the other, keeps the state on disk, and has the effects performed. The record
 * is written before a Server is answered and before an effect begins, so after a power cut it never claims less than
 * what was promised, nor is anything irreversible begun that it does not know of.
 */
import type { AfterResponse } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import {
  type Millis,
  type PackageFailure,
  type PackageWriter,
  type Random,
  type Store,
  seconds,
} from "../../agent/ports.js";
import { Activities } from "./activities.js";
import type { EffectOptions, FirmwareUpdateProgress, Waiting, Work } from "./effect-options.js";
import { Effects, type LongEffect } from "./effects.js";
import type { Effect, FirmwareUpdateEvent, Occurrence, ServerRequest, Upgrade } from "./events.js";
import { outcomeOf } from "./outcome.js";
import { MAX_URI_BYTES, uriFault } from "./package-uri.js";
import { PushedPackage } from "./push.js";
import {
  decodeFirmwareUpdateRecord,
  encodeFirmwareUpdateRecord,
  type FirmwareUpdateRecord,
  initialRecord,
} from "./record.js";
import { failureOf, isUpdateResult, reasonOf, updateResults } from "./results.js";
import { type Attempt, imageOf, stateNames, stateNumbers } from "./state.js";
import { accepts, firmwareUpdateTable, reportableStates, step, type Table } from "./table.js";
import type { TrialPhase, TrialStatus } from "./trial.js";
import { within } from "./waiting.js";

export interface RunnerOptions extends EffectOptions {
  readonly store: Store;
  readonly random: Random;
  /** How often an interrupted update is taken up again before it counts as failed; 2 unless told. */
  readonly maxResumes?: number;
  /** In the Store; `firmware-update` unless told. */
  readonly recordName?: string;
  /** Called before a package is taken. Throws a RequestError when none may come now. */
  admit?(): void;
  /** Called after each change, when it is what a Read would see. */
  onChange(before: FirmwareUpdateRecord, now: FirmwareUpdateRecord): void;
}

/** How long the answer to a pushed package waits for its verification, and that to Update for the operator's word. */
const ANSWER_PATIENCE = seconds(5);

export class FirmwareUpdateRunner {
  readonly #options: RunnerOptions;
  readonly #table: Table;
  readonly #effects: Effects;
  readonly #activities: Activities;
  readonly #recordName: string;
  #record: FirmwareUpdateRecord = initialRecord;
  /** Counts the changes of State; work reports into the State that it was begun for, and no other. */
  #episode = 0;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #answered: Promise<void> = Promise.resolve();
  #verification: Promise<void> = Promise.resolve();
  /** Resolves when the operator has said whether the update may begin. */
  #decision = createDecision();
  #progress: FirmwareUpdateProgress | undefined;
  #waiting: Waiting | undefined;
  #trying: { readonly phase: TrialPhase; readonly ends: Millis } | undefined;
  #closed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#table = firmwareUpdateTable({
      maxResumes: options.maxResumes ?? 2,
      isGated: options.gate !== undefined,
      ...(options.trial && { maximumBoots: options.trial.maximumBoots }),
    });
    this.#recordName = options.recordName ?? "firmware-update";
    this.#activities = new Activities(options);
    this.#effects = new Effects(options, () => this.#record);
  }

  get record(): FirmwareUpdateRecord {
    return this.#record;
  }

  get progress(): FirmwareUpdateProgress | undefined {
    return this.#progress;
  }

  /** What the update waits for; undefined while it goes on, and when there is none. */
  get waiting(): Waiting | undefined {
    return this.#waiting;
  }

  get trial(): TrialStatus | undefined {
    if (this.#trying === undefined) return undefined;
    const { phase, ends } = this.#trying;
    return { phase, secondsLeft: Math.max(0, Math.ceil((ends - this.#options.clock.now()) / 1000)) };
  }

  /** The operator may think otherwise by now: what waits for him asks at once. */
  askAgain(): void {
    this.#effects.askAgain();
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
    await this.#activities.close();
    await this.#lastTurn;
    await this.#activities.quiet;
  }

  // ---- What Servers ask for ---------------------------------------------------------------------------------------

  async writePackageUri(uri: string): Promise<void> {
    if (uri === "") return this.reset();
    this.#options.admit?.();
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

  /**
   * The installation begins when what this returns is called, for then the Server has its answer. Where the operator has a
   * say it is waited for, a moment: the Server finds State 3, or State 2 and Result 11.
   */
  async executeUpdate(): Promise<AfterResponse> {
    let answer = () => {};
    await this.#inTurn(async () => {
      this.#refuseUnlessListed("updateExecuted");
      const upgrade = await this.#newUpgrade();
      const before = this.#answered;
      this.#answered = new Promise((resolve) => {
        answer = resolve;
      });
      try {
        await this.#take({ type: "updateExecuted", ...upgrade }, "promised");
      } catch (error) {
        this.#answered = before;
        throw error;
      }
    });
    if (this.#record.state.name === "downloaded" && this.#record.state.request) {
      await within(this.#options.clock, ANSWER_PATIENCE, this.#decision.made);
    }
    return answer;
  }

  /** The update that was to begin needs another component first. */
  refuseForDependency(reason: string): Promise<void> {
    return this.#inTurn(() => this.#take({ type: "dependencyMissing", reason }, "known"));
  }

  openPush(size: number | undefined): Promise<PushedPackage> {
    return this.#inTurn(async () => {
      this.#refuseUnlessListed("pushBegun");
      this.#options.admit?.();
      await this.#askForPush();
      await this.#activities.quiet;
      const writer = await this.#createPackage(size);
      try {
        await this.#take({ type: "pushBegun" }, "promised");
      } catch (error) {
        await writer.discard();
        throw error;
      }
      return new Promise((resolve) => {
        void this.#activities.begin(
          "push",
          (signal) =>
            new Promise((letGo) => {
              resolve(new PushedPackage(writer, this.#work(signal), letGo));
            }),
        );
      });
    });
  }

  async verified(): Promise<void> {
    await within(this.#options.clock, ANSWER_PATIENCE, this.#verification);
  }

  /** What Servers write beside: it counts from the next question to the operator on, which is asked at once. */
  async configure(
    change: Partial<Pick<FirmwareUpdateRecord, "severity" | "maximumDeferSeconds" | "automaticUpgrade">>,
  ): Promise<void> {
    await this.#inTurn(() => this.#keep({ ...this.#record, ...change }, "promised"));
    this.#effects.askAgain();
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
      const attempt = to === 3 ? await this.#newAttempt() : undefined;
      await this.#take(
        attempt === undefined || to !== 3
          ? { type: "stateReported", state: to as 0 | 1 | 2 }
          : { type: "stateReported", state: to, attempt },
        "known",
      );
    });
  }

  /** @throws Error unless `result` is an Update Result of this version */
  reportResult(result: number): Promise<void> {
    return this.#inTurn(async () => {
      if (!isUpdateResult(result) || result > updateResults.deferred)
        throw new Error(`${result} is no Update Result; they go from 0 to 11`);
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
  async #take(given: FirmwareUpdateEvent, certainty: "promised" | "known"): Promise<void> {
    const before = this.#record.state;
    const event = await this.#withUpgrade(given);
    const { state, effects, answer } = step(this.#table, before, event);
    if (typeof answer === "object") throw refusal(answer.refused, event.type, before.name);
    if (state !== before) {
      const moved = stateNumbers[state.name] !== stateNumbers[before.name];
      const outcome = outcomeOf(before, event, state);
      await this.#keep(
        {
          ...this.#record,
          state,
          ...(moved && { lastStateChange: this.#unixTime() }),
          ...(outcome && { lastOutcome: { ...outcome, at: this.#unixTime() } }),
        },
        certainty,
      );
      if (moved) {
        this.#options.log.info("firmware update", { state: state.name, result: state.result });
        this.#enterState();
      }
      if (outcome) this.#options.log.info("firmware update ended", { ...outcome });
    }
    if (state.name !== "updating" || state.step !== "trial") this.#trying = undefined;
    if (decisions.has(event.type)) this.#decision.make();
    if (this.#closed) return; // the next start goes on from the record
    for (const effect of effects) this.#perform(effect);
  }

  /** Automatic Upgrade (/5/0/14): whoever has it set need not execute Update. */
  async #withUpgrade(event: FirmwareUpdateEvent): Promise<FirmwareUpdateEvent> {
    const arrives = event.type === "verified" || (event.type === "stateReported" && event.state === 2);
    if (!arrives || this.#record.automaticUpgrade !== true) return event;
    try {
      return { ...event, upgrade: await this.#newUpgrade() };
    } catch (error) {
      this.#options.log.error("the automatic upgrade cannot begin; it waits for an Update", { error });
      return event;
    }
  }

  async #keep(record: FirmwareUpdateRecord, certainty: "promised" | "known"): Promise<void> {
    const { store, log, onChange } = this.#options;
    try {
      await store.write(this.#recordName, encodeFirmwareUpdateRecord(record));
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
    this.#waiting = undefined;
    this.#trying = undefined;
    if (this.#record.state.name === "downloading") this.#activities.forgetHooks();
  }

  #refuseUnlessListed(type: ServerRequest["type"]): void {
    const { state } = this.#record;
    if (!accepts(this.#table, state, type)) throw refusal("4.05", type, state.name);
  }

  // ---- Effects ------------------------------------------------------------------------------------------------------

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "cancelTransfer":
        this.#activities.cancelTransfer();
        this.#waiting = undefined;
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
    if (effect.do === "askPermission") this.#decision = createDecision();
    const done = this.#activities.begin(effect.do, async (signal) => {
      const work = this.#work(signal);
      await this.#activities.quiet;
      if (!signal.aborted) await this.#effects.perform(effect, work, answered);
    });
    if (effect.do === "verify") this.#verification = done;
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
      waiting: (waiting) => {
        if (isStale()) return;
        if (waiting) this.#options.log.info("firmware update waits", { ...waiting });
        this.#waiting = waiting;
      },
      trying: (phase, ends) => {
        if (isStale()) return;
        this.#waiting = undefined;
        this.#trying = { phase, ends };
      },
    };
  }

  #discard(): void {
    const { storage, log } = this.#options;
    this.#activities.thenQuietly(() =>
      storage.clear().catch((error: unknown) => log.error("the package cannot be removed", { error })),
    );
  }

  /** A Server that pushes cannot be kept waiting: it is told to come again. */
  async #askForPush(): Promise<void> {
    try {
      const answer = await this.#effects.mayPush(new AbortController().signal);
      if (answer !== "go") throw new RequestError("5.03", `no package now: ${answer.later}`);
    } catch (error) {
      if (error instanceof RequestError) throw error;
      await this.#refusePush(failureOf(error, "failed"), error);
    }
  }

  async #refusePush(failure: PackageFailure, error: unknown): Promise<never> {
    await this.#take({ type: "pushRefused", failure, reason: reasonOf(error) }, "known");
    throw new RequestError(failure === "storage" ? "4.13" : "5.00", "the package is not taken", {
      cause: error,
    });
  }

  async #createPackage(size: number | undefined): Promise<PackageWriter> {
    try {
      return await this.#options.storage.create(size);
    } catch (error) {
      return this.#refusePush(failureOf(error, "storage"), error);
    }
  }

  // ---- Facts --------------------------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    const bytes = await store.read(this.#recordName);
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

  async #newUpgrade(): Promise<Upgrade> {
    return {
      attempt: await this.#newAttempt(),
      by: this.#options.hooks?.updateExecuted ? "plugin" : "board",
    };
  }

  async #newAttempt(): Promise<Attempt> {
    const { board, random, connectivity } = this.#options;
    const id = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const [bootId, { firmwareVersion }] = await Promise.all([board.bootId(), board.describe()]);
    const servers = connectivity?.registered();
    return { id, bootId, previousVersion: firmwareVersion, ...(servers && { servers: [...servers] }) };
  }

  #unixTime(): number {
    return Math.floor(this.#options.clock.date().getTime() / 1000);
  }
}

/** What the operator may say of an update that asks to begin. */
const decisions: ReadonlySet<FirmwareUpdateEvent["type"]> = new Set(["permitted", "deferred", "forbidden"]);

function createDecision() {
  let make = () => {};
  const made = new Promise<void>((resolve) => {
    make = resolve;
  });
  return { made, make };
}

const refusal = (code: RequestError["code"], request: string, state: string) =>
  new RequestError(code, `${request} is not possible while ${state}`);
