/**
 * Runs the table for one Object Instance: takes one event after the other, keeps the state on disk, and has the effects
 * performed. The record is written before a Server is answered and before an effect begins.
 */
import { RequestError } from "../../agent/model/errors.js";
import { type Clock, type PackageWriter, type Store, seconds } from "../../agent/ports.js";
import { uriFault } from "../firmware-update/package-uri.js";
import { PushedPackage } from "../firmware-update/push.js";
import { failureOf } from "../firmware-update/results.js";
import { within } from "../firmware-update/waiting.js";
import { type EffectOptions, Effects, type Work } from "./effects.js";
import { decodeSoftwareRecord, encodeSoftwareRecord, initialRecord, type SoftwareRecord } from "./record.js";
import { imageOf, updateStates } from "./state.js";
import {
  accepts,
  type Effect,
  type Occurrence,
  type ServerRequest,
  type SoftwareEvent,
  step,
} from "./table.js";

export interface RunnerOptions extends EffectOptions {
  /** Tells the record of this software from those of others. */
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
  /** Called after each change, when it is what a Read would see. */
  onChange(before: SoftwareRecord, now: SoftwareRecord): void;
}

/** How long work may take to end when the agent stops. */
const LET_GO_LIMIT = seconds(30);
/** How long the answer to a pushed package waits for its verification. */
const VERIFY_PATIENCE = seconds(5);

/** Something under way. */
interface Activity {
  readonly controller: AbortController;
  /** Resolves when it touches nothing any more. */
  readonly done: Promise<void>;
}

export class SoftwareRunner {
  readonly #options: RunnerOptions;
  readonly #effects: Effects;
  readonly #recordName: string;
  readonly #activities = new Set<Activity>();
  #record: SoftwareRecord = initialRecord;
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** Effects are performed one after the other: the installer and the package on disk have one user at a time. */
  #lastEffect: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#effects = new Effects(options);
    this.#recordName = `software-management-${options.name}`;
  }

  get record(): SoftwareRecord {
    return this.#record;
  }

  /** Goes on from where the last run ended. */
  async start(): Promise<void> {
    await this.#load();
    const packageIntact = await this.#effects.isIntact(imageOf(this.#record.state));
    await this.#inTurn(() => this.#take({ type: "agentStarted", packageIntact }, "known"));
  }

  /** Ends what is under way without a change of state: the next start goes on. */
  async close(): Promise<void> {
    this.#closed = true;
    const activities = [...this.#activities];
    for (const { controller } of activities) controller.abort(new Error("the agent stops"));
    const ended = Promise.all([...activities.map(({ done }) => done), this.#lastEffect]);
    await within(this.#options.clock, LET_GO_LIMIT, ended);
    await this.#lastTurn;
  }

  // ---- What Servers ask for ---------------------------------------------------------------------------------------

  async writePackageUri(uri: string): Promise<void> {
    const schemes = new Set(this.#options.downloaders.flatMap(({ schemes }) => schemes));
    const fault = uriFault(uri, schemes);
    await this.request({ type: "packageUriWritten", uri, ...(fault && { fault }) });
  }

  /** @throws RequestError 4.05 when the state does not allow it */
  async request(request: ServerRequest): Promise<void> {
    await this.#inTurn(() => this.#take(request, "promised"));
  }

  /** @throws RequestError 4.05 when the state does not allow it now */
  refuseUnlessListed(type: ServerRequest["type"]): void {
    const { state } = this.#record;
    if (!accepts(state, type)) throw refusal("4.05", type, state.name);
  }

  openPush(size: number | undefined): Promise<PushedPackage> {
    return this.#inTurn(async () => {
      this.refuseUnlessListed("pushBegun");
      await this.#lastEffect; // an older package may still be on its way out
      const writer = await this.#createPackage(size);
      try {
        await this.#take({ type: "pushBegun" }, "promised");
      } catch (error) {
        await writer.discard();
        throw error;
      }
      return new Promise((resolve) => {
        this.#begin((work) => new Promise((letGo) => resolve(new PushedPackage(writer, work, letGo))));
      });
    });
  }

  /** Waits a moment for the verification of what was pushed, so that the answer finds the final State. */
  async verified(): Promise<void> {
    await within(this.#options.clock, VERIFY_PATIENCE, this.#lastEffect);
  }

  configure(change: Pick<SoftwareRecord, "updateSupportedObjects">): Promise<void> {
    return this.#inTurn(async () => {
      await this.#keep({ ...this.#record, ...change }, "promised");
    });
  }

  // ---- One event after the other ------------------------------------------------------------------------------------

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(act);
    this.#lastTurn = turn.catch(() => undefined); // whoever asked hears of it
    return turn;
  }

  /**
   * @param certainty what is `promised` to a Server must be durable first, or it is refused; what is `known` to have
   *   happened cannot be refused
   */
  async #take(event: SoftwareEvent, certainty: "promised" | "known"): Promise<void> {
    const before = this.#record.state;
    const { state, effects, answer } = step(before, event);
    if (typeof answer === "object") throw refusal(answer.refused, event.type, before.name);
    const isDurable = state === before || (await this.#keep({ ...this.#record, state }, certainty));
    if (updateStates[state.name] !== updateStates[before.name]) {
      const { log, name } = this.#options;
      log.info("software", { software: name, state: state.name, result: state.result });
    }
    if (this.#closed) return; // the next start goes on from the record
    for (const effect of effects) {
      // An older record on disk may need the package again; one that is not needed goes at the next start.
      if (effect.do !== "discard" || isDurable) this.#perform(effect);
    }
  }

  /** @returns whether the record is durable */
  async #keep(record: SoftwareRecord, certainty: "promised" | "known"): Promise<boolean> {
    const { store, log, onChange } = this.#options;
    let isDurable = true;
    try {
      await store.write(this.#recordName, encodeSoftwareRecord(record));
    } catch (error) {
      if (certainty === "promised") throw error;
      isDurable = false; // the next start repeats the step that the older record tells of
      log.error("the state of the software cannot be stored", { software: this.#options.name, error });
    }
    const before = this.#record;
    this.#record = record;
    if (!this.#closed) onChange(before, record);
    return isDurable;
  }

  // ---- Effects ------------------------------------------------------------------------------------------------------

  #perform(effect: Effect): void {
    const before = this.#lastEffect;
    this.#lastEffect = this.#begin(async (work) => {
      await before;
      if (work.signal.aborted) return;
      if (effect.do === "discard") await this.#discard();
      else await this.#effects.perform(effect, work);
    });
  }

  #begin(act: (work: Work) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    const report = (occurrence: Occurrence) =>
      this.#inTurn(async () => {
        if (!signal.aborted) await this.#take(occurrence, "known");
      });
    const done = act({ signal, report }).catch((error: unknown) => {
      if (!signal.aborted) this.#options.log.error("software work failed", { error });
    });
    const activity: Activity = { controller, done };
    this.#activities.add(activity);
    void done.then(() => this.#activities.delete(activity));
    return done;
  }

  async #discard(): Promise<void> {
    try {
      await this.#options.storage.clear();
    } catch (error) {
      this.#options.log.error("the package cannot be removed", { error });
    }
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

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    const bytes = await store.read(this.#recordName);
    if (bytes === undefined) return;
    try {
      this.#record = decodeSoftwareRecord(bytes);
    } catch (error) {
      log.warn("the record of the software is unreadable; it starts from INITIAL", {
        software: this.#options.name,
        error,
      });
    }
  }
}

const refusal = (code: RequestError["code"], request: string, state: string) =>
  new RequestError(code, `${request} is not possible while ${state}`);
