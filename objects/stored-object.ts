/**
 * An Object whose values the agent keeps: Servers read and write them, the program feeds them through an ObjectHandle. What
 * Servers wrote or created is in one record and comes back after a restart; what the program fed is gone, for the program
 * feeds it again.
 */
import { faultOf } from "../agent/model/conformity.js";
import { instanceSize } from "../agent/model/content-size.js";
import {
  type AfterResponse,
  type AnyHandlers,
  type AnyResourceHandler,
  type ExecuteArguments,
  type LiveObject,
  type NamedResource,
  type ObjectDefinition,
  type ObjectImplementation,
  resourceById,
} from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import type { ObjectHandle, ResourceValues } from "../agent/model/object-handle.js";
import { equalContent, type ResourceContent } from "../agent/model/value.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import type { Log, Store } from "../agent/ports.js";
import { formatStored, parseStored, type StoredInstances } from "./stored-record.js";

export interface StoredObjectOptions {
  readonly definition: ObjectDefinition;
  readonly store: Store;
  readonly log: Log;
  /** Servers may create and delete instances from the start, without anybody listening. */
  readonly serversCreate?: boolean;
  readonly maxInstances?: number;
  /** Of all values that Servers wrote, together. */
  readonly maxBytes?: number;
}

export interface StoredObject extends ObjectImplementation, ObjectHandle {
  readonly definition: ObjectDefinition;
}

/** A Server that creates and writes without end must not fill memory and disk. */
const MAX_INSTANCES = 64;
const MAX_BYTES = 256 * 1024;

/** The Object as it was left: its record is read first. */
export async function createStoredObject(options: StoredObjectOptions): Promise<StoredObject> {
  const object = new KeptObject(options);
  await object.load();
  return object;
}

interface Instance {
  readonly values: Map<number, ResourceContent>;
  readonly handlers: Record<string, AnyResourceHandler>;
  /** A Server created it: it comes back by itself. */
  readonly byServer: boolean;
}

type Awaitable<T> = T | Promise<T>;
type WriteListener = Parameters<ObjectHandle["onWrite"]>[1];
type ExecuteListener = Parameters<ObjectHandle["onExecute"]>[1];
type CreateListener = Parameters<ObjectHandle["onCreate"]>[0];
type DeleteListener = Parameters<ObjectHandle["onDelete"]>[0];

class KeptObject implements StoredObject {
  readonly definition: ObjectDefinition;
  readonly #options: StoredObjectOptions;
  readonly #record: PersistentRecord<StoredInstances>;
  readonly #instances = new Map<number, Instance>();
  readonly #writeListeners = new Map<number, WriteListener>();
  readonly #executeListeners = new Map<number, ExecuteListener>();
  /** There once Servers may; the engine looks for them with each request. */
  create?: NonNullable<ObjectImplementation["create"]>;
  delete?: NonNullable<ObjectImplementation["delete"]>;
  #live: LiveObject | undefined;

