/**
 * The live Objects of this client: one tree that answers read, write, execute, create and delete, and says what
 * changed. It knows values and handlers; who may do what, payload formats and response codes for whole requests are
 * the dispatcher's.
 */
import {
  type AfterResponse,
  type AnyHandlers,
  type AnyResourceHandler,
  type ExecuteArguments,
  type NamedResource,
  type ObjectDefinition,
  type ObjectImplementation,
  resourceById,
  resourcesInOrder,
  type ValueSink,
} from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import {
  formatPath,
  MAX_ID,
  type ObjectPath,
  type Path,
  type ResourceInstancePath,
  type ResourcePath,
} from "../model/path.js";
import {
  type InstanceContent,
  isResourceInstances,
  type ObjectContent,
  type ResourceContent,
  type TreeContent,
} from "../model/value.js";
import { allOrNothing } from "./all-or-nothing.js";
import { type Awaitable, all, whenReady } from "./awaitable.js";
import { applyAll, type PlannedWrite, type WriteMode } from "./planned-write.js";
import { planInstanceWrite, planTreeWrite } from "./write-plan.js";

/** Something that observers and the registration want to know. */
export type TreeChange =
  | { readonly kind: "values"; readonly paths: readonly ResourcePath[] }
  /** The list of Objects and Object Instances, which the Server holds, is out of date. */
  | { readonly kind: "instances"; readonly objectId: number };

/** One Resource of one live Object Instance. */
export interface LiveResource {
  readonly definition: NamedResource;
  readonly handler: AnyResourceHandler;
}

/** What belongs to the creation of an instance: when it fails, the creation fails too. */
export interface FollowCreate {
  created?(objectInstanceId: number): Awaitable<void>;
  undone?(objectInstanceId: number): Awaitable<void>;
}

type InstanceFilter = (objectInstanceId: number) => boolean;

interface LiveEntry {
  readonly implementation: ObjectImplementation;
  readonly instances: Map<number, AnyHandlers>;
  /** How many observations look at something of it. */
  watchers: number;
  /** Ends when no Write, Create or Delete is going on. */
  lastChange: Promise<unknown>;
}

export class ObjectTree {
  readonly #entries = new Map<number, LiveEntry>();
  readonly #listeners = new Set<(change: TreeChange) => void>();

