import type {
  AfterResponse,
  AnyHandlers,
  AnyResourceHandler,
  LiveObject,
  ObjectImplementation,
  ValueSink,
} from "../../agent/model/definition.js";
import type { ResourceContent } from "../../agent/model/value.js";
import { createMemoryStore, type MemoryStore } from "../simulated/store.js";

/** Records in memory, on a disk that may be full. */
export interface FailableStore extends MemoryStore {
  /** What the next writes fail with. */
  fail: Error | undefined;
  /** So many more writes succeed first. */
  failFrom(writes: number, error: Error): void;
}

export function createFailableStore(initial?: Iterable<readonly [string, Uint8Array]>): FailableStore {
  const memory = createMemoryStore(initial);
  let spared = 0;
  const store: FailableStore = {
    ...memory,
    fail: undefined,
    failFrom(writes, error) {
      spared = writes;
      store.fail = error;
    },
    async write(name, record) {
      if (store.fail && spared-- <= 0) throw store.fail;
      await memory.write(name, record);
    },
  };
  return store;
}

/** An Object as a Server meets it. An Execute is answered, so what comes after the answer happens. */
export interface TestedObject {
  /** Resources that were said to have changed, as `instance/name`. */
  readonly changes: string[];
  read(name: string, objectInstanceId?: number): Promise<ResourceContent | undefined>;
  /** Checks first, as the engine does. */
  write(name: string, value: ResourceContent, objectInstanceId?: number): Promise<void>;
  remove(name: string, objectInstanceId?: number): Promise<void>;
  execute(name: string, objectInstanceId?: number): Promise<void>;
  /** The answer is still to be sent; the result sends it. */
  executeUnanswered(name: string, objectInstanceId?: number): Promise<AfterResponse>;
  receive(name: string, size?: number): Promise<ValueSink>;
}

export function tested(object: ObjectImplementation): TestedObject & { start(): Promise<void> } {
  const changes: string[] = [];
  const added = new Map(object.instances);
  const live: LiveObject = {
    changed: (id, ...names) => void changes.push(...names.map((name) => `${id}/${name}`)),
    instanceAdded: (id, handlers) => {
      added.set(id, handlers as AnyHandlers);
      changes.push(`${id} added`);
    },
    instanceRemoved: (id) => {
      added.delete(id);
      changes.push(`${id} removed`);
    },
  };
  const handler = (name: string, id: number): AnyResourceHandler => {
    const found = added.get(id)?.[name];
    if (found === undefined) throw new Error(`instance ${id} has no ${name}`);
    return found;
  };
  const executeUnanswered = async (name: string, id = 0) =>
    (await handler(name, id).execute?.(new Map())) ?? (() => {});
  return {
    changes,
    start: async () => object.start?.(live),
    read: async (name, id = 0) => handler(name, id).read?.(),
    async write(name, value, id = 0) {
      await handler(name, id).check?.(value as never); // the codec would have checked the type
      await handler(name, id).write?.(value as never);
    },
    remove: async (name, id = 0) => handler(name, id).remove?.(),
    executeUnanswered,
    execute: async (name, id) => (await executeUnanswered(name, id))(),
    async receive(name, size) {
      const sink = await handler(name, 0).receive?.(size);
      if (sink === undefined) throw new Error(`${name} does not take a stream`);
      return sink;
    },
  };
}
