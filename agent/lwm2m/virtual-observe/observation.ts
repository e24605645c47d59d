/** One instance of Virtual Observe Notify at work: looks at what its links lead to, and makes reports. */
import type { Path } from "../../model/path.js";
import { isWithin } from "../../model/path.js";
import type { TimedContent, TreeContent } from "../../model/value.js";
import type { VirtualObservation } from "../../model/virtual-observe.js";
import type { Clock, Log } from "../../ports.js";
import { accessControlObject } from "../access-control.js";
import type { Awaitable } from "../awaitable.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import {
  begunWith,
  dueAt,
  type EvaluationEvent,
  type EvaluationState,
  evaluate,
  type Relation,
} from "../evaluation.js";
import type { TreeChange } from "../object-tree.js";
import type { ObservationRules } from "../observation-rules.js";
import { type ObservedValue, valueAt } from "../observed-value.js";
import type { ObservedLink } from "./links.js";
import { changesOf, type Report, reportOf } from "./report.js";

export interface RunningContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly deadlines: Deadlines;
  /** What is at these paths, without what is closed to a Server. */
  readonly read: (paths: readonly Path[]) => Awaitable<TreeContent>;
  /** Says that what is at the path is looked at, until the result is called. */
  readonly watch: (path: Path) => () => void;
  /** Without what has been closed to a Server since. */
  readonly encode: (contents: readonly TimedContent[], contentFormat: number) => Uint8Array;
  readonly stopped: (observation: RunningObservation) => void;
}

export interface RunningOptions {
  readonly links: readonly ObservedLink[];
  readonly reported: readonly Path[];
  readonly relation: Relation;
  readonly onlyChanged: boolean;
  readonly onReport: () => void;
}

export class RunningObservation implements VirtualObservation {
  readonly #context: RunningContext;
  readonly #options: RunningOptions;
  readonly #rules: readonly ObservationRules[];
  /** Of a look: what decides, and what is reported. */
  readonly #paths: readonly Path[];
  readonly #deadline: Deadline;
  #state: EvaluationState;
  /** As of the last report; before the first, as of the beginning. */
  #known: Report = new Map();
  #report: Report = new Map();
  #unwatch: readonly (() => void)[] = [];
  #isStopped = false;

  constructor(context: RunningContext, options: RunningOptions) {
    const { links, reported, onlyChanged } = options;
    this.#context = context;
    this.#options = options;
    // The filter overrides the Maximum Period: there is no report of what has not changed.
    this.#rules = links.map(({ rules }) => (onlyChanged ? { ...rules, maximumPeriod: undefined } : rules));
    this.#paths = [...links.map(({ path }) => path), ...reported];
    this.#deadline = context.deadlines.add(() => this.#handle({ type: "timeReached" }));
    this.#state = begun(
      links.map(() => undefined),
      context,
    );
  }

  /** Conditions compare with what there is now. */
  async begin(): Promise<void> {
    this.#unwatch = this.#paths.map((path) => this.#context.watch(path));
    this.#state = { ...this.#state, isLooking: true }; // what changes meanwhile asks for another look
    const content = await this.#read();
    if (this.#isStopped) return;
    const targets = [...this.#state.targets.entries()].flatMap(([index, { isStale }]) =>
      isStale ? [index] : [],
    );
    this.#known = this.#reportOf(content);
    this.#state = begun(this.#valuesOf(content), this.#context);
    this.#handle({ type: "changed", targets });
  }

  changed(change: TreeChange): void {
    const targets = [...this.#options.links.entries()].flatMap(([index, { path }]) =>
      isTouched(change, path) ? [index] : [],
    );
    if (targets.length > 0) this.#handle({ type: "changed", targets });
  }

  report(contentFormat: number): Uint8Array {
    return this.#context.encode([...this.#report.values()], contentFormat);
  }

  stop(): void {
    this.#isStopped = true;
    this.#deadline.set(undefined);
    for (const unwatch of this.#unwatch) unwatch();
    this.#unwatch = [];
    this.#context.stopped(this);
  }

  #handle(event: EvaluationEvent): void {
    if (this.#isStopped) return;
    const effects = this.#step(event);
    if (effects.includes("look")) void this.#look();
  }

  async #look(): Promise<void> {
    const content = await this.#read();
    if (this.#isStopped) return;
    const effects = this.#step({ type: "looked", values: this.#valuesOf(content) });
    if (effects.includes("send")) this.#make(this.#reportOf(content));
    if (effects.includes("look")) void this.#look();
  }

  #step(event: EvaluationEvent): readonly string[] {
    const { relation } = this.#options;
    const now = this.#context.clock.now();
    const [state, ...effects] = evaluate(this.#state, event, now, this.#rules, relation);
    this.#state = state;
    this.#deadline.set(dueAt(state, this.#rules, relation));
    return effects;
  }

  #make(now: Report): void {
    const { onlyChanged, onReport } = this.#options;
    const report = onlyChanged ? changesOf(this.#known, now) : now;
    this.#known = now;
    if (onlyChanged && report.size === 0) return;
    this.#report = report;
    onReport();
  }

  /** What cannot be read is not there to be reported. */
  async #read(): Promise<TreeContent> {
    try {
      return await this.#context.read(this.#paths);
    } catch (error) {
      this.#context.log.error("values of a report cannot be read", { error });
      return new Map();
    }
  }

  #valuesOf(content: TreeContent): readonly ObservedValue[] {
    return this.#options.links.map(({ path }) => valueAt(content, path));
  }

  #reportOf(content: TreeContent): Report {
    const { links, reported } = this.#options;
    const paths = reported.length > 0 ? reported : links.map(({ path }) => path);
    return reportOf(paths, content, this.#context.clock.date().getTime() / 1000);
  }
}

const begun = (values: readonly ObservedValue[], { clock }: RunningContext): EvaluationState =>
  begunWith(values, clock.now());

/** New rights may touch anything; instances that come and go touch what is watched of their Object. */
function isTouched(change: TreeChange, path: Path): boolean {
  if (change.kind === "instances") {
    return change.objectId === accessControlObject || change.objectId === path[0];
  }
  return change.paths.some(
    (changed) => changed[0] === accessControlObject || isWithin(changed, path.slice(0, 3)),
  );
}
