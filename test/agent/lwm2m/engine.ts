import { AccessControl, type AccessControlEntry, rights } from "../../../agent/lwm2m/access-control.js";
import { AttributeStore } from "../../../agent/lwm2m/attribute-store.js";
import { Dispatcher } from "../../../agent/lwm2m/dispatcher.js";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import type {
  CompositeOperation,
  LwM2mVersion,
  Operation,
  Origin,
  Reply,
} from "../../../agent/lwm2m/operations.js";
import type { StructuredFormat } from "../../../agent/lwm2m/versions.js";
import { defineObject, multipleInstances, singleInstance } from "../../../agent/model/definition.js";
import { RequestError } from "../../../agent/model/errors.js";
import { MAX_ID, type Path, pathFromSegments } from "../../../agent/model/path.js";
import type { ObjectLink } from "../../../agent/model/value.js";

const Security = defineObject({
  id: 0,
  name: "Security",
  version: "1.1",
  instances: "single",
  resources: { uri: { id: 0, operations: "BS", type: "string", mandatory: true } },
});

/** One Resource of each kind. */
export const Thing = defineObject({
  id: 40001,
  name: "Thing",
  version: "1.1",
  instances: "multiple",
  resources: {
    level: { id: 0, operations: "RW", type: "integer", range: [0, 10], mandatory: true },
    state: { id: 1, operations: "R", type: "string" },
    secret: { id: 2, operations: "W", type: "string" },
    run: { id: 3, operations: "E" },
    names: { id: 4, operations: "RW", type: "string", multiple: true },
    link: { id: 5, operations: "RW", type: "objlnk" },
    raw: { id: 6, operations: "RW", type: "opaque" },
    unset: { id: 7, operations: "R", type: "string" },
    slots: { id: 8, operations: "RW", type: "integer", multiple: true },
    missing: { id: 9, operations: "RW", type: "string" },
    ticks: { id: 10, operations: "R", type: "integer", multiple: true },
  },
});

/** Nobody creates or deletes an instance of it. */
export const Lone = defineObject({
  id: 40002,
  name: "Lone",
  version: "1.0",
  instances: "single",
  resources: { value: { id: 0, operations: "RW", type: "integer", mandatory: true } },
});

export const thing = Thing.id;
export const lone = Lone.id;

function createThing() {
  return {
    level: 5,
    secret: "",
    names: new Map([
      [0, "a"],
      [3, "b"],
    ]),
    link: { objectId: MAX_ID, objectInstanceId: MAX_ID } as ObjectLink,
    raw: Uint8Array.of(1, 2, 3) as Uint8Array,
    slots: new Map([
      [0, 1],
      [1, 2],
    ]),
    ran: 0,
  };
}

/** The Objects Thing, with one instance, and Lone; and what they hold. */
export function createThings() {
  const things = new Map([[0, createThing()]]);
  const state = { things, lone: 1, loneIsBroken: false };
  const thingHandlers = (id: number) => {
    const held = things.get(id);
    if (held === undefined) throw new Error(`there is no thing ${id}`);
    return {
      level: {
        read: () => held.level,
        check: (value: number) => {
          if (value === 7) throw new RequestError("4.00", "seven is not liked");
        },
        write: (value: number) => void (held.level = value),
      },
      state: { read: () => "ready" },
      secret: { write: (value: string) => void (held.secret = value) },
      run: { execute: () => void held.ran++ },
      names: {
        read: () => held.names,
        write: (value: ReadonlyMap<number, string>) => void (held.names = new Map(value)),
      },
      link: { read: () => held.link, write: (value: ObjectLink) => void (held.link = value) },
      raw: { read: () => held.raw, write: (value: Uint8Array) => void (held.raw = value) },
      unset: { read: () => undefined },
      slots: {
        read: () => held.slots,
        write: (value: ReadonlyMap<number, number | bigint>) =>
          void (held.slots = new Map([...value].map(([slot, number]) => [slot, Number(number)]))),
        fixedInstances: true,
      },
      ticks: { read: () => new Map([[0, 9]]) },
    } as const;
  };
  const objects = [
    multipleInstances(Thing, {
      instances: new Map([[0, thingHandlers(0)]]),
      create: (id, { level = 0 }) => {
        if (level === 7) throw new RequestError("4.00", "seven is not liked");
        things.set(id, { ...createThing(), level: Number(level) });
        return thingHandlers(id);
      },
      delete: (id) => void things.delete(id),
    }),
    singleInstance(Lone, {
      value: {
        read: () => state.lone,
        write: (value) => {
          if (state.loneIsBroken) throw new Error("it is broken");
          state.lone = Number(value);
        },
      },
    }),
  ];
  return { state, objects };
}