  constructor(options: StoredObjectOptions) {
    const { definition, store, log } = options;
    this.#options = options;
    this.definition = definition;
    this.#record = new PersistentRecord<StoredInstances>({
      store,
      log,
      name: `object-${definition.id}`,
      version: 1,
      initial: new Map(),
      parse: parseStored(definition),
      format: formatStored,
    });
    if (options.serversCreate && definition.instances === "multiple") {
      this.onCreate(() => undefined);
      this.onDelete(() => undefined);
    }
    if (definition.instances === "single") this.#add(0, new Map(), false);
  }

  async load(): Promise<void> {
    await this.#record.load();
    for (const [id, { byServer, values }] of this.#record.value) {
      const present = this.#instances.get(id);
      if (present !== undefined)
        for (const [resourceId, value] of values) present.values.set(resourceId, value);
      else if (byServer) this.#add(id, new Map(values), true);
    }
  }

  // ---- What the engine asks ----------------------------------------------------------------------------------------

  get instances(): ReadonlyMap<number, AnyHandlers> {
    return new Map([...this.#instances].map(([id, { handlers }]) => [id, handlers]));
  }

  start(object: LiveObject): void {
    this.#live = object;
    for (const [id, { handlers }] of this.#instances) object.instanceAdded(id, asDefined(handlers)); // some may have come since
  }

  close(): void {
    this.#live = undefined;
  }

  // ---- What the program asks ---------------------------------------------------------------------------------------

  instanceIds(): readonly number[] {
    return [...this.#instances.keys()].sort((a, b) => a - b);
  }

  get(objectInstanceId: number, resourceId: number): ResourceContent | undefined {
    this.#resource(resourceId);
    return this.#instances.get(objectInstanceId)?.values.get(resourceId);
  }

  set(objectInstanceId: number, resourceId: number, value: ResourceContent | undefined): void {
    const resource = this.#resource(resourceId);
    if (value !== undefined) this.#refuseMisfit(resource, value);
    const instance = this.#instances.get(objectInstanceId);
    if (instance === undefined)
      throw new TypeError(`/${this.definition.id}/${objectInstanceId} does not exist`);
    if (equalContent(instance.values.get(resourceId), value)) return;
    assign(instance.values, resourceId, value);
    this.#live?.changed(objectInstanceId, resource.name);
    if (isWritable(resource))
      this.#keepBehind(objectInstanceId, (values) => assign(values, resourceId, value));
  }

  createInstance(objectInstanceId: number, values: ResourceValues = {}): void {
    if (this.#instances.has(objectInstanceId)) {
      throw new TypeError(`/${this.definition.id}/${objectInstanceId} exists already`);
    }
    const given = Object.entries(values).map(([id, value]) => {
      this.#refuseMisfit(this.#resource(Number(id)), value);
      return [Number(id), value] as const;
    });
    const written = this.#record.value.get(objectInstanceId)?.values ?? [];
    const { handlers } = this.#add(objectInstanceId, new Map([...given, ...written]), false);
    this.#live?.instanceAdded(objectInstanceId, asDefined(handlers));
  }

  deleteInstance(objectInstanceId: number): void {
    if (!this.#instances.delete(objectInstanceId)) return;
    this.#live?.instanceRemoved(objectInstanceId);
    this.#report(this.#keep(objectInstanceId, () => undefined));
  }

  onWrite(resourceId: number, listener: WriteListener): void {
    const resource = this.#resource(resourceId);
    if (!isWritable(resource)) throw new TypeError(`${resource.name} cannot be written by Servers`);
    this.#writeListeners.set(resourceId, listener);
  }

  onExecute(resourceId: number, listener: ExecuteListener): void {
    const resource = this.#resource(resourceId);
    if (resource.operations !== "E") throw new TypeError(`${resource.name} cannot be executed`);
    this.#executeListeners.set(resourceId, listener);
    for (const [id, { handlers }] of this.#instances)
      handlers[resource.name] = this.#executable(id, resource);
  }

  onCreate(listener: CreateListener): void {
    this.#refuseSingle();
    this.create = (id, values) => this.#createFor(id, values, listener);
  }

  onDelete(listener: DeleteListener): void {
    this.#refuseSingle();
    this.delete = async (id) => {
      await listener(id);
      await this.#keep(id, () => undefined);
      this.#instances.delete(id);
    };
  }

  // ---- Instances ---------------------------------------------------------------------------------------------------

  async #createFor(
    id: number,
    named: Readonly<Record<string, ResourceContent | undefined>>,
    listener: CreateListener,
  ): Promise<AnyHandlers> {
    const limit = this.#options.maxInstances ?? MAX_INSTANCES;
    if (this.#instances.size >= limit) throw new RequestError("5.00", `there are ${limit} instances already`);
    const values = new Map(
      Object.entries(named).flatMap(([name, value]) => {
        const resource = this.definition.resources[name];
        return resource === undefined || value === undefined ? [] : [[resource.id, value] as const];
      }),
    );
    await listener(id, Object.fromEntries(values));
    await this.#keep(id, () => ({ byServer: true, values }));
    return this.#add(id, values, true).handlers;
  }

  #add(id: number, values: Map<number, ResourceContent>, byServer: boolean): Instance {
    const handlers: Record<string, AnyResourceHandler> = {};
    for (const [name, resource] of Object.entries(this.definition.resources)) {
      if (resource.operations !== "E") handlers[name] = this.#holder(id, resource.id);
      else if (resource.mandatory || this.#executeListeners.has(resource.id)) {
        handlers[name] = this.#executable(id, { ...resource, name });
      }
    }
    const instance = { values, handlers, byServer };
    this.#instances.set(id, instance);
    return instance;
  }

  #executable(id: number, { id: resourceId, name }: NamedResource): AnyResourceHandler {
    return {
      execute: (args: ExecuteArguments): Awaitable<void | AfterResponse> => {
        const listener = this.#executeListeners.get(resourceId);
        if (listener === undefined) throw new RequestError("4.05", `nobody carries out ${name}`);
        return listener(id, args);
      },
    };
  }

  #holder(id: number, resourceId: number): AnyResourceHandler {
    const put = async (value: ResourceContent | undefined) => {
      await this.#keep(id, ({ values, ...rest }) => {
        const changed = new Map(values);
        assign(changed, resourceId, value);
        return { ...rest, values: changed };
      });
      const instance = this.#instances.get(id);
      if (instance !== undefined) assign(instance.values, resourceId, value);
    };
    return {
      read: () => this.#instances.get(id)?.values.get(resourceId),
      write: async (value: ResourceContent) => {
        await this.#writeListeners.get(resourceId)?.(id, value);
        await put(value);
      },
      remove: () => put(undefined),
    };
  }

  // ---- The record --------------------------------------------------------------------------------------------------

  /** Changes what is on record for one instance; resolves when it is durable. */
  async #keep(id: number, change: (instance: StoredInstance) => StoredInstance | undefined): Promise<void> {
    const limit = this.#options.maxBytes ?? MAX_BYTES;
    await this.#record.update((instances) => {
      const changed = new Map(instances);
      const byServer = this.#instances.get(id)?.byServer ?? false;
      const instance = change(changed.get(id) ?? { byServer, values: new Map() });
      if (instance === undefined) changed.delete(id);
      else changed.set(id, instance);
      if (instance !== undefined && sizeOf(changed) > limit) {
        throw new RequestError("5.00", `Object ${this.definition.id} keeps at most ${limit} bytes`);
      }
      return changed;
    });
  }

  #keepBehind(id: number, change: (values: Map<number, ResourceContent>) => void): void {
    this.#report(
      this.#keep(id, ({ values, ...rest }) => {
        const changed = new Map(values);
        change(changed);
        return { ...rest, values: changed };
      }),
    );
  }

  #report(keeping: Promise<void>): void {
    keeping.catch((error: unknown) =>
      this.#options.log.error("values cannot be stored", { objectId: this.definition.id, error }),
    );
  }

  // ---- Checks ------------------------------------------------------------------------------------------------------

  #resource(resourceId: number): NamedResource {
    const resource = resourceById(this.definition, resourceId);
    if (resource !== undefined) return resource;
    const { name, resources } = this.definition;
    const known = Object.values(resources).map(({ id }) => id);
    throw new TypeError(`${name} has no Resource ${resourceId}; it has ${known.join(", ")}`);
  }

  #refuseMisfit(resource: NamedResource, value: ResourceContent): void {
    const fault = faultOf(resource, value);
    if (fault !== undefined) throw new TypeError(`/${this.definition.id}: ${fault}`);
  }

  #refuseSingle(): void {
    if (this.definition.instances === "single") {
      throw new TypeError(`${this.definition.name} has one instance, which nobody creates or deletes`);
    }
  }
}

/** The engine calls each of them with values of its Resource only. */
const asDefined = (handlers: AnyHandlers) => handlers as never;

type StoredInstance = StoredInstances extends ReadonlyMap<number, infer One> ? One : never;

const isWritable = ({ operations }: NamedResource) => operations === "W" || operations === "RW";

function assign(values: Map<number, ResourceContent>, id: number, value: ResourceContent | undefined): void {
  if (value === undefined) values.delete(id);
  else values.set(id, value);
}

const sizeOf = (instances: StoredInstances): number =>
  [...instances.values()].reduce((sum, { values }) => sum + instanceSize(values), 0);
