/** One observation: reads what it watches when there is reason to, and says what the evaluation finds worth saying. */
import type { Definitions } from "../codec/composite.js";
import { RequestError, responseCodeOf } from "../model/errors.js";
import { type CompositePath, formatPath } from "../model/path.js";
import { type Clock, type Log, type Millis, seconds } from "../ports.js";
import type { AttributeTexts } from "./attributes.js";
import type { Awaitable } from "./awaitable.js";
import type { Deadline, Deadlines } from "./deadlines.js";
import {
  begunWith,
  dueAt,
  type EvaluationEvent,
  type EvaluationState,
  evaluate,
  resumedWith,
} from "./evaluation.js";
import type { ObservationRules } from "./observation-rules.js";
import { type ObservedValue, valueAt } from "./observed-value.js";
import type { CompositeOperation, Operation, Origin, Reply } from "./operations.js";
import { type KeptBudget, type Observer, Outbox, type Reading } from "./outbox.js";

/** What is read for each notification, as the Observe asked for it. */
export type ObservedOperation =
  | Extract<Operation, { kind: "read" }>
  | Extract<CompositeOperation, { kind: "readComposite" }>;

/** What a Server asked for. */
export interface ObservationRequest {
  readonly origin: Origin;
  readonly operation: ObservedOperation;
  /** What is observed: the path of a Read, those that an Observe-Composite lists. */
  readonly paths: readonly CompositePath[];
  /** Attributes in the Observe itself, for this observation only. */
  readonly parameters: AttributeTexts | undefined;
}

/** What an observation needs of its surroundings. */
export interface ObservationContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: Deadlines;
  readonly definitions: Definitions;
  /** Answers the Read that a notification carries. */
  readonly read: (origin: Origin, operation: ObservedOperation) => Awaitable<Reply>;
  /** What counts now, one for each path. */
  readonly rules: (request: ObservationRequest) => readonly ObservationRules[];
  /** Are notifications of `path` always confirmable? */
  readonly confirmable: (path: CompositePath) => boolean;
  readonly isReachable: (shortServerId: number) => boolean;
  /** /1/x/6 */
  readonly isStoring: (shortServerId: number) => boolean;
  readonly budget: (shortServerId: number) => KeptBudget;
  /** Says that what is at the path is looked at, until the result is called. */
  readonly watch: (path: CompositePath) => () => void;
  readonly keptChanged: () => void;
  /** A notification went out. */
  readonly notified: () => void;
  /** It said that it ends, and why. */
  readonly ended: (observation: Observation) => void;
}

export class Observation {
  readonly request: ObservationRequest;
  readonly observer: Observer;
  readonly #context: ObservationContext;
  readonly #outbox: Outbox;
  readonly #deadline: Deadline;
  readonly #unwatch: readonly (() => void)[];
  #rules: readonly ObservationRules[];
  #state: EvaluationState;
  /** From the first answer on its Content-Format: notifications never change it (RFC 7641 §4.2). */
  #operation: ObservedOperation;
  /** When the Server last acknowledged; its Observe request counts as the first time. */
  #confirmedAt: Millis;
  #closed = false;

