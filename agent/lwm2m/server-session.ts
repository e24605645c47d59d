import type { Clock, Log, Millis, Timer } from "../ports.js";
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
  readonly connection: ServerConnection;
  readonly settings: () => RegistrationSettings;
  /** The Register as it is to be sent now. */
  readonly registerRequest: () => RegisterRequest;
  readonly forgetObservations: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly onStateChange: (state: RegistrationState) => void;
}

/** The life of the registration with one Server: performs what the registration table orders. */
export class ServerSession {
  readonly shortServerId: number;
  readonly #options: ServerSessionOptions;
  readonly #table: Table<RegistrationState, RegistrationEvent, RegistrationEffect>;
  #state: RegistrationState = { name: "unregistered" };
  #timer: Timer | undefined;
  /** Work on the wire; an answer that comes after its state was left is dropped. */
  #exchange = 0;
  #deregistering: Promise<void> = Promise.resolve();

  constructor(options: ServerSessionOptions) {
    this.#options = options;
    this.shortServerId = options.shortServerId;
    this.#table = registrationTable(options.settings);
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** May the Server speak to us? Only between its answer to a Register and our De-register (Core §6.2). */
  get isRegistered(): boolean {
    return this.#state.name === "registered" || this.#state.name === "updating";
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

  /** De-registers if that makes sense; resolves when the Server answered or will not. */
  async stop(): Promise<void> {
    this.#handle({ type: "stop" });
    await this.#deregistering;
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
    if (state !== before) {
      this.#timer?.cancel(); // leaving a state ends its wait
      this.#state = state;
      if (state.name !== before.name) {
        this.#options.log.debug("registration state", { from: before.name, to: state.name, on: event.type });
        this.#options.onStateChange(state);
      }
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: RegistrationEffect): void {
    const { connection, registerRequest, log, clock, forgetObservations } = this.#options;
    switch (effect.do) {
      case "register":
        this.#await(connection.register(registerRequest()), (location) => {
          log.info("registered", { location: `/${location.join("/")}` });
          return { type: "accepted", location };
        });
        return;
      case "update":
        this.#await(connection.update(effect.location, this.#updateRequest(effect.what)), () => ({
          type: "updated",
        }));
        return;
      case "deregister":
        this.#exchange++;
        this.#deregistering = connection.deregister(effect.location).then(() => log.info("deregistered"));
        forgetObservations();
        return;
      case "wait":
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

  #await(
    answer: Promise<RegistrationAnswer>,
    accepted: (location: readonly string[]) => RegistrationEvent,
  ): void {
    const exchange = ++this.#exchange;
    void answer.then((result) => {
      if (exchange !== this.#exchange) return;
      if (result.kind === "accepted") this.#handle(accepted(result.location));
      else if (result.kind === "refused") {
        const { code, retryAfter } = result;
        this.#handle({ type: "refused", code, ...(retryAfter !== undefined && { retryAfter }) });
      } else this.#handle({ type: "unanswered" });
    });
  }
}
