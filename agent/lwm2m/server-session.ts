import { type Clock, type Log, type Millis, millis, seconds, type Timer } from "../ports.js";
import { AwakeWindow } from "./awake-window.js";
import type { Origin } from "./operations.js";
import { adviceFor } from "./refusal.js";
import {
  type FailedOutcome,
  type Registration,
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationSettings,
  type RegistrationState,
  registrationTable,
} from "./registration.js";
import type { RememberedRegistration } from "./registration-memory.js";
import type { Offer } from "./registration-offer.js";
import { changesOf, type RegistrationTerms } from "./registration-terms.js";
import type { RegisterRequest, RegistrationAnswer, ServerConnection } from "./server-connection.js";
import { step, type Table } from "./state-machine.js";

export interface ServerSessionOptions {
  readonly shortServerId: number;
  readonly connection: ServerConnection;
  readonly settings: () => RegistrationSettings;
  /** What the Server should know now, in the words of that version. */
  readonly terms: (version: Registration["version"]) => RegistrationTerms;
  /** The Register that says so. */
  readonly registerRequest: (offer: Offer, terms: RegistrationTerms) => RegisterRequest;
  /** How long the client listens after a message, in queue mode; undefined: always. */
  readonly awakeTime: Millis | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly on: SessionListener;
}

export interface SessionListener {
  stateChanged(state: RegistrationState): void;
  /** Attempts have come to nothing. */
  failed(outcome: FailedOutcome): void;
  /** The observations of this Server are void. */
  forgetObservations(): void;
  /** The Server has just answered a Register or an Update: what waited for it may go out. */
  online(): void;
  /** What to know after a restart of the program; undefined: nothing. */
  remember(registration: RememberedRegistration | undefined): void;
}

/** For people who look after the device. Times are of the calendar as it is now, whatever it was then. */
export interface RegistrationStatus {
  readonly state: RegistrationState["name"];
  /** When the Server took the Register; only while registered. */
  readonly since?: Date;
  /** When the next message is due: an Update, or another attempt. */
  readonly next?: Date;
  /** Why a Register or Update last came to nothing, also when one since went well. */
  readonly lastFailure?: { readonly at: Date; readonly reason: string };
}

/** A Server that is gone must not keep the program from ending. */
const deregistrationPatience = seconds(5);

/** The life of the registration with one Server: performs what the registration table orders. */
export class ServerSession {
  readonly shortServerId: number;
  readonly #options: ServerSessionOptions;
  readonly #table: Table<RegistrationState, RegistrationEvent, RegistrationEffect>;
  readonly #awake: AwakeWindow | undefined;
  #state: RegistrationState = { name: "unregistered" };
  /** Ready to be asked for with each request. */
  #origin: Origin | undefined;
  #told: RegistrationTerms | undefined;
  #timer: Timer | undefined;
  /** On the monotonic clock, as the two below. */
  #due: Millis | undefined;
  #registeredAt: Millis | undefined;
  #lastFailure: { readonly at: Millis; readonly reason: string } | undefined;
  /** The one on the wire; an answer that comes after its state was left is dropped. */
  #exchange = new AbortController();
  #deregistering: Promise<void> = Promise.resolve();

