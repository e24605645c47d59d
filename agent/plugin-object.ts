/** Objects of plugins: their handlers run as the plugin's, and what they ask of the agent as the agent's own. */
import type {
  AnyHandlers,
  AnyResourceHandler,
  LiveObject,
  ObjectImplementation,
} from "./model/definition.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { PluginContainment } from "./ports.js";

/** Of one plugin. */
export interface Containing {
  inside<T>(callback: string, act: () => T): T;
  readonly outside: PluginContainment["outside"];
}

const operations = ["read", "check", "write", "remove", "receive", "execute"] as const;

/** The Object as the agent gets it. `create` and `delete` may come and go, as they may with the plugin's own. */
export function containObject(
  implementation: ObjectImplementation,
  containing: Containing,
): ObjectImplementation {
  const { definition } = implementation;
  const { inside } = containing;
  const label = (what: string) => `${what} of Object ${definition.id}`;
  const contain = (handlers: AnyHandlers) => containHandlers(handlers, label, containing);
  return {
    definition,
    get instances() {
      return new Map([...implementation.instances].map(([id, handlers]) => [id, contain(handlers)]));
    },
    get create() {
      if (implementation.create === undefined) return undefined as never; // as if it were not there
      return async (...given: Parameters<NonNullable<ObjectImplementation["create"]>>) =>
        contain(await inside(label("create"), async () => notAbsent(implementation.create?.(...given))));
    },
    get delete() {
      if (implementation.delete === undefined) return undefined as never;
      return (id: number) => inside(label("delete"), () => implementation.delete?.(id));
    },
    start: async (live) => {
      const own = containLive(live, contain, containing);
      const starting = async () => inside(label("start"), () => implementation.start?.(own));
      await starting().catch(() => undefined); // it was logged; no Object of a plugin keeps the agent from starting
    },
    watched: (isWatched) => inside(label("watched"), () => implementation.watched?.(isWatched)),
    close: () => inside(label("close"), () => implementation.close?.()),
  };
}

/** The Server's Create had found `create` there. */
function notAbsent<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("create has gone, or returned no handlers");
  return value;
}

function containHandlers(
  handlers: AnyHandlers,
  label: (what: string) => string,
  containing: Containing,
): AnyHandlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      handler && containHandler(handler, (operation) => label(`${operation} ${name}`), containing),
    ]),
  );
}

function containHandler(
  handler: AnyResourceHandler,
  label: (operation: string) => string,
  { inside }: Containing,
): AnyResourceHandler {
  const contained: Record<string, unknown> = {
    ...(handler.fixedInstances && { fixedInstances: handler.fixedInstances }),
  };
  for (const operation of operations) {
    const act = handler[operation] as ((...given: readonly unknown[]) => unknown) | undefined;
    if (act === undefined) continue;
    contained[operation] = (...given: readonly unknown[]) =>
      inside(label(operation), () => act.apply(handler, [...given]));
  }
  return contained as AnyResourceHandler; // the same operations, as they were typed where they were written
}

function containLive(
  live: LiveObject,
  contain: (handlers: AnyHandlers) => AnyHandlers,
  { outside }: Containing,
): LiveObject {
  return {
    changed: (...given) => outside(() => live.changed(...given)),
    instanceAdded: (id, handlers) =>
      outside(() => live.instanceAdded(id, contain(handlers as AnyHandlers) as never)), // still of this definition
    instanceRemoved: (id) => outside(() => live.instanceRemoved(id)),
  };
}

/** A fed Object as the plugin gets it. */
export function containHandle(handle: ObjectHandle, { inside, outside }: Containing): ObjectHandle {
  const label = (what: string) => `${what} of Object ${handle.definition.id}`;
  return {
    definition: handle.definition,
    instanceIds: () => handle.instanceIds(),
    get: (...given) => handle.get(...given),
    set: (...given) => outside(() => handle.set(...given)),
    createInstance: (...given) => outside(() => handle.createInstance(...given)),
    deleteInstance: (id) => outside(() => handle.deleteInstance(id)),
    onWrite: (id, listener) =>
      handle.onWrite(id, (...given) => inside(label(`write /${id}`), () => listener(...given))),
    onExecute: (id, listener) =>
      handle.onExecute(id, (...given) => inside(label(`execute /${id}`), () => listener(...given))),
    onCreate: (listener) => handle.onCreate((...given) => inside(label("create"), () => listener(...given))),
    onDelete: (listener) => handle.onDelete((id) => inside(label("delete"), () => listener(id))),
  };
}