  /** @throws Error when there is an Object with that ID already */
  add(implementation: ObjectImplementation): void {
    const { id, name } = implementation.definition;
    if (this.#entries.has(id)) throw new Error(`Object ${id} exists already; ${name} cannot take its number`);
    this.#entries.set(id, {
      implementation,
      instances: new Map(implementation.instances),
      watchers: 0,
      lastChange: Promise.resolve(),
    });
    this.#emit({ kind: "instances", objectId: id });
  }

  /** Starts every Object: from now on it may say that values changed. */
  async start(): Promise<void> {
    for (const { implementation, instances } of this.#entries.values()) {
      const { definition } = implementation;
      await implementation.start?.({
        changed: (objectInstanceId, ...names) =>
          this.#emitValues(
            names.map((name) => [definition.id, objectInstanceId, idOfResource(definition, name)] as const),
          ),
        instanceAdded: (objectInstanceId, handlers) => {
          instances.set(objectInstanceId, handlers as AnyHandlers); // they are of this same definition
          this.#emit({ kind: "instances", objectId: definition.id });
        },
        instanceRemoved: (objectInstanceId) => {
          if (instances.delete(objectInstanceId)) this.#emit({ kind: "instances", objectId: definition.id });
        },
      });
    }
  }

  /** Somebody looks at something of the Object, until the returned function is called. */
  watch(objectId: number): () => void {
    const entry = this.#entries.get(objectId);
    if (entry === undefined) return () => undefined;
    entry.watchers += 1;
    if (entry.watchers === 1) entry.implementation.watched?.(true);
    let isWatching = true;
    return () => {
      if (!isWatching) return;
      isWatching = false;
      entry.watchers -= 1;
      if (entry.watchers === 0) entry.implementation.watched?.(false);
    };
  }

  /**
   * Closes every Object, the last added first.
   * @throws AggregateError once all were closed, if some failed
   */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (const { implementation } of [...this.#entries.values()].reverse()) {
      try {
        await implementation.close?.();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "an Object could not be closed");
  }

  /** Calls `listener` with each change until the returned function is called. */
  onChange(listener: (change: TreeChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  readonly definition = (objectId: number): ObjectDefinition | undefined =>
    this.#entries.get(objectId)?.implementation.definition;

  /** In ascending order. */
  objectIds(): number[] {
    return [...this.#entries.keys()].sort(ascending);
  }

  /** In ascending order; empty when there is no such Object. */
  instanceIds(objectId: number): number[] {
    return [...(this.#entries.get(objectId)?.instances.keys() ?? [])].sort(ascending);
  }

  hasInstance(objectId: number, objectInstanceId: number): boolean {
    return this.#entries.get(objectId)?.instances.has(objectInstanceId) ?? false;
  }

  /** undefined when the Object, the instance or the Resource does not exist, or nobody handles it. */
  resource(objectId: number, objectInstanceId: number, resourceId: number): LiveResource | undefined {
    const entry = this.#entries.get(objectId);
    const handlers = entry?.instances.get(objectInstanceId);
    if (entry === undefined || handlers === undefined) return undefined;
    const definition = resourceById(entry.implementation.definition, resourceId);
    const handler = definition && handlers[definition.name];
    return handler && { definition, handler };
  }

  /** The Resources of one instance that have a handler, in ascending order. */
  resources(objectId: number, objectInstanceId: number): LiveResource[] {
    const entry = this.#entries.get(objectId);
    const handlers = entry?.instances.get(objectInstanceId);
    if (entry === undefined || handlers === undefined) return [];
    const resources: LiveResource[] = [];
    for (const definition of resourcesInOrder(entry.implementation.definition)) {
      const handler = handlers[definition.name];
      if (handler !== undefined) resources.push({ definition, handler });
    }
    return resources;
  }

  canCreate(objectId: number): boolean {
    return this.#entries.get(objectId)?.implementation.create !== undefined;
  }

  canDelete(objectId: number): boolean {
    return this.#entries.get(objectId)?.implementation.delete !== undefined;
  }

  /**
   * What `path` holds: Resources that are readable and instantiated, the others left out.
   * @param includes which Object Instances of a whole Object; absent: all of them
   * @throws RequestError 4.04 when `path` names a Resource or Resource Instance that holds nothing
   */
  read(path: Path, includes?: InstanceFilter): Awaitable<ObjectContent> {
    return whenReady(this.readIfPresent(path, includes), (content) => {
      if (content === undefined) throw new RequestError("4.04", `${formatPath(path)} holds no value`);
      return content;
    });
  }

  /** As `read`; undefined when `path` names a Resource or Resource Instance that holds nothing. */
  readIfPresent(path: Path, includes: InstanceFilter = everyInstance): Awaitable<ObjectContent | undefined> {
    const [objectId, objectInstanceId, resourceId] = path;
    if (objectInstanceId !== undefined && resourceId !== undefined) {
      const reading = this.resource(objectId, objectInstanceId, resourceId)?.handler.read?.();
      return whenReady(reading, (content) => contentAt(path, content));
    }
    const instanceIds =
      objectInstanceId === undefined ? this.instanceIds(objectId).filter(includes) : [objectInstanceId];
    const readings = instanceIds.map((id) => this.#readInstance(objectId, id));
    return whenReady(
      all(readings),
      (contents) => new Map(instanceIds.map((id, index) => [id, contents[index] ?? nothing])),
    );
  }

  #readInstance(objectId: number, objectInstanceId: number): Awaitable<InstanceContent> {
    const readable = this.resources(objectId, objectInstanceId).filter(({ definition }) =>
      definition.operations.includes("R"),
    );
    return whenReady(all(readable.map(({ handler }) => handler.read?.())), (values) => {
      const content = new Map<number, ResourceContent>();
      for (const [index, { definition }] of readable.entries()) {
        const value = values[index];
        if (value !== undefined) content.set(definition.id, value);
      }
      return content;
    });
  }

  /**
   * Writes one instance, a Resource or a Resource Instance; all of it or nothing.
   * @param content what the payload carried for the instance: known Resources only, types and ranges checked
   * @returns what is to happen after the response
   */
  write(path: Path, content: InstanceContent, mode: WriteMode): Promise<AfterResponse | undefined> {
    return this.#change([path[0]], () => planInstanceWrite(this, path, content, mode));
  }

  /** Writes Resources of any Objects and removes Resource Instances; all of it or nothing. */
  writeAll(
    content: TreeContent,
    removals: readonly ResourceInstancePath[],
  ): Promise<AfterResponse | undefined> {
    const objectIds = [...content.keys(), ...removals.map(([objectId]) => objectId)];
    return this.#change(objectIds, () => planTreeWrite(this, content, removals));
  }

  async #change(
    objectIds: readonly number[],
    plan: () => Promise<readonly PlannedWrite[]>,
  ): Promise<AfterResponse | undefined> {
    return this.#inTurn(objectIds, async () => {
      const writes = await plan();
      const after = await applyAll(writes);
      this.#emitValues(writes.map(({ path }) => path));
      return after;
    });
  }

  async execute(path: ResourcePath, args: ExecuteArguments): Promise<AfterResponse | undefined> {
    const after = await this.resource(...path)?.handler.execute?.(args);
    return after ?? undefined;
  }

  /** A large Opaque value begins to arrive; undefined when this Resource takes values whole. */
  receiver(path: ResourcePath): ((size: number | undefined) => Promise<ValueSink>) | undefined {
    const handler = this.resource(...path)?.handler;
    const receive = handler?.receive?.bind(handler);
    if (receive === undefined) return undefined;
    return async (size) => {
      const sink = await receive(size);
      return {
        write: (piece) => sink.write(piece),
        abort: (reason) => sink.abort(reason),
        end: async () => {
          await sink.end();
          this.#emitValues([path]);
        },
      };
    };
  }

  /**
   * Creates the instances of a payload, all of them or none.
   * @returns their IDs
   */
  async create([objectId]: ObjectPath, content: ObjectContent, follow: FollowCreate = {}): Promise<number[]> {
    const entry = this.#entry(objectId);
    return this.#inTurn([objectId], () => this.#create(entry, content, follow));
  }

  async #create(
    { implementation, instances }: LiveEntry,
    content: ObjectContent,
    follow: FollowCreate,
  ): Promise<number[]> {
    const { definition } = implementation;
    const create = implementation.create?.bind(implementation);
    if (create === undefined) throw notChangeable(definition, "created");
    const planned = [...content].map(([wanted, resources]) => {
      if (instances.has(wanted)) throw new RequestError("4.00", `/${definition.id}/${wanted} exists already`);
      const id = wanted === MAX_ID ? lowestFreeId(instances) : wanted; // one without an ID comes alone
      return { id, values: initialValues(definition, resources) };
    });
    const created = await allOrNothing(async (onFailure) => {
      const handlers = new Map<number, AnyHandlers>();
      for (const { id, values } of planned) {
        handlers.set(id, await create(id, values));
        onFailure(async () => implementation.delete?.(id));
        await follow.created?.(id);
        onFailure(async () => follow.undone?.(id));
      }
      return handlers;
    });
    for (const [id, handlers] of created) instances.set(id, handlers);
    this.#emit({ kind: "instances", objectId: definition.id });
    return [...created.keys()];
  }

  async delete(objectId: number, objectInstanceId: number): Promise<void> {
    const { implementation, instances } = this.#entry(objectId);
    return this.#inTurn([objectId], async () => {
      if (implementation.delete === undefined) throw notChangeable(implementation.definition, "deleted");
      if (!instances.has(objectInstanceId)) {
        throw new RequestError("4.04", `/${objectId}/${objectInstanceId} does not exist`);
      }
      await implementation.delete(objectInstanceId);
      instances.delete(objectInstanceId);
      this.#emit({ kind: "instances", objectId });
    });
  }

  /** @throws RequestError 4.04 */
  #entry(objectId: number): LiveEntry {
    const entry = this.#entries.get(objectId);
    if (entry === undefined) throw new RequestError("4.04", `Object ${objectId} does not exist`);
    return entry;
  }

  /**
   * One change of an Object at a time: the values that a Write merges with and the ID that a Create found free must not
   * change before it is done. Who changes several Objects waits for all of them, and all turns are taken at once, so
   * that no two can wait for each other.
   */
  async #inTurn<T>(objectIds: readonly number[], change: () => Promise<T>): Promise<T> {
    const entries = [...new Set(objectIds)].map((id) => this.#entry(id));
    const turn = Promise.all(entries.map(({ lastChange }) => lastChange)).then(change);
    for (const entry of entries) entry.lastChange = turn.catch(() => undefined); // who asked for it hears of it
    return turn;
  }

  #emitValues(paths: readonly ResourcePath[]): void {
    if (paths.length > 0) this.#emit({ kind: "values", paths });
  }

  #emit(change: TreeChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const ascending = (a: number, b: number) => a - b;
