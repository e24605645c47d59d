/** How the Objects of the accounts appear among the others: their instances follow the store. */
import type {
  AnyHandlers,
  Handlers,
  LiveObject,
  ObjectDefinition,
  ObjectImplementation,
} from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import { equalContent, type InstanceContent } from "../../agent/model/value.js";
import { type AccountContent, instancesOf, valueAt } from "./content.js";
import type { AccountStore } from "./store.js";

/** An Object whose instances are those of the store, as it is now and as it becomes. */
export function accountObject<const D extends ObjectDefinition>(
  definition: D,
  store: AccountStore,
  handlersOf: (objectInstanceId: number) => Handlers<D>,
): ObjectImplementation {
  let stopListening = () => {};
  return {
    definition,
    instances: new Map(
      instancesOf(store.content, definition.id).map(([id]) => [id, handlersOf(id) as AnyHandlers]),
    ),
    start(object) {
      stopListening = store.onChange((before, after) =>
        follow(definition, before, after, object, (id) => object.instanceAdded(id, handlersOf(id) as never)),
      );
    },
    close: () => stopListening(),
  };
}

function follow(
  definition: ObjectDefinition,
  before: AccountContent,
  after: AccountContent,
  object: LiveObject,
  add: (objectInstanceId: number) => void,
): void {
  const previous = new Map(instancesOf(before, definition.id));
  for (const [id, resources] of instancesOf(after, definition.id)) {
    const known = previous.get(id);
    if (known === undefined) add(id);
    else {
      const names = changedNames(definition, known, resources);
      if (names.length > 0) object.changed(id, ...names);
    }
    previous.delete(id);
  }
  for (const id of previous.keys()) object.instanceRemoved(id);
}

const changedNames = (definition: ObjectDefinition, before: InstanceContent, after: InstanceContent) =>
  Object.entries(definition.resources)
    .filter(([, { id }]) => !equalContent(before.get(id), after.get(id)))
    .map(([name]) => name);

/** Handlers of one instance that read and write the store; executable Resources have none. */
export function storedHandlers<const D extends ObjectDefinition>(
  definition: D,
  store: AccountStore,
  objectInstanceId: number,
): Handlers<D> {
  const values = Object.entries(definition.resources).filter(([, { type }]) => type !== undefined);
  const handlers = values.map(([name, { id, operations, mandatory }]) => {
    const path = [definition.id, objectInstanceId, id] as const;
    const isWritable = operations === "RW";
    return [
      name,
      {
        read: () => valueAt(store.content, ...path),
        ...(isWritable && { write: (value: never) => store.write(path, value) }),
        ...(isWritable && !mandatory && { remove: () => store.write(path, undefined) }),
      },
    ] as const;
  });
  return Object.fromEntries(handlers) as Handlers<D>; // what is stored has the types that the definition says
}

/**
 * Of an Object that no Server may touch. The Bootstrap-Server goes past the handlers, so a slip in the checks above can
 * show no key.
 */
export function hiddenHandlers<const D extends ObjectDefinition>(definition: D): Handlers<D> {
  const refuse = (): never => {
    throw new RequestError("4.01", `${definition.name} belongs to the Bootstrap-Server`);
  };
  const handlers = Object.keys(definition.resources).map((name) => [name, { read: refuse, write: refuse }]);
  return Object.fromEntries(handlers) as Handlers<D>; // they never return, so any type is theirs
}
