/** What a Write, or a Write-Composite over many Objects, does to each Resource (LwM2M Core §6.3.3, §6.3.9). */
import type { NamedResource } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import {
  formatPath,
  type InstancePath,
  MAX_ID,
  type Path,
  type ResourceInstancePath,
  type ResourcePath,
} from "../model/path.js";
import {
  type InstanceContent,
  isObjectLink,
  isResourceInstances,
  type ResourceContent,
  type TreeContent,
} from "../model/value.js";
import type { LiveResource, ObjectTree } from "./object-tree.js";
import { type PlannedWrite, planRemoval, planWrite, type WriteMode } from "./planned-write.js";

/**
 * @param path of an Object Instance, a Resource or a Resource Instance
 * @throws RequestError when something of it cannot be written; nothing has changed then
 */
export async function planInstanceWrite(
  tree: ObjectTree,
  path: Path,
  content: InstanceContent,
  mode: WriteMode,
): Promise<PlannedWrite[]> {
  const [objectId, objectInstanceId, resourceId, resourceInstanceId] = path;
  if (objectInstanceId === undefined || !tree.hasInstance(objectId, objectInstanceId)) {
    throw new RequestError("4.04", `${formatPath(path)} does not exist`);
  }
  const instance = [objectId, objectInstanceId] as const;
  const writes: PlannedWrite[] = [];
  for (const [id, value] of content) {
    const target = [...instance, id] as const;
    const resource = tree.resource(...target);
    if (resource === undefined && resourceId === undefined) continue; // an optional one that is not there
    const change = { mode, content: value, ...(resourceInstanceId !== undefined && { resourceInstanceId }) };
    checkLinks(tree, writable(resource, target).definition, value);
    writes.push(await planWrite(target, writable(resource, target), change));
  }
  const isWhole = mode === "replace" && resourceId === undefined;
  return isWhole ? [...writes, ...planRemovals(tree, instance, content)] : writes;
}

/**
 * A composite changes what it names, and nothing else.
 * @throws RequestError when something of it cannot be written; nothing has changed then
 */
export async function planTreeWrite(
  tree: ObjectTree,
  content: TreeContent,
  removals: readonly ResourceInstancePath[],
): Promise<PlannedWrite[]> {
  const writes: PlannedWrite[] = [];
  for (const [path, value] of resourcesOf(content, removals)) {
    const resource = writable(tree.resource(...path), path);
    if (value !== undefined) checkLinks(tree, resource.definition, value);
    const gone = removals
      .filter((removal) => formatPath(removal.slice(0, 3)) === formatPath(path))
      .map(([, , , id]) => id);
    const change = {
      mode: "partial",
      removals: gone,
      ...(value !== undefined && { content: value }),
    } as const;
    writes.push(await planWrite(path, resource, change));
  }
  return writes;
}

/** Each Resource once, with its new content; undefined where Resource Instances are only removed. */
function resourcesOf(
  content: TreeContent,
  removals: readonly ResourceInstancePath[],
): Iterable<readonly [ResourcePath, ResourceContent | undefined]> {
  const resources = new Map<string, readonly [ResourcePath, ResourceContent | undefined]>();
  for (const [objectId, objectInstanceId, resourceId] of removals) {
    const path = [objectId, objectInstanceId, resourceId] as const;
    resources.set(formatPath(path), [path, undefined]);
  }
  for (const [objectId, instances] of content) {
    for (const [objectInstanceId, values] of instances) {
      for (const [resourceId, value] of values) {
        const path = [objectId, objectInstanceId, resourceId] as const;
        resources.set(formatPath(path), [path, value]);
      }
    }
  }
  return resources.values();
}

/** @throws RequestError 4.04 when it is not there, 4.05 when it cannot be written */
function writable(resource: LiveResource | undefined, path: ResourcePath): LiveResource {
  if (resource === undefined) throw new RequestError("4.04", `${formatPath(path)} does not exist`);
  if (resource.definition.operations.includes("W")) return resource;
  throw new RequestError("4.05", `${formatPath(path)} cannot be written`);
}

/** An Object Link leads to an Object that is there, to one of its instances, or nowhere (LwM2M Core appendix C). */
function checkLinks(tree: ObjectTree, { type, name }: NamedResource, content: ResourceContent): void {
  if (type !== "objlnk") return;
  for (const link of isResourceInstances(content) ? content.values() : [content]) {
    if (!isObjectLink(link)) continue;
    const { objectId, objectInstanceId } = link;
    const leads =
      objectInstanceId === MAX_ID
        ? objectId === MAX_ID || tree.definition(objectId) !== undefined
        : tree.hasInstance(objectId, objectInstanceId);
    if (!leads)
      throw new RequestError("4.00", `${name} leads to ${objectId}:${objectInstanceId}, which is not there`);
  }
}

/** Replacing an instance takes away the optional Resources that the payload leaves out. */
function planRemovals(tree: ObjectTree, instance: InstancePath, content: InstanceContent): PlannedWrite[] {
  const removals: PlannedWrite[] = [];
  for (const resource of tree.resources(...instance)) {
    const { definition, handler } = resource;
    if (!definition.operations.includes("W") || content.has(definition.id)) continue;
    if (definition.mandatory && definition.operations === "RW") {
      throw new RequestError("4.00", `the new content lacks the mandatory Resource ${definition.name}`);
    }
    if (handler.remove !== undefined) removals.push(planRemoval([...instance, definition.id], resource));
  }
  return removals;
}
