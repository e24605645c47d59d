/** Bootstraps: performs what the bootstrap table orders, and answers the Bootstrap-Server meanwhile. */
import { contentFormats } from "../../codec/content-format.js";
import type { AfterResponse } from "../../model/definition.js";
import { DecodeError, RequestError } from "../../model/errors.js";
import type { Clock, Log, Random, Timer } from "../../ports.js";
import { millis } from "../../ports.js";
import type { Accounts, BootstrapAccount } from "../accounts.js";
import type { ObjectTree } from "../object-tree.js";
import { isSince, type LwM2mVersion, type Reply } from "../operations.js";
import { step, type Table } from "../state-machine.js";
import type { BootstrapAccounts } from "./account-transaction.js";
import type { BootstrapRunner } from "./bootstrap-runner.js";
import type { BootstrapConnection, BootstrapPackAnswer } from "./connection.js";
import { performDeletions } from "./deletions.js";
import type { BootstrapOperation } from "./operations.js";
import { BootstrapSession } from "./session.js";
import {
  type BootstrapEffect,
  type BootstrapEvent,
  type BootstrapState,
  bootstrapTable,
  type CommitFailure,
} from "./table.js";

export interface BootstrapOptions {
  readonly endpointName: string;
  readonly version: LwM2mVersion;
  readonly tree: ObjectTree;
  readonly accounts: Pick<Accounts, "bootstrapServer">;
  readonly accountTransactions: BootstrapAccounts;
  /** The way to the Bootstrap-Server. Requests from there come to `perform` until the next bootstrap. */
  readonly connect: (account: BootstrapAccount) => BootstrapConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What we ask the Bootstrap-Server to write in. */
const preferredFormat = contentFormats.senmlCbor;

/** Waits are up to half as long again. */
const largestSpread = 0.5;

export class Bootstrap implements BootstrapRunner {
  readonly #options: BootstrapOptions;
  readonly #table: Table<BootstrapState, BootstrapEvent, BootstrapEffect>;
  #state: BootstrapState = { name: "idle", failures: 0 };
  #timer: Timer | undefined;
  #connection: BootstrapConnection | undefined;
  #session: Promise<BootstrapSession> | undefined;
  /** One session ends before the next begins. */
  #lastEnd: Promise<void> = Promise.resolve();
  #pack: (BootstrapPackAnswer & { type: "pack" }) | undefined;
  /** What was sent before its state was left is not waited for any more. */
  #exchange = 0;
  /** One operation after the other, in the order of their arrival. */
  #lastOperation: Promise<unknown> = Promise.resolve();
  #run: { readonly outcome: Promise<"done" | "failed">; end(outcome: "done" | "failed"): void } | undefined;