  constructor(options: ServerSessionOptions) {
    const { shortServerId, awakeTime, clock } = options;
    this.#options = options;
    this.shortServerId = shortServerId;
    this.#table = registrationTable(options.settings);
    const turned = (to: string) => () => {
      options.log.debug("queue mode", { to });
      this.#refreshOrigin();
    };
    this.#awake =
      awakeTime &&
      new AwakeWindow({ clock, duration: awakeTime, onSleep: turned("asleep"), onWake: turned("awake") });
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /**
   * undefined unless the Server may speak to us: only between its answer to a Register and our De-register, and in queue
   * mode only while we listen. What comes at other times is dropped as if the radio were off. The socket stays open all
   * the same: a Server without security knows us by its port.
   */
  get origin(): Origin | undefined {
    return this.#origin;
  }

  /** As `origin`, also while we sleep: what goes out by our own will wakes us. */
  get registeredOrigin(): Origin | undefined {
    const version = registrationOf(this.#state)?.version;
    return version && { shortServerId: this.shortServerId, version };
  }

  get connection(): ServerConnection {
    return this.#options.connection;
  }

  get isOnline(): boolean {
    return registrationOf(this.#state) !== undefined;
  }

  get isAwake(): boolean {
    return this.#awake?.isAwake ?? true;
  }

  status(): RegistrationStatus {
    const { clock } = this.#options;
    const calendar = (at: Millis) => new Date(clock.date().getTime() + at - clock.now());
    const since = this.isOnline ? this.#registeredAt : undefined;
    return {
      state: this.#state.name,
      ...(since !== undefined && { since: calendar(since) }),
      ...(this.#due !== undefined && { next: calendar(this.#due) }),
      ...(this.#lastFailure && {
        lastFailure: { at: calendar(this.#lastFailure.at), reason: this.#lastFailure.reason },
      }),
    };
  }

  /** Its turn has come. */
  start(delay: Millis): void {
    this.#handle({ type: "start", delay });
  }

  /**
   * Takes up the registration of an earlier run with an Update that says what changed. From another address or port it
   * would reach the Server as a stranger's: then, and where the registration is gone, a Register follows.
   */
  resume({ location, version, told, local }: RememberedRegistration, delay: Millis): void {
    const { connection } = this.#options;
    const { signal } = this.#begin();
    connection
      .localSocket()
      .then(
        ({ transport, address, port }) =>
          transport === local.transport && address === local.address && port === local.port,
      )
      .catch(() => false) // the Register will say what is wrong with the network
      .then((isSame) => {
        if (signal.aborted) return;
        if (isSame) this.#told = told;
        this.#handle(
          isSame ? { type: "resume", registration: { location, version } } : { type: "start", delay },
        );
      });
  }

  /** Something that the Server should know may have changed. */
  changed(): void {
    this.#handle({ type: "changed" });
  }

  triggerUpdate(): void {
    this.#handle({ type: "updateTriggered" });
  }

  /** What the Server observed in an earlier run does not go on: a Register tells it so (Core §6.2.1). */
  observationsLost(): void {
    this.#handle({ type: "observationsLost" });
  }

  networkChanged(): void {
    this.#handle({ type: "networkChanged" });
  }

  /** By Execute of Disable: leave, and come back after `duration`. */
  disable(duration: Millis): void {
    this.#handle({ type: "disabled", duration });
  }

  /** A message went to the Server, or came from it. */
  traffic(direction: "sent" | "received"): void {
    this.#awake?.[direction]();
  }

  /** De-registers if that makes sense; resolves when the Server answered, or will not in time. */
  async stop(): Promise<void> {
    this.#handle({ type: "stop" });
    const { clock, log } = this.#options;
    await new Promise<void>((resolve) => {
      const patience = clock.after(deregistrationPatience, () => {
        this.#exchange.abort(); // nobody waits for its end any more
        log.warn("not deregistered", { reason: "the Server does not answer" });
        resolve();
      });
      void this.#deregistering.then(() => {
        patience.cancel();
        resolve();
      });
    });
    this.#awake?.close();
  }

  /** Ends without a word, as a restart of the board does, and where the account is gone. */
  abandon(): void {
    this.#timer?.cancel();
    this.#exchange.abort();
    this.#awake?.close();
    this.#state = { name: "unregistered" };
    this.#due = undefined;
    this.#refreshOrigin();
  }

  #handle(event: RegistrationEvent): void {
    const before = this.#state;
    const [state, ...effects] = step(this.#table, before, event);
    this.#state = state;
    if (event.type === "failed") {
      this.#lastFailure = { at: this.#options.clock.now(), reason: event.failure.reason };
    }
    if (state.name !== before.name) {
      this.#due = undefined;
      this.#timer?.cancel(); // leaving a state ends its wait, and its exchange; only a De-register outlives its state
      if (before.name === "registering" || before.name === "updating") this.#exchange.abort();
      this.#entered(state, before, event);
    }
    for (const effect of effects) this.#perform(effect);
    if (event.type === "accepted" || event.type === "updated") this.#options.on.online();
  }

  #entered(state: RegistrationState, before: RegistrationState, { type }: RegistrationEvent): void {
    const { log, on } = this.#options;
    this.#refreshOrigin();
    if (registrationOf(before) === undefined) this.#registeredAt = this.#options.clock.now();
    log.debug("registration state", { from: before.name, to: state.name, on: type });
    if (state.name === "registered" && before.name === "registering") {
      const { location, version } = state.registration;
      log.info("registered", { location: `/${location.join("/")}`, version });
    }
    if (registrationOf(state) === undefined && registrationOf(before) !== undefined) on.remember(undefined);
    on.stateChanged(state);
  }

  #refreshOrigin(): void {
    const version = registrationOf(this.#state)?.version;
    const { shortServerId } = this;
    this.#origin = version === undefined || !this.isAwake ? undefined : { shortServerId, version };
  }

  #perform(effect: RegistrationEffect): void {
    const { on, clock, log } = this.#options;
    switch (effect.do) {
      case "register":
        this.#register(effect.offer);
        return;
      case "update":
        this.#update(effect.registration);
        return;
      case "deregister":
        on.forgetObservations();
        this.#deregistering = this.#deregister(effect.registration);
        return;
      case "wait":
        this.#timer?.cancel();
        this.#due = millis(clock.now() + effect.duration);
        this.#timer = clock.after(effect.duration, () => {
          this.#due = undefined;
          this.#handle({ type: "timerFired" });
        });
        return;
      case "forgetObservations":
        on.forgetObservations();
        return;
      case "report":
        log.warn("registration failed", {
          reason: effect.failure.reason,
          advice: adviceFor(effect.failure),
          nextAttemptInSeconds: effect.next === undefined ? "never" : effect.next / 1000,
        });
        return;
      case "announce":
        on.failed(effect.outcome);
        return;
    }
  }

  #register(offer: Offer): void {
    const { connection, terms, registerRequest, on } = this.#options;
    const told = terms(offer.version);
    const request = registerRequest(offer, told);
    this.#await(
      (options) => connection.register(request, options),
      (location, took) => {
        on.forgetObservations(); // Core §6.2.1: they belong to the registration that this one replaces
        this.#tell({ location, version: offer.version }, told);
        return { type: "accepted", location, took };
      },
    );
  }

  #update(registration: Registration): void {
    const { connection, terms } = this.#options;
    const now = terms(registration.version);
    const request = this.#told === undefined ? { ...now } : changesOf(this.#told, now);
    this.#await(
      (options) => connection.update(registration.location, request, options),
      (_, took) => {
        if (Object.keys(request).length > 0) this.#tell(registration, now);
        return { type: "updated", took };
      },
    );
  }

  #tell(registration: Registration, told: RegistrationTerms): void {
    const { connection, on, log } = this.#options;
    this.#told = told;
    const { signal } = this.#exchange;
    connection.localSocket().then(
      (local) => signal === this.#exchange.signal && on.remember({ ...registration, told, local }),
      (error: unknown) => log.debug("registration not remembered", { error }),
    );
  }

  async #deregister({ location }: Registration): Promise<void> {
    const { connection, log } = this.#options;
    const { signal } = this.#begin();
    const answer = await this.#settled(connection.deregister(location, { signal }));
    if (signal.aborted) return;
    if (answer.kind === "accepted") log.info("deregistered");
    else log.warn("not deregistered", { reason: answer.failure.reason });
  }

  #begin(): AbortController {
    this.#exchange.abort();
    this.#exchange = new AbortController();
    return this.#exchange;
  }

  #await(
    send: (options: { readonly signal: AbortSignal }) => Promise<RegistrationAnswer>,
    accepted: (location: readonly string[], took: Millis) => RegistrationEvent,
  ): void {
    const { clock } = this.#options;
    const { signal } = this.#begin();
    const sentAt = clock.now();
    void this.#settled(send({ signal })).then((result) => {
      if (signal.aborted) return;
      this.#handle(
        result.kind === "accepted"
          ? accepted(result.location, millis(clock.now() - sentAt))
          : { type: "failed", failure: result.failure },
      );
    });
  }

  /** A transport that fails in a way of its own is a mistake in this program, and no reason to give up. */
  #settled(answer: Promise<RegistrationAnswer>): Promise<RegistrationAnswer> {
    return answer.catch((error: unknown) => {
      this.#options.log.error("registration message not sent", { error });
      return { kind: "failed", failure: { reason: "the message could not be sent" } };
    });
  }
}

const registrationOf = (state: RegistrationState): Registration | undefined =>
  state.name === "registered" || state.name === "updating" ? state.registration : undefined;
