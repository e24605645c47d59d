/**
 * What the Objects Security, Server, Access Control and OSCORE hold, as one value: a change of several of them is one
 * change. Functions from content to content; what is durable is in `store.ts`.
 */
import type { InitialValues, ObjectDefinition } from "../../agent/model/definition.js";
import type { InstanceContent, ResourceContent, TreeContent } from "../../agent/model/value.js";

/** By Object ID, Object Instance ID and Resource ID. Never changed in place. */
export type AccountContent = TreeContent;

const noInstances: ReadonlyMap<number, InstanceContent> = new Map();

export const ascending = <T>(byId: ReadonlyMap<number, T>): [number, T][] =>
  [...byId].sort(([a], [b]) => a - b);

/** In ascending order. */
export const instancesOf = (content: AccountContent, objectId: number): [number, InstanceContent][] =>
  ascending(content.get(objectId) ?? noInstances);

export const valueAt = (
  content: AccountContent,
  objectId: number,
  objectInstanceId: number,
  resourceId: number,
): ResourceContent | undefined => content.get(objectId)?.get(objectInstanceId)?.get(resourceId);

export function withInstance(
  content: AccountContent,
  objectId: number,
  objectInstanceId: number,
  resources: InstanceContent,
): AccountContent {
  const instances = new Map(content.get(objectId)).set(objectInstanceId, resources);
  return new Map(content).set(objectId, instances);
}

export function withoutInstance(
  content: AccountContent,
  objectId: number,
  objectInstanceId: number,
): AccountContent {
  const instances = new Map(content.get(objectId));
  instances.delete(objectInstanceId);
  return new Map(content).set(objectId, instances);
}

/** `undefined` takes the Resource away. The Object Instance must exist. */
export function withValue(
  content: AccountContent,
  path: readonly [objectId: number, objectInstanceId: number, resourceId: number],
  value: ResourceContent | undefined,
): AccountContent {
  const [objectId, objectInstanceId, resourceId] = path;
  const resources = new Map(content.get(objectId)?.get(objectInstanceId));
  if (value === undefined) resources.delete(resourceId);
  else resources.set(resourceId, value);
  return withInstance(content, objectId, objectInstanceId, resources);
}

export function lowestFreeId(content: AccountContent, objectId: number): number {
  const taken = content.get(objectId) ?? noInstances;
  let id = 0;
  while (taken.has(id)) id++;
  return id;
}

// ---- By the names of a definition ------------------------------------------------------------------------------

/** The Resources of one instance by their names. Whatever is in content has been checked against the definition. */
export function namedValues<const D extends ObjectDefinition>(
  definition: D,
  resources: InstanceContent,
): InitialValues<D> {
  const named = Object.entries(definition.resources).flatMap(([name, { id }]) => {
    const value = resources.get(id);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(named) as InitialValues<D>; // every value has the type that its definition says
}

/** The other way round; an undefined value is one that is not there. */
export function instanceContent<const D extends ObjectDefinition>(
  definition: D,
  values: { readonly [Name in keyof InitialValues<D>]: InitialValues<D>[Name] | undefined },
): InstanceContent {
  const byName: Readonly<Record<string, ResourceContent | undefined>> = values;
  const resources = new Map<number, ResourceContent>();
  for (const [name, { id }] of Object.entries(definition.resources)) {
    const value = byName[name];
    if (value !== undefined) resources.set(id, value);
  }
  return resources;
}