const nothing: InstanceContent = new Map();

const everyInstance = () => true;

/** undefined when there is nothing. */
function contentAt(path: Path, content: ResourceContent | undefined): ObjectContent | undefined {
  const [, objectInstanceId = 0, resourceId = 0, resourceInstanceId] = path;
  const value = content === undefined ? undefined : onlyInstance(content, resourceInstanceId);
  if (value === undefined) return undefined;
  const resources = new Map<number, ResourceContent>().set(resourceId, value);
  return new Map<number, InstanceContent>().set(objectInstanceId, resources);
}

function onlyInstance(
  content: ResourceContent,
  resourceInstanceId: number | undefined,
): ResourceContent | undefined {
  if (resourceInstanceId === undefined) return content;
  const value = isResourceInstances(content) ? content.get(resourceInstanceId) : undefined;
  return value === undefined ? undefined : new Map([[resourceInstanceId, value]]);
}

function idOfResource(definition: ObjectDefinition, name: string): number {
  const resource = definition.resources[name];
  if (resource === undefined) throw new Error(`${definition.name} has no Resource "${name}"`);
  return resource.id;
}

const notChangeable = ({ id }: ObjectDefinition, what: string) =>
  new RequestError("4.05", `instances of Object ${id} cannot be ${what}`);

function lowestFreeId(instances: ReadonlyMap<number, unknown>): number {
  for (let id = 0; id < MAX_ID; id++) if (!instances.has(id)) return id;
  throw new RequestError("5.00", "every Object Instance ID is in use");
}

function initialValues(
  definition: ObjectDefinition,
  resources: InstanceContent,
): Record<string, ResourceContent | undefined> {
  const values: Record<string, ResourceContent | undefined> = {};
  for (const [name, resource] of Object.entries(definition.resources)) {
    const content = resources.get(resource.id);
    if (content !== undefined && resource.operations.includes("W")) values[name] = content;
    else if (resource.mandatory && resource.operations === "RW") {
      throw new RequestError("4.00", `the new instance lacks the mandatory Resource ${name}`);
    }
  }
  return values;
}