/**
 * The dispatcher over two Objects and a Security Object. Servers 1 and 2 have an account; Server 1 owns everything, and
 * Server 2 has the rights that the test gives it. Without such rights there is no access control.
 */
export function createEngine({
  rightsOfTwo,
  lwm2m = "1.2",
  structuredFormat,
}: {
  rightsOfTwo?: number;
  lwm2m?: LwM2mVersion;
  structuredFormat?: StructuredFormat;
} = {}) {
  const { state: held, objects } = createThings();
  const state = Object.assign(held, { attributesChanges: 0 });
  const entries: AccessControlEntry[] =
    rightsOfTwo === undefined
      ? []
      : [
          ...[thing, lone].map((objectId) => ({
            objectId,
            objectInstanceId: 0,
            owner: 1,
            acl: new Map([[2, rightsOfTwo]]),
          })),
          {
            objectId: thing,
            objectInstanceId: MAX_ID,
            owner: MAX_ID,
            acl: new Map([
              [1, rights.create],
              [2, rightsOfTwo],
            ]),
          },
        ];
  const access = new AccessControl({
    severalServers: () => true,
    entries: {
      entries: () => entries,
      entry: (id) => entries[id],
      create: (entry) => void entries.push(entry),
      remove: (objectId, objectInstanceId) => {
        const index = entries.findIndex(
          (entry) => entry.objectId === objectId && entry.objectInstanceId === objectInstanceId,
        );
        if (index >= 0) entries.splice(index, 1);
      },
    },
  });
  const tree = new ObjectTree();
  tree.add(singleInstance(Security, { uri: { read: () => "coap://secret", write: () => undefined } }));
  for (const object of objects) tree.add(object);
  const attributes = new AttributeStore();
  const dispatcher = new Dispatcher({
    tree,
    access,
    attributes,
    attributesChanged: () => void state.attributesChanges++,
    ...(structuredFormat !== undefined && { structuredFormat }),
  });
  const origin = (shortServerId: number): Origin => ({ shortServerId, version: lwm2m });
  return {
    state,
    tree,
    entries,
    attributes,
    dispatcher,
    /** @throws as `Dispatcher.perform` */
    perform: async (operation: Operation | CompositeOperation, shortServerId = 1): Promise<Reply> =>
      dispatcher.perform(origin(shortServerId), operation),
  };
}

export type Engine = ReturnType<typeof createEngine>;

/** `/40001/0/4` */
export function path(text: string): Path {
  const parsed = pathFromSegments(text.split("/").slice(1));
  if (parsed === undefined) throw new Error(`${text} is no path`);
  return parsed;
}

const bytes = (text: string | Uint8Array) =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

/** Operations in short. */
export const read = (uri: string, accept?: number): Operation => ({ kind: "read", path: path(uri), accept });
export const discover = (uri: string, depth?: number): Operation => ({
  kind: "discover",
  path: path(uri),
  ...(depth !== undefined && { depth }),
});
export const replace = (
  uri: string,
  contentFormat?: number,
  payload: string | Uint8Array = "",
): Operation => ({
  kind: "write",
  mode: "replace",
  path: path(uri),
  contentFormat,
  payload: bytes(payload),
});
export const partial = (
  uri: string,
  contentFormat?: number,
  payload: string | Uint8Array = "",
): Operation => ({
  kind: "write",
  mode: "partial",
  path: path(uri),
  contentFormat,
  payload: bytes(payload),
});
export const writeAttributes = (uri: string, ...attributes: string[]): Operation => ({
  kind: "writeAttributes",
  path: path(uri),
  attributes,
});
export const execute = (
  uri: string,
  contentFormat?: number,
  payload: string | Uint8Array = "",
): Operation => ({
  kind: "execute",
  path: path(uri),
  contentFormat,
  payload: bytes(payload),
});
export const create = (
  uri: string,
  contentFormat?: number,
  payload: string | Uint8Array = "",
): Operation => ({
  kind: "create",
  path: path(uri),
  contentFormat,
  payload: bytes(payload),
});
export const remove = (uri: string): Operation => ({ kind: "delete", path: path(uri) });
export const readComposite = (
  contentFormat: number | undefined,
  payload: string | Uint8Array,
  accept?: number,
): CompositeOperation => ({ kind: "readComposite", contentFormat, payload: bytes(payload), accept });
export const writeComposite = (
  contentFormat: number | undefined,
  payload: string | Uint8Array,
): CompositeOperation => ({ kind: "writeComposite", contentFormat, payload: bytes(payload) });
