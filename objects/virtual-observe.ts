import {
  defineObject,
  type Handlers,
  type InitialValues,
  type LiveObject,
  multipleInstances,
  type ObjectImplementation,
} from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import type { ResourceContent } from "../agent/model/value.js";
import type { VirtualObservation, VirtualObserving } from "../agent/model/virtual-observe.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import type { Log, Store } from "../agent/ports.js";
import { formatStored, parseStored, type StoredInstances } from "./stored-record.js";

/** OMA registry, Object 22 version 1.1. */
export const VirtualObserveNotify = defineObject({
  id: 22,
  name: "Virtual Observe Notify",
  version: "1.1",
  instances: "multiple",
  resources: {
    observeLinks: { id: 0, operations: "RW", type: "corelnk", multiple: true, mandatory: true },
    report: { id: 1, operations: "R", type: "string", mandatory: true },
    resourceFilter: { id: 2, operations: "RW", type: "boolean" },
    reportLinks: { id: 3, operations: "RW", type: "corelnk", multiple: true },
    /** 0 OR, 1 AND. */
    observeRelation: { id: 4, operations: "RW", type: "integer", range: [0, 1] },
    /** A Content-Format; 110 (SenML JSON) while there is none. */
    reportFormat: { id: 5, operations: "RW", type: "integer", range: [0, 65535] },
    formattedReport: { id: 6, operations: "R", type: "opaque" },
  },
});

export interface VirtualObserveOptions {
  /** Asked once the Object has started. */
  readonly observing: () => VirtualObserving;
  readonly store: Store;
  readonly log: Log;
}

/** A Server that creates without end must not fill memory and disk. */
const MAX_INSTANCES = 16;

const senmlJson = 110;

type Definition = typeof VirtualObserveNotify;
type WritableName = "observeLinks" | "resourceFilter" | "reportLinks" | "observeRelation" | "reportFormat";
type Values = Pick<InitialValues<Definition>, WritableName>;

/**
 * The Object as it was left: instances that Servers created come back with what they wrote, and observe anew. Their reports
 * do not: each is of a moment that has passed.
 */
export async function createVirtualObserve(options: VirtualObserveOptions): Promise<ObjectImplementation> {
  const { store, log } = options;
  const record = new PersistentRecord<StoredInstances>({
    store,
    log,
    name: "virtual-observe",
    version: 1,
    initial: new Map(),
    parse: parseStored(VirtualObserveNotify),
    format: formatStored,
  });
  await record.load();
  const object = new VirtualObserves(options, record);
  return multipleInstances(VirtualObserveNotify, {
    instances: object.handlers(),
    create: (id, values) => object.create(id, values),
    delete: (id) => object.delete(id),
    start: (live) => object.start(live),
    close: () => object.close(),
  });
}

class VirtualObserves {
  readonly #options: VirtualObserveOptions;
  readonly #record: PersistentRecord<StoredInstances>;
  readonly #observations = new Map<number, VirtualObservation>();
  #live: LiveObject<Definition> | undefined;

  constructor(options: VirtualObserveOptions, record: PersistentRecord<StoredInstances>) {
    this.#options = options;
    this.#record = record;
  }

  handlers(): ReadonlyMap<number, Handlers<Definition>> {
    return new Map([...this.#record.value.keys()].map((id) => [id, this.#handlersOf(id)]));
  }

  start(live: LiveObject<Definition>): void {
    this.#live = live;
    for (const id of this.#record.value.keys()) this.#observe(id);
  }

  close(): void {
    for (const observation of this.#observations.values()) observation.stop();
    this.#observations.clear();
    this.#live = undefined;
  }

  // ---- Instances ---------------------------------------------------------------------------------------------------

  async create(id: number, values: Values): Promise<Handlers<Definition>> {
    for (const name of writable) this.#check(name, values[name]);
    await this.#record.update((instances) => {
      if (instances.size >= MAX_INSTANCES) {
        throw new RequestError("5.00", `there are ${MAX_INSTANCES} instances already`);
      }
      const entries = writable.flatMap((name): [number, ResourceContent][] => {
        const value = values[name];
        return value === undefined ? [] : [[VirtualObserveNotify.resources[name].id, value]];
      });
      return new Map(instances).set(id, { byServer: true, values: new Map(entries) });
    });
    this.#observe(id);
    return this.#handlersOf(id);
  }

  async delete(id: number): Promise<void> {
    await this.#record.update((instances) => {
      const left = new Map(instances);
      left.delete(id);
      return left;
    });
    this.#stop(id);
  }

