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
  type ValueSink,
} from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, MAX_ID, type ObjectPath, type Path, type ResourcePath } from "../model/path.js";
import {
  equalContent,
  type InstanceContent,
  isResourceInstances,
  type ObjectContent,
  type ResourceContent,
} from "../model/value.js";

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

interface LiveEntry {
  readonly implementation: ObjectImplementation;
  readonly instances: Map<number, AnyHandlers>;
}

export class ObjectTree {
  readonly #entries = new Map<number, LiveEntry>();
  readonly #listeners = new Set<(change: TreeChange) => void>();

  /** @throws Error when there is an Object with that ID already */
  add(implementation: ObjectImplementation): void {
    const { id, name } = implementation.definition;
    if (this.#entries.has(id)) throw new Error(`Object ${id} exists already; ${name} cannot take its number`);
    this.#entries.set(id, { implementation, instances: new Map(implementation.instances) });
    this.#emit({ kind: "instances", objectId: id });
  }

  /** Starts every Object: from now on it may say that values changed. */
  async start(): Promise<void> {
    for (const { implementation } of this.#entries.values()) await this.startObject(implementation);
  }

  /** Starts one Object that was added to a running client. */
  async startObject(implementation: ObjectImplementation): Promise<void> {
    const { definition } = implementation;
    await implementation.start?.({
      changed: (objectInstanceId, ...names) =>
        this.#emitValues(
          names.map((name) => [definition.id, objectInstanceId, idOfResource(definition, name)] as const),
        ),
    });
  }

  /** Closes every Object, the last added first. */
  async close(): Promise<void> {
    for (const { implementation } of [...this.#entries.values()].reverse()) await implementation.close?.();
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
    const definition = this.definition(objectId);
    if (definition === undefined) return [];
    return Object.values(definition.resources)
      .map(({ id }) => this.resource(objectId, objectInstanceId, id))
      .filter((resource) => resource !== undefined)
      .sort((a, b) => a.definition.id - b.definition.id);
  }

  canCreate(objectId: number): boolean {
    return this.#entries.get(objectId)?.implementation.create !== undefined;
  }

  canDelete(objectId: number): boolean {
    return this.#entries.get(objectId)?.implementation.delete !== undefined;
  }

  /**
   * What `path` holds: Resources that are readable and instantiated, the others left out.
   * @throws RequestError 4.04 when `path` names a Resource or Resource Instance that holds nothing
   */
  async read(path: Path): Promise<ObjectContent> {
    const [objectId, objectInstanceId, resourceId, resourceInstanceId] = path;
    if (objectInstanceId !== undefined && resourceId !== undefined) {
      const content = await this.resource(objectId, objectInstanceId, resourceId)?.handler.read?.();
      if (content === undefined) throw new RequestError("4.04", `${formatPath(path)} holds no value`);
      return new Map([
        [objectInstanceId, new Map([[resourceId, onlyInstance(content, resourceInstanceId, path)]])],
      ]);
    }
    const instanceIds = objectInstanceId === undefined ? this.instanceIds(objectId) : [objectInstanceId];
    const instances = new Map<number, InstanceContent>();
    for (const id of instanceIds) instances.set(id, await this.#readInstance(objectId, id));
    return instances;
  }

  async #readInstance(objectId: number, objectInstanceId: number): Promise<InstanceContent> {
    const content = new Map<number, ResourceContent>();
    for (const { definition, handler } of this.resources(objectId, objectInstanceId)) {
      if (!definition.operations.includes("R")) continue;
      const value = await handler.read?.();
      if (value !== undefined) content.set(definition.id, value);
    }
    return content;
  }

  /**
   * Writes one instance, a Resource or a Resource Instance; all of it or nothing.
   * @param content what the payload carried for the instance: known Resources only, types and ranges checked
   * @returns what is to happen after the response
   */
  async write(
    path: Path,
    content: InstanceContent,
    mode: "replace" | "partial",
  ): Promise<AfterResponse | undefined> {
    const [objectId, objectInstanceId, resourceId] = path;
    if (objectInstanceId === undefined)
      throw new RequestError("4.05", "an Object as a whole cannot be written");
    const writes: PlannedWrite[] = [];
    for (const [id, value] of content) {
      const target = this.resource(objectId, objectInstanceId, id);
      if (target === undefined) {
        if (resourceId !== undefined) throw new RequestError("4.04", `${formatPath(path)} does not exist`);
        continue; // an optional Resource that this instance does not have, LwM2M Core §6.3.3
      }
      if (!target.definition.operations.includes("W")) {
        throw new RequestError("4.05", `${formatPath([objectId, objectInstanceId, id])} cannot be written`);
      }
      writes.push(await planWrite(path, target, value, mode));
    }
    if (mode === "replace" && resourceId === undefined) {
      writes.push(...this.#planRemovals(objectId, objectInstanceId, content));
    }
    for (const write of writes) await write.check();
    const after = await applyAll(writes);
    this.#emitValues(writes.map(({ id }) => [objectId, objectInstanceId, id] as const));
    return after;
  }

  /** Replacing an instance takes away the optional Resources that the payload leaves out. */
  #planRemovals(objectId: number, objectInstanceId: number, content: InstanceContent): PlannedWrite[] {
    const removals: PlannedWrite[] = [];
    for (const { definition, handler } of this.resources(objectId, objectInstanceId)) {
      if (!definition.operations.includes("W") || content.has(definition.id)) continue;
      if (definition.mandatory && definition.operations === "RW") {
        throw new RequestError("4.00", `the new content lacks the mandatory Resource ${definition.name}`);
      }
      if (handler.remove === undefined) continue;
      removals.push({
        id: definition.id,
        check: () => undefined,
        apply: async () => void (await handler.remove?.()),
        restore: restoring(handler),
      });
    }
    return removals;
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
  async create([objectId]: ObjectPath, content: ObjectContent): Promise<number[]> {
    const entry = this.#entries.get(objectId);
    const create = entry?.implementation.create?.bind(entry.implementation);
    if (entry === undefined || create === undefined) {
      throw new RequestError("4.05", `instances of Object ${objectId} cannot be created`);
    }
    const { definition } = entry.implementation;
    for (const id of content.keys()) {
      if (entry.instances.has(id)) throw new RequestError("4.00", `/${objectId}/${id} exists already`);
    }
    const created: number[] = [];
    try {
      for (const [wanted, resources] of content) {
        const id = wanted === MAX_ID ? lowestFreeId(entry.instances) : wanted;
        entry.instances.set(id, await create(id, initialValues(definition, resources)));
        created.push(id);
      }
    } catch (error) {
      for (const id of created) {
        entry.instances.delete(id);
        await entry.implementation.delete?.(id);
      }
      throw error;
    }
    this.#emit({ kind: "instances", objectId });
    return created;
  }

  async delete(objectId: number, objectInstanceId: number): Promise<void> {
    const entry = this.#entries.get(objectId);
    if (entry?.implementation.delete === undefined) {
      throw new RequestError("4.05", `instances of Object ${objectId} cannot be deleted`);
    }
    await entry.implementation.delete(objectInstanceId);
    entry.instances.delete(objectInstanceId);
    this.#emit({ kind: "instances", objectId });
  }

  #emitValues(paths: readonly ResourcePath[]): void {
    if (paths.length > 0) this.#emit({ kind: "values", paths });
  }

  #emit(change: TreeChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const ascending = (a: number, b: number) => a - b;

/** One Resource of a Write, ready to be applied and, should a later one fail, to be taken back. */
interface PlannedWrite {
  readonly id: number;
  check(): void | Promise<void>;
  apply(): Promise<void | AfterResponse>;
  /** Reads the present value and returns what puts it back. */
  restore(): Promise<() => Promise<void>>;
}

async function planWrite(
  path: Path,
  { definition, handler }: LiveResource,
  content: ResourceContent,
  mode: "replace" | "partial",
): Promise<PlannedWrite> {
  const { id } = definition;
  if (handler.write === undefined) {
    return {
      id,
      check: () => undefined,
      apply: async () => {
        if (!(content instanceof Uint8Array))
          throw new RequestError("4.00", `${definition.name} takes bytes`);
        const sink = await handler.receive?.(content.length);
        await sink?.write(content);
        await sink?.end();
      },
      restore: async () => async () => undefined, // a stream has no value to go back to
    };
  }
  // Handlers of one definition take the type that the codec has just checked against that same definition.
  const value = (await mergeInstances(path, handler, content, mode)) as never;
  return {
    id,
    check: () => handler.check?.(value),
    apply: async () => handler.write?.(value),
    restore: restoring(handler),
  };
}

/** Partial writes and writes to one Resource Instance keep the other Resource Instances. */
async function mergeInstances(
  path: Path,
  handler: AnyResourceHandler,
  content: ResourceContent,
  mode: "replace" | "partial",
): Promise<ResourceContent> {
  const resourceInstanceId = path[3];
  if (!isResourceInstances(content) || (mode === "replace" && resourceInstanceId === undefined))
    return content;
  const present = await handler.read?.();
  const instances = new Map(present !== undefined && isResourceInstances(present) ? present : []);
  if (resourceInstanceId !== undefined && !instances.has(resourceInstanceId)) {
    throw new RequestError("4.04", `${formatPath(path)} does not exist`);
  }
  for (const [id, value] of content) instances.set(id, value);
  return instances;
}

const restoring = (handler: AnyResourceHandler) => async () => {
  const before = await handler.read?.();
  return async () => {
    const now = await handler.read?.();
    if (before === undefined || equalContent(before, now)) return;
    await handler.write?.(before as never); // the handler's own value goes back to it
  };
};

/** Applies all, or takes back what was applied. */
async function applyAll(writes: readonly PlannedWrite[]): Promise<AfterResponse | undefined> {
  const undo: (() => Promise<void>)[] = [];
  const afters: AfterResponse[] = [];
  try {
    for (const write of writes) {
      if (writes.length > 1) undo.push(await write.restore());
      const after = await write.apply();
      if (after) afters.push(after);
    }
  } catch (error) {
    for (const restore of undo.reverse()) await restore();
    throw error;
  }
  return afters.length === 0 ? undefined : () => afters.forEach((after) => void after());
}

function onlyInstance(
  content: ResourceContent,
  resourceInstanceId: number | undefined,
  path: Path,
): ResourceContent {
  if (resourceInstanceId === undefined) return content;
  const value = isResourceInstances(content) ? content.get(resourceInstanceId) : undefined;
  if (value === undefined) throw new RequestError("4.04", `${formatPath(path)} does not exist`);
  return new Map([[resourceInstanceId, value]]);
}

function idOfResource(definition: ObjectDefinition, name: string): number {
  const resource = definition.resources[name];
  if (resource === undefined) throw new Error(`${definition.name} has no Resource "${name}"`);
  return resource.id;
}

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