  constructor(context: ObservationContext, request: ObservationRequest, observer: Observer) {
    const { clock, deadlines, definitions } = context;
    const { shortServerId } = request.origin;
    this.#context = context;
    this.request = request;
    this.observer = observer;
    this.#operation = request.operation;
    this.#rules = context.rules(request);
    this.#confirmedAt = clock.now();
    // The first look is under way: what changes meanwhile asks for another.
    this.#state = { ...begunWith(request.paths.map(nothing), clock.now()), isLooking: true };
    this.#deadline = deadlines.add(() => this.#handle({ type: "timeReached" }));
    this.#unwatch = request.paths.map((path) => context.watch(path));
    this.#outbox = new Outbox({
      observer,
      paths: request.paths,
      clock,
      definitions,
      budget: context.budget(shortServerId),
      contentFormat: () => this.#operation.accept,
      isReachable: () => context.isReachable(shortServerId),
      isStoring: () => context.isStoring(shortServerId),
      histories: () => this.#rules.map(({ history }) => history),
      owed: () => this.#handle({ type: "owed" }),
      acknowledged: () => {
        this.#confirmedAt = clock.now();
      },
      keptChanged: context.keptChanged,
    });
  }

  /** The Read of its notifications: in their format, once there was one. */
  get operation(): ObservedOperation {
    return this.#operation;
  }

  get kept(): readonly Reading[] {
    return this.#outbox.kept;
  }

  /** Reads the value that answers the Observe; rejects when there is nothing to observe. */
  async begin(): Promise<Reply> {
    const { clock } = this.#context;
    const first = await this.#context.read(this.request.origin, this.#operation);
    const { contentFormat } = first;
    this.#operation = { ...this.#operation, accept: contentFormat };
    const changed = [...this.#state.targets.entries()].filter(([, { isStale }]) => isStale);
    this.#state = begunWith(this.#valuesOf(first), clock.now());
    this.#handle({ type: "changed", targets: changed.map(([index]) => index) });
    return first;
  }

  /** Goes on after a restart: the Server hears what it missed, and what there is now. */
  resume(kept: readonly Reading[]): void {
    this.#outbox.restore(kept);
    this.#outbox.flush();
    this.#state = resumedWith(this.request.paths.length, this.#context.clock.now());
    this.#handle({ type: "owed" });
  }

  /** Values at, above or below these of its paths may be others now. */
  changed(targets: readonly number[]): void {
    this.#handle({ type: "changed", targets });
  }

  /** Attributes or defaults may be others now. */
  rulesChanged(): void {
    this.#rules = this.#context.rules(this.request);
    this.#handle({ type: "timeReached" });
  }

  /** The Server can be reached again. */
  reachable(): void {
    this.#outbox.flush();
  }

  close(): void {
    this.abandon();
    this.observer.end();
  }

  /** Nothing more is watched, and nobody is told so. */
  abandon(): void {
    this.#closed = true;
    this.#deadline.set(undefined);
    this.#outbox.close();
    for (const unwatch of this.#unwatch) unwatch();
  }

  #handle(event: EvaluationEvent): void {
    if (this.#closed) return;
    const [state, ...effects] = evaluate(this.#state, event, this.#context.clock.now(), this.#rules);
    this.#state = state;
    if (effects.includes("look")) void this.#look();
    this.#deadline.set(dueAt(this.#state, this.#rules));
  }

  async #look(): Promise<void> {
    const reply = await this.#read();
    if (this.#closed) return;
    if (reply.code.startsWith("2.")) this.#looked(reply);
    else this.#fail(reply); // no Minimum Period holds back that there is nothing left to observe
  }

  #looked(reply: Reply): void {
    const values = this.#valuesOf(reply);
    const now = this.#context.clock.now();
    const [state, ...effects] = evaluate(this.#state, { type: "looked", values }, now, this.#rules);
    this.#state = state;
    if (effects.includes("send")) {
      this.#context.notified();
      this.#outbox.send(reply, values, this.#isConfirmable(now));
    }
    if (effects.includes("look")) void this.#look();
    this.#deadline.set(dueAt(this.#state, this.#rules));
  }

  /** What cannot be read any more is answered with the code that says why. */
  async #read(): Promise<Reply> {
    try {
      return await this.#context.read(this.request.origin, this.#operation);
    } catch (error) {
      if (!(error instanceof RequestError)) {
        this.#context.log.error("value cannot be read", { path: this.#name(), error });
      }
      return { code: responseCodeOf(error) };
    }
  }

  #valuesOf({ content = new Map() }: Reply): readonly ObservedValue[] {
    return this.request.paths.map((path) => valueAt(content, path));
  }

  /** RFC 7641 §4.5: at least once every 24 hours; the time of the retransmissions is taken off. */
  #isConfirmable(now: Millis): boolean {
    return (
      this.#rules.some(({ confirmable }) => confirmable) ||
      this.request.paths.some((path) => this.#context.confirmable(path)) ||
      now - this.#confirmedAt >= seconds(24 * 3600 - 93)
    );
  }

  /** RFC 7641 §4.2: an error is the last notification. The transport ends the rest once it is through. */
  #fail(notification: Reply): void {
    this.abandon();
    this.#context.ended(this);
    this.#context.log.info("observation ended", { path: this.#name(), code: notification.code });
    // Nothing that follows could make up for its loss.
    void this.observer.notify(notification, { confirmable: true });
  }

  #name(): string {
    return this.request.paths.map((path) => formatPath(path)).join(" ");
  }
}

const nothing = (): ObservedValue => undefined;
