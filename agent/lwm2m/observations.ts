/** The observations of all Servers: who watches what, and who has to hear of a change. */
import type { Definitions } from "../codec/composite.js";
import { resourceById } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { type CompositePath, formatPath } from "../model/path.js";
import type { Clock, Log } from "../ports.js";
import { accessControlObject } from "./access-control.js";
import type { AttributeStore } from "./attribute-store.js";
import { type AttributeTexts, attributeValues, isForObjects, parseObserveParameters } from "./attributes.js";
import { compositePaths } from "./composite-operations.js";
import { Deadlines } from "./deadlines.js";
import type { TreeChange } from "./object-tree.js";
import {
  Observation,
  type ObservationContext,
  type ObservationRequest,
  type ObservedOperation,
} from "./observation.js";
import {
  type KeptNotifications,
  MAX_REMEMBERED_PAYLOAD,
  type RememberedObservation,
  type RememberedObservations,
} from "./observation-memory.js";
import {
  changeConditions,
  type NotificationDefaults,
  type ObservationRules,
  observationRules,
} from "./observation-rules.js";
import type { ValueConditions } from "./observed-value.js";
import type { Origin, Reply } from "./operations.js";
import type { KeptBudget, Observer, Reading } from "./outbox.js";
import { virtualObserveObject } from "./virtual-observe/links.js";

export interface ObservationsOptions
  extends Pick<ObservationContext, "read" | "confirmable" | "watch" | "isReachable" | "isStoring"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly attributes: AttributeStore;
  readonly definitions: Definitions;
  readonly defaults: (shortServerId: number) => NotificationDefaults;
  readonly changed: {
    /** What is to survive a restart is another now: the observations, or what is kept for them. */
    observations(): void;
    kept(): void;
    /** Resolves when the Server may hear that it observes. */
    begun(): Promise<void>;
  };
}

/** A path of an observation, where changes can find it. */
interface Watched {
  readonly observation: Observation;
  readonly index: number;
}

/** The Observe of a Server, as a transport brings it. */
export interface ObserveOptions {
  /** Attributes in the query, each `name=value`. */
  readonly parameters: readonly string[];
  readonly observer: Observer;
}

/** Paths in one Observe-Composite. */
const MAX_COMPOSITE_PATHS = 128;

/** A quarter of what a transport adds to a sequence number for what it may not know of. */
const NOTIFICATIONS_PER_SAVE = 2 ** 20;

export class Observations {
  readonly #options: ObservationsOptions;
  readonly #context: ObservationContext;
  readonly #observations = new Map<string, Observation>();
  /** By what is watched, down to the Resource: a change looks up its path and those above it. */
  readonly #watched = new Map<string, Set<Watched>>();
  readonly #budgets = new Map<number, KeptBudget>();
  /** Of an earlier run, while their registration is not taken up again. */
  #remembered: readonly RememberedObservation[] = [];
  #unkept: ReadonlySet<number> = new Set();
  #rememberedKept: ReadonlyMap<string, readonly Reading[]> = new Map();
  #notifications = 0;

  constructor(options: ObservationsOptions) {
    const { clock, log, definitions, read, confirmable, watch, isReachable, isStoring } = options;
    this.#options = options;
    this.#context = {
      clock,
      log,
      definitions,
      read,
      confirmable,
      watch,
      isReachable,
      isStoring,
      deadlines: new Deadlines(clock),
      rules: (request) => request.paths.map((path) => this.#rulesOf(request, path)),
      budget: (shortServerId) => this.#budgetOf(shortServerId),
      keptChanged: () => this.#options.changed.kept(),
      notified: () => this.#notified(),
      ended: (observation) => this.#forget(observation),
    };
  }

  get count(): number {
    return this.#observations.size;
  }

