import { type Clock, type Log, type Millis, millis, seconds, type Timer } from "../ports.js";
import type { LwM2mVersion, Origin } from "./operations.js";
import {
  type PendingUpdate,
  type RegistrationEffect,
  type RegistrationEvent,
  type RegistrationSettings,
  type RegistrationState,
  registrationTable,
} from "./registration.js";
import type {
  RegisterRequest,
  RegistrationAnswer,
  ServerConnection,
  UpdateRequest,
} from "./server-connection.js";
import { step, type Table } from "./state-machine.js";

export interface ServerSessionOptions {
  readonly shortServerId: number;
  readonly version: LwM2mVersion;
  readonly connection: ServerConnection;
  readonly settings: () => RegistrationSettings;
  /** The Register as it is to be sent now. */
  readonly registerRequest: () => RegisterRequest;
  readonly forgetObservations: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly onStateChange: (state: RegistrationState) => void;
}

/** A Server that is gone must not keep the program from ending. */
const deregistrationPatience = seconds(5);

/** The life of the registration with one Server: performs what the registration table orders. */
export class ServerSession {
  readonly shortServerId: number;
  readonly #options: ServerSessionOptions;
  readonly #table: Table<RegistrationState, RegistrationEvent, RegistrationEffect>;
  readonly #origin: Origin;
  #state: RegistrationState = { name: "unregistered" };
  #timer: Timer | undefined;
  /** Work on the wire; an answer that comes after its state was left is dropped. */
  #exchange = 0;
  #deregistering: Promise<void> = Promise.resolve();

  constructor(options: ServerSessionOptions) {
    this.#options = options;
    this.shortServerId = options.shortServerId;
    this.#origin = { shortServerId: options.shortServerId, version: options.version };
    this.#table = registrationTable(options.settings);
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** undefined unless the Server may speak to us: only between its answer to a Register and our De-register. */
  get origin(): Origin | undefined {
    return this.#state.name === "registered" || this.#state.name === "updating" ? this.#origin : undefined;
  }

  start(): void {
    this.#handle({ type: "start" });
  }

  /** Something that the Server should know has changed. */
  changed(what: keyof PendingUpdate): void {
    this.#handle({ type: "changed", what });
  }

  triggerUpdate(): void {
    this.#handle({ type: "updateTriggered" });
  }

  /** By Execute of Disable: leave, and come back after `duration`. */
  disable(duration: Millis): void {
    this.#handle({ type: "disabled", duration });
  }

  /** De-registers if that makes sense; resolves when the Server answered, or will not in time. */
  async stop(): Promise<void> {
    this.#handle({ type: "stop" });
    const { clock, log } = this.#options;
    await new Promise<void>((resolve) => {
      const patience = clock.after(deregistrationPatience, () => {
        this.#exchange++; // nobody waits for its end any more
        log.warn("not deregistered", { reason: "the Server does not answer" });
        resolve();
      });
      void this.#deregistering.then(() => {
        patience.cancel();
        resolve();
      });
    });
  }

  /** Ends without a word, as a restart of the board does. */
  abandon(): void {
    this.#timer?.cancel();
    this.#exchange++;
    this.#state = { name: "unregistered" };
  }

  #handle(event: RegistrationEvent): void {
    const before = this.#state;
    const [state, ...effects] = step(this.#table, before, event);
    this.#state = state;
    if (state.name !== before.name) {
      this.#timer?.cancel(); // leaving a state ends its wait
      this.#entered(state, before, event);
    }
    for (const effect of effects) this.#perform(effect);
  }

  #entered(state: RegistrationState, before: RegistrationState, { type }: RegistrationEvent): void {
    const { log, onStateChange } = this.#options;
    log.debug("registration state", { from: before.name, to: state.name, on: type });
    if (state.name === "registered" && before.name === "registering") {
      log.info("registered", { location: `/${state.location.join("/")}` });
    }
    onStateChange(state);
  }

  #perform(effect: RegistrationEffect): void {
    const { connection, registerRequest, log, clock, forgetObservations } = this.#options;
    switch (effect.do) {
      case "register":
        this.#await(connection.register(registerRequest()), (location, took) => ({
          type: "accepted",
          location,
          took,
        }));
        return;
      case "update":
        this.#await(connection.update(effect.location, this.#updateRequest(effect.what)), (_, took) => ({
          type: "updated",
          took,
        }));
        return;
      case "deregister":
        forgetObservations();
        this.#deregistering = this.#deregister(effect.location);
        return;
      case "wait":
        this.#timer?.cancel();
        this.#timer = clock.after(effect.duration, () => this.#handle({ type: "timerFired" }));
        return;
      case "forgetObservations":
        forgetObservations();
        return;
      case "report":
        log.warn("registration failed", { reason: effect.failure, next: this.#state.name });
        return;
    }
  }

  #updateRequest(what: PendingUpdate): UpdateRequest {
    const { lifetime, objects } = this.#options.registerRequest();
    return { ...(what.lifetime && { lifetime }), ...(what.objects && { objects }) };
  }

  async #deregister(location: readonly string[]): Promise<void> {
    const { connection, log } = this.#options;
    const exchange = ++this.#exchange;
    const answer = await this.#settled(connection.deregister(location));
    if (exchange !== this.#exchange) return;
    if (answer.kind === "accepted") log.info("deregistered");
    else log.warn("not deregistered", { reason: answer.reason });
  }

  #await(
    answer: Promise<RegistrationAnswer>,
    accepted: (location: readonly string[], took: Millis) => RegistrationEvent,
  ): void {
    const { clock } = this.#options;
    const exchange = ++this.#exchange;
    const sentAt = clock.now();
    void this.#settled(answer).then((result) => {
      if (exchange !== this.#exchange) return;
      if (result.kind === "accepted") this.#handle(accepted(result.location, millis(clock.now() - sentAt)));
      else this.#handle({ ...result, type: "failed" });
    });
  }

  /** A transport that fails in a way of its own is a mistake in this program, and no reason to give up. */
  #settled(answer: Promise<RegistrationAnswer>): Promise<RegistrationAnswer> {
    return answer.catch((error: unknown) => {
      this.#options.log.error("registration message not sent", { error });
      return { kind: "failed", reason: "the message could not be sent" };
    });
  }
}