  #handlersOf(id: number): Handlers<Definition> {
    const kept = <Name extends WritableName>(name: Name) => ({
      read: () => this.#valuesOf(id)[name],
      check: (value: NonNullable<Values[Name]>) => this.#check(name, value),
      write: (value: NonNullable<Values[Name]>) => this.#put(id, name, value),
      remove: () => this.#put(id, name, undefined),
    });
    return {
      observeLinks: { ...kept("observeLinks"), read: () => this.#valuesOf(id).observeLinks ?? new Map() },
      report: { read: () => utf8.decode(this.#report(id, senmlJson)) },
      resourceFilter: kept("resourceFilter"),
      reportLinks: kept("reportLinks"),
      observeRelation: kept("observeRelation"),
      reportFormat: kept("reportFormat"),
      formattedReport: { read: () => this.#report(id, this.#valuesOf(id).reportFormat ?? senmlJson) },
    };
  }

  /** As `parseStored` read them by the definition, or as a Server wrote them, checked by the same. */
  #valuesOf(id: number): Values {
    const values = this.#record.value.get(id)?.values;
    return Object.fromEntries(
      writable.map((name) => [name, values?.get(VirtualObserveNotify.resources[name].id)]),
    );
  }

  #check(name: WritableName, value: Values[WritableName]): void {
    const observing = this.#options.observing();
    if (name === "observeLinks") observing.checkObserveLinks(textsOf(value));
    else if (name === "reportLinks") observing.checkReportLinks(textsOf(value));
    else if (name === "reportFormat" && typeof value === "number") observing.checkFormat(value);
  }

  async #put(id: number, name: WritableName, value: ResourceContent | undefined): Promise<void> {
    await this.#record.update((instances) => {
      const instance = instances.get(id);
      if (instance === undefined) return instances;
      const values = new Map(instance.values);
      const resourceId = VirtualObserveNotify.resources[name].id;
      if (value === undefined) values.delete(resourceId);
      else values.set(resourceId, value);
      return new Map(instances).set(id, { ...instance, values });
    });
    if (name === "reportFormat") this.#live?.changed(id, "formattedReport");
    else this.#observe(id); // what was reported until now is of other links
  }

  // ---- Observing ---------------------------------------------------------------------------------------------------

  #observe(id: number): void {
    this.#stop(id);
    const reported = () => this.#live?.changed(id, "report", "formattedReport");
    const { observeLinks, reportLinks, resourceFilter, observeRelation } = this.#valuesOf(id);
    const request = {
      observeLinks: textsOf(observeLinks).filter(isNotEmpty), // an empty string stops
      reportLinks: textsOf(reportLinks).filter(isNotEmpty),
      onlyChanged: resourceFilter === true,
      relation: observeRelation === 1 ? "all" : "any",
    } as const;
    reported();
    if (request.observeLinks.length === 0) return;
    try {
      this.#observations.set(id, this.#options.observing().observe(request, reported));
    } catch (error) {
      // Links of an earlier run may lead to an Object that is another one now.
      this.#options.log.warn("links cannot be observed", { objectId: 22, objectInstanceId: id, error });
    }
  }

  #stop(id: number): void {
    this.#observations.get(id)?.stop();
    this.#observations.delete(id);
  }

  /** Before the first hit there is nothing to report. */
  #report(id: number, contentFormat: number): Uint8Array {
    return (
      this.#observations.get(id)?.report(contentFormat) ?? this.#options.observing().empty(contentFormat)
    );
  }
}

const writable: readonly WritableName[] = [
  "observeLinks",
  "resourceFilter",
  "reportLinks",
  "observeRelation",
  "reportFormat",
];

const textsOf = (links: Values[WritableName] | undefined): readonly string[] =>
  links instanceof Map ? [...links.values()] : [];

const isNotEmpty = (text: string) => text !== "";

const utf8 = new TextDecoder();