  /**
   * Begins to observe; the reply is the first notification. An observation with the same key is replaced. It counts from
   * the start: what changes or ends it while the first value is being read must not be missed.
   * @throws RequestError, DecodeError
   */
  async observe(
    origin: Origin,
    operation: ObservedOperation,
    { parameters, observer }: ObserveOptions,
  ): Promise<Reply> {
    this.end(observer.key);
    const paths = pathsOf(origin, operation);
    const request: ObservationRequest = {
      origin,
      operation,
      paths,
      parameters: this.#parametersOf(origin, operation, parameters),
    };
    const observation = new Observation(this.#context, request, observer);
    this.#add(observation);
    try {
      const first = await observation.begin();
      await this.#options.changed.begun();
      this.#options.log.debug("observation begun", {
        ...origin,
        paths: paths.map((path) => formatPath(path)).join(" "),
      });
      return first;
    } catch (error) {
      this.#forget(observation);
      observation.abandon();
      throw error;
    }
  }

  /** Ends one observation. Harmless when there is none. */
  end(key: string): void {
    const observation = this.#observations.get(key);
    if (observation === undefined) return;
    this.#forget(observation);
    observation.close();
  }

  /** A Server registered anew or went away: its observations are void (Core §6.2.1). */
  endAllOf(shortServerId: number): void {
    const left = this.#remembered.filter(({ origin }) => origin.shortServerId !== shortServerId);
    if (left.length < this.#remembered.length || this.#unkept.has(shortServerId)) {
      this.#remembered = left;
      this.#forgetUnkept(shortServerId);
      this.#options.changed.observations();
      this.#options.changed.kept();
    }
    for (const [key, { request }] of this.#observations) {
      if (request.origin.shortServerId === shortServerId) this.end(key);
    }
  }

  /** Something in the tree changed. */
  changed(change: TreeChange): void {
    if (change.kind === "values") {
      const touched = new Map<Observation, number[]>();
      for (const path of change.paths) this.#collect(path, touched);
      for (const [observation, indexes] of touched) observation.changed(indexes);
      if (change.paths.every(([objectId]) => objectId !== accessControlObject)) return;
    }
    for (const observation of [...this.#observations.values()]) {
      const indexes = [...observation.request.paths.keys()].filter((index) =>
        isTouched(change, observation.request.paths[index]),
      );
      if (indexes.length > 0) observation.changed(indexes);
    }
  }

  /** Rules may have changed: a Write-Attributes, or a write of the defaults. */
  rulesChanged(): void {
    for (const observation of [...this.#observations.values()]) observation.rulesChanged();
  }

  /** The Server can be reached again: it hears what it missed. */
  reachable(shortServerId: number): void {
    for (const observation of [...this.#observations.values()]) {
      if (observation.request.origin.shortServerId === shortServerId) observation.reachable();
    }
  }

  close(): void {
    for (const key of [...this.#observations.keys()]) this.end(key);
  }

  // ---- Over a restart --------------------------------------------------------------------------------------------

  /** What there was before the restart: it goes on when `resume` says that the registration does. */
  restore({ observations, unkept }: RememberedObservations, kept: readonly KeptNotifications[]): void {
    this.#remembered = observations;
    this.#unkept = new Set(unkept);
    this.#rememberedKept = new Map(kept.map(({ key, readings }) => [key, readings]));
  }

  /**
   * The registration of an earlier run goes on, and with it what the Server observed then.
   * @returns whether all of it does: the Server would wait for the rest
   */
  resume(shortServerId: number, observerOf: (record: string) => Observer | undefined): boolean {
    const mine = this.#remembered.filter(({ origin }) => origin.shortServerId === shortServerId);
    const isComplete = !this.#unkept.has(shortServerId);
    if (mine.length === 0) return isComplete;
    this.#remembered = this.#remembered.filter((one) => !mine.includes(one));
    const lost = mine.filter((remembered) => !this.#resume(remembered, observerOf)).length;
    this.#options.log.info("observations resumed", { shortServerId, count: mine.length - lost, lost });
    this.#options.changed.observations();
    return isComplete && lost === 0;
  }

  #forgetUnkept(shortServerId: number): void {
    this.#unkept = new Set([...this.#unkept].filter((id) => id !== shortServerId));
  }

  #resume(
    { key, origin, operation, parameters, observer: record }: RememberedObservation,
    observerOf: (record: string) => Observer | undefined,
  ): boolean {
    if (this.#observations.has(key)) return true; // the Server was faster and has asked anew
    try {
      const paths = pathsOf(origin, operation);
      const observer = observerOf(record);
      if (observer === undefined) return false;
      const observation = new Observation(this.#context, { origin, operation, paths, parameters }, observer);
      this.#add(observation);
      observation.resume(this.#rememberedKept.get(key) ?? []);
      return true;
    } catch (error) {
      this.#options.log.warn("observation not resumed", { ...origin, error });
      return false;
    }
  }

  /** Those that live, and those that still wait for their registration. */
  entries(): RememberedObservations {
    const observations = [...this.#remembered];
    const unkept = new Set(this.#unkept);
    for (const observation of this.#observations.values()) {
      const entry = rememberedOf(observation);
      if (entry === undefined) unkept.add(observation.request.origin.shortServerId);
      else observations.push(entry);
    }
    return { observations, unkept: [...unkept] };
  }

  kept(): readonly KeptNotifications[] {
    const waiting = this.#remembered.map(({ key }) => ({
      key,
      readings: this.#rememberedKept.get(key) ?? [],
    }));
    const live = [...this.#observations.values()].map(({ observer, kept }) => ({
      key: observer.key,
      readings: kept,
    }));
    return [...waiting, ...live].filter(({ readings }) => readings.length > 0);
  }

  /** The sequence numbers of notifications are among what is saved, and must not fall behind too far. */
  #notified(): void {
    this.#notifications = (this.#notifications + 1) % NOTIFICATIONS_PER_SAVE;
    if (this.#notifications === 0) this.#options.changed.observations();
  }

  // ---- What counts -----------------------------------------------------------------------------------------------

  #parametersOf(
    { version }: Origin,
    operation: ObservedOperation,
    queries: readonly string[],
  ): AttributeTexts | undefined {
    if (operation.kind === "readComposite") return parseObserveParameters(queries, version, "composite");
    const { path } = operation;
    const definition = this.#options.definitions(path[0]);
    const resource = definition && path[2] !== undefined ? resourceById(definition, path[2]) : undefined;
    return parseObserveParameters(queries, version, { path, resource });
  }

  /** Parameters of an Observe replace what is attached; those of an Observe-Composite leave thresholds alone. */
  #rulesOf({ origin, operation, parameters }: ObservationRequest, path: CompositePath): ObservationRules {
    const { attributes, defaults } = this.#options;
    const { shortServerId } = origin;
    const attached = (at: readonly number[]): AttributeTexts => {
      const effective = attributes.effective(shortServerId, at);
      if (parameters === undefined) return effective;
      if (operation.kind === "read") return parameters;
      return new Map([...[...effective].filter(([name]) => !isForObjects(name)), ...parameters]);
    };
    const values = attributeValues(attached(path));
    const conditions: ValueConditions | undefined =
      path.length < 3
        ? undefined
        : {
            own: changeConditions(values),
            ...(path.length === 3 && {
              ofResourceInstance: (id: number) => changeConditions(attributeValues(attached([...path, id]))),
            }),
          };
    return observationRules(values, defaultsFor(path, defaults(shortServerId)), conditions);
  }

  #budgetOf(shortServerId: number): KeptBudget {
    let budget = this.#budgets.get(shortServerId);
    if (budget === undefined) {
      budget = { bytes: 0 };
      this.#budgets.set(shortServerId, budget);
    }
    return budget;
  }

  // ---- Who watches what ------------------------------------------------------------------------------------------

  #add(observation: Observation): void {
    this.#observations.set(observation.observer.key, observation);
    for (const [index, path] of observation.request.paths.entries()) {
      const key = watchKey(path);
      const watched = this.#watched.get(key) ?? new Set();
      watched.add({ observation, index });
      this.#watched.set(key, watched);
    }
  }

  /** A newer one with the same key stays. */
  #forget(observation: Observation): void {
    const { key } = observation.observer;
    if (this.#observations.get(key) === observation) this.#observations.delete(key);
    this.#options.changed.observations();
    for (const path of observation.request.paths) {
      const pathKey = watchKey(path);
      const watched = this.#watched.get(pathKey) ?? new Set();
      for (const entry of watched) if (entry.observation === observation) watched.delete(entry);
      if (watched.size === 0) this.#watched.delete(pathKey);
    }
  }

  #collect(path: readonly number[], touched: Map<Observation, number[]>): void {
    for (let level = 0; level <= path.length; level++) {
      for (const { observation, index } of this.#watched.get(formatPath(path.slice(0, level))) ?? []) {
        const indexes = touched.get(observation);
        if (indexes === undefined) touched.set(observation, [index]);
        else if (!indexes.includes(index)) indexes.push(index);
      }
    }
  }
}