  constructor(options: BootstrapOptions) {
    const { version, accounts, random } = options;
    this.#options = options;
    this.#table = bootstrapTable({
      holdOffSeconds: () => accounts.bootstrapServer()?.holdOffSeconds ?? 0,
      asksForPack: isSince(version, "1.2"),
      spread: (wait) => millis(wait * (1 + random.fraction() * largestSpread)),
    });
  }

  get available(): boolean {
    return this.#options.accounts.bootstrapServer() !== undefined;
  }

  get state(): BootstrapState {
    return this.#state;
  }

  /** Is the Bootstrap-Server at work? */
  get isOpen(): boolean {
    return ["asking", "open", "finishing"].includes(this.#state.name);
  }

  /** May the Bootstrap-Server speak to us? Outside a bootstrap it is not heard. */
  get listens(): boolean {
    return this.isOpen || this.#state.name === "lingering";
  }

  async run(signal: AbortSignal): Promise<"done" | "failed"> {
    const account = this.#options.accounts.bootstrapServer();
    if (account === undefined || signal.aborted) return "failed";
    const stop = () => this.close();
    signal.addEventListener("abort", stop);
    try {
      return await (this.#run?.outcome ?? this.#start(account));
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Ends whatever goes on; what is not durable is forgotten. */
  close(): void {
    this.#handle({ type: "stop" });
  }

  #start(account: BootstrapAccount): Promise<"done" | "failed"> {
    let end: (outcome: "done" | "failed") => void = () => undefined;
    const outcome = new Promise<"done" | "failed">((resolve) => (end = resolve));
    this.#run = { outcome, end };
    this.#connection = this.#options.connect(account);
    this.#options.log.info("bootstrapping", { uri: account.uri });
    this.#handle({ type: "start" });
    return outcome;
  }

  // ---- The Bootstrap-Server -------------------------------------------------------------------------------------

  /** @throws RequestError or DecodeError: `responseCodeOf` says what the Bootstrap-Server sees */
  perform(operation: BootstrapOperation): Promise<Reply> {
    const turn = this.#lastOperation.then(() =>
      operation.kind === "finish" ? this.#finish() : this.#perform(operation),
    );
    this.#lastOperation = turn.catch(() => undefined); // whoever asked hears of it
    return turn;
  }

  async #perform(operation: Exclude<BootstrapOperation, { kind: "finish" }>): Promise<Reply> {
    const reply = (await this.#openSession()).perform(operation);
    this.#handle({ type: "operation" });
    return reply;
  }

  async #finish(): Promise<Reply> {
    if (this.#state.name === "lingering" || this.#state.name === "finishing") return { code: "2.04" };
    const session = await this.#openSession();
    const problems = session.problems();
    if (problems.length > 0) {
      this.#options.log.warn("bootstrap inconsistent", { problems });
      throw new RequestError("4.06", `the configuration is inconsistent: ${problems.join("; ")}`);
    }
    this.#handle({ type: "finish" });
    return this.#commit(session);
  }

  /**
   * 5.00 when it cannot be made durable: an answer, no error, for the log has heard all about it.
   * @throws RequestError 4.06 when an Object refuses what was written
   */
  async #commit(session: BootstrapSession): Promise<Reply> {
    try {
      const afters = await this.#commitAll(session);
      const after = () => {
        this.#handle({ type: "committed" });
        for (const one of afters) one();
      };
      return { code: "2.04", after };
    } catch (error) {
      const failure = commitFailure(error);
      this.#handle({ type: "notCommitted", ...failure });
      if (error instanceof RequestError) throw new RequestError("4.06", failure.reason, { cause: error });
      return { code: "5.00" };
    }
  }

  async #commitAll(session: BootstrapSession): Promise<AfterResponse[]> {
    const { tree, accountTransactions, log } = this.#options;
    const afters = await session.commit();
    await performDeletions(tree, accountTransactions, log);
    return afters;
  }

  #openSession(): Promise<BootstrapSession> {
    const isOpen = this.#state.name === "asking" || this.#state.name === "open";
    if (this.#session === undefined || !isOpen) {
      throw new RequestError("4.01", "no bootstrap is going on");
    }
    return this.#session;
  }

  // ---- The table ------------------------------------------------------------------------------------------------

  #handle(event: BootstrapEvent): void {
    const before = this.#state;
    const [state, ...effects] = step(this.#table, before, event);
    this.#state = state;
    if (state.name !== before.name) {
      this.#timer?.cancel(); // leaving a state ends its wait
      this.#options.log.debug("bootstrap state", { from: before.name, to: state.name, on: event.type });
    }
    for (const effect of effects) this.#performEffect(effect);
  }

  #performEffect(effect: BootstrapEffect): void {
    const { clock, log } = this.#options;
    switch (effect.do) {
      case "wait":
        this.#timer?.cancel();
        this.#timer = clock.after(effect.duration, () => this.#handle({ type: "timerFired" }));
        return;
      case "request":
        this.#ask(() => this.#request(effect.withFormat));
        return;
      case "requestPack":
        this.#ask(() => this.#requestPack());
        return;
      case "applyPack":
        this.#ask(() => this.#applyPack());
        return;
      case "rollback":
        this.#exchange++;
        this.#endSession();
        return;
      case "report": {
        const { failure: reason, advice } = effect;
        const next = this.#state.name;
        if (advice === undefined) log.warn("bootstrap failed", { reason, next });
        else log.error("bootstrap failed", { reason, advice, next });
        return;
      }
      case "end":
        this.#exchange++;
        this.#endSession();
        if (effect.outcome === "done") log.info("bootstrapped");
        this.#run?.end(effect.outcome);
        this.#run = undefined;
        return;
    }
  }

  /** What fails in a way of its own is a mistake in this program, and no reason to give up. */
  #ask(question: () => Promise<BootstrapEvent>): void {
    const exchange = ++this.#exchange;
    void question()
      .catch((error: unknown): BootstrapEvent => {
        this.#options.log.error("bootstrap message not sent", { error });
        return { type: "unanswered", reason: "the message could not be sent" };
      })
      .then((event) => {
        if (exchange === this.#exchange) this.#handle(event);
      });
  }

  async #request(withFormat: boolean): Promise<BootstrapEvent> {
    const { endpointName, version } = this.#options;
    await this.#begun();
    return this.#connected().request({
      endpointName,
      preferredFormat: withFormat && isSince(version, "1.1") ? preferredFormat : undefined,
    });
  }

  async #requestPack(): Promise<BootstrapEvent> {
    const { endpointName, accounts } = this.#options;
    const { securityInstanceId, oscore } = accounts.bootstrapServer() ?? {};
    const links = [`</0/${securityInstanceId ?? 0}>`];
    if (oscore !== undefined) links.push(`</${oscore.objectId}/${oscore.objectInstanceId}>`);
    const answer = await this.#connected().requestPack({
      endpointName,
      accountLinks: links.join(","),
      accept: preferredFormat,
    });
    if (answer.type !== "pack") return answer;
    this.#pack = answer;
    return { type: "packReceived" };
  }

  async #applyPack(): Promise<BootstrapEvent> {
    const pack = this.#pack;
    this.#pack = undefined;
    try {
      if (pack === undefined) throw new Error("there is no pack");
      const session = await this.#begun();
      session.applyPack(pack.contentFormat, pack.payload);
      const problems = session.problems();
      if (problems.length > 0) return { type: "notCommitted", reason: problems.join("; ") };
      const afters = await this.#commitAll(session);
      for (const after of afters) after();
      return { type: "committed" };
    } catch (error) {
      return { type: "notCommitted", ...commitFailure(error) };
    }
  }

  #connected(): BootstrapConnection {
    if (this.#connection === undefined) throw new Error("there is no Bootstrap-Server");
    return this.#connection;
  }

  #begun(): Promise<BootstrapSession> {
    const { tree, version, accountTransactions } = this.#options;
    this.#session ??= this.#lastEnd
      .then(() => accountTransactions.begin())
      .then((accounts) => new BootstrapSession({ tree, accounts, version }));
    return this.#session;
  }

  #endSession(): void {
    if (this.#session === undefined) return;
    this.#lastEnd = this.#session.then(
      (session) => session.end(),
      () => undefined, // it never began, and whoever asked for it heard why
    );
    this.#session = undefined;
  }
}

/** What the Bootstrap-Server wrote may be at fault, or the device: then its operator has to know. */
function commitFailure(error: unknown): CommitFailure {
  const reason = reasonOf(error);
  if (error instanceof RequestError || error instanceof DecodeError) return { reason };
  return { reason, advice: "make room in the state directory and make it writable; the old accounts stay" };
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(reasonOf)].join("; ");
  return error instanceof Error ? error.message : String(error);
}