/** undefined when its transport cannot go on with it, or when it is too large to be kept. */
function rememberedOf({ observer, operation, request }: Observation): RememberedObservation | undefined {
  const record = observer.record();
  const isLarge = operation.kind === "readComposite" && operation.payload.length > MAX_REMEMBERED_PAYLOAD;
  if (record === undefined || isLarge) return undefined;
  const { origin, parameters } = request;
  return { key: observer.key, origin, operation, parameters, observer: record };
}

const watchKey = (path: CompositePath): string => formatPath(path.slice(0, 3));

/** A report is told when it is made: the Default Periods are not for it (OMA registry, Object 22). */
function defaultsFor([objectId]: CompositePath, defaults: NotificationDefaults): NotificationDefaults {
  if (objectId !== virtualObserveObject) return defaults;
  const { confirmable } = defaults;
  return confirmable === undefined ? {} : { confirmable };
}

/** Instances that come and go touch what is watched of their Object; new rights may touch anything. */
function isTouched(change: TreeChange, path: CompositePath | undefined): boolean {
  if (change.kind === "values" || change.objectId === accessControlObject) return true;
  return path?.[0] === undefined || path[0] === change.objectId;
}

function pathsOf(origin: Origin, operation: ObservedOperation): readonly CompositePath[] {
  if (operation.kind === "read") return [operation.path];
  const paths = compositePaths(origin, operation);
  if (paths.length > MAX_COMPOSITE_PATHS) {
    throw new RequestError("4.00", `more than ${MAX_COMPOSITE_PATHS} paths in one Observe-Composite`);
  }
  return paths;
}
