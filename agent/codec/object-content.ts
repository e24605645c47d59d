import { type ObjectDefinition, resourceById } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import {
  formatPath,
  isWithin,
  MAX_ID,
  type Path,
  type ResourceInstancePath,
  type ResourcePath,
} from "../model/path.js";
import {
  type InstanceContent,
  isResourceInstances,
  type ObjectContent,
  type ResourceContent,
  type ResourceInstances,
  type ResourceValue,
} from "../model/value.js";
import { checkRange, holdsValue, type ValueResource } from "./value-types.js";

// ---- From an Object --------------------------------------------------------------------------------------------

/** In ascending order of the keys, as payloads list them. */
export function ascending<T>(byId: ReadonlyMap<number, T>): Iterable<readonly [number, T]> {
  let last = -1;
  for (const id of byId.keys()) {
    if (id < last) return [...byId].sort(([a], [b]) => a - b);
    last = id;
  }
  return byId; // as most of them are
}

/**
 * The one Object Instance whose ID the client is to assign (LwM2M Core §6.3.6): payloads do not name it.
 * @throws TypeError when there are others beside it: a mistake in this program
 */
export function unassignedIn(content: ObjectContent): InstanceContent | undefined {
  const unassigned = content.get(MAX_ID);
  if (unassigned !== undefined && content.size > 1) throw new TypeError("an instance without ID comes alone");
  return unassigned;
}

/** @throws TypeError for content that its definition does not have: a mistake in this program */
export function resourceOf(definition: ObjectDefinition, resourceId: number): ValueResource {
  const resource = resourceById(definition, resourceId);
  if (resource === undefined || !holdsValue(resource)) {
    throw new TypeError(`${formatPath([definition.id])} has no Resource ${resourceId} with a value`);
  }
  return resource;
}

/** @throws TypeError when it is a single value: a mistake in this program */
export function instancesOf({ name }: ValueResource, content: ResourceContent): ResourceInstances {
  if (!isResourceInstances(content)) throw new TypeError(`${name} has Resource Instances`);
  return content;
}

/** @throws TypeError when there are Resource Instances: a mistake in this program */
export function singleOf({ name }: ValueResource, content: ResourceContent | undefined): ResourceValue {
  if (content === undefined || isResourceInstances(content))
    throw new TypeError(`${name} has a single value`);
  return content;
}

// ---- From a payload --------------------------------------------------------------------------------------------

type Values = Map<number, ResourceValue>;

/**
 * Collects what a payload for `target` carries, and holds the rules that all formats share: nothing outside the target,
 * nothing twice, Resource Instances where the definition has them and only there, values within their range.
 */
export class ContentBuilder {
  readonly #definition: ObjectDefinition;
  readonly #target: Path;
  /** The target down to its Resource. */
  readonly #resourceTarget: readonly number[];
  readonly #content = new Map<number, Map<number, ResourceValue | Values>>();

  constructor(definition: ObjectDefinition, target: Path) {
    this.#definition = definition;
    this.#target = target;
    this.#resourceTarget = target.slice(0, 3);
  }

  /** An Object Instance, which may turn out to carry no Resources. */
  addInstance(objectInstanceId: number): void {
    const path = [this.#target[0], objectInstanceId];
    if (this.#content.has(objectInstanceId)) throw new DecodeError(`${formatPath(path)} comes twice`);
    this.#resources(objectInstanceId);
  }

  /** A multiple-instance Resource, which may turn out to have no Resource Instances. */
  addInstances(path: ResourcePath): void {
    const [, objectInstanceId, resourceId] = path;
    const resource = this.#resource(path);
    const resources = this.#resources(objectInstanceId);
    if (resource === undefined) return;
    if (!resource.multiple) throw new DecodeError(`${formatPath(path)} has no Resource Instances`);
    if (resources.has(resourceId)) throw new DecodeError(`${formatPath(path)} comes twice`);
    resources.set(resourceId, new Map());
  }

  /** @param decode reads the value by its definition; not called for a Resource that is skipped */
  addValue(
    path: ResourcePath | ResourceInstancePath,
    decode: (resource: ValueResource) => ResourceValue,
  ): void {
    const resource = this.#resource(path);
    const resources = this.#resources(path[1]); // it exists, whether we know its Resources or not
    if (resource === undefined) return;
    if (!isWithin(path, this.#target) || (resource.multiple === true) !== (path.length === 4)) {
      throw new DecodeError(`${formatPath(path)} does not belong into ${formatPath(this.#target)}`);
    }
    const [, , resourceId, resourceInstanceId] = path;
    if (resourceInstanceId === MAX_ID) throw new DecodeError(`${formatPath(path)} has a reserved identifier`);
    const value = decode(resource);
    checkRange(resource, value);
    const values = resourceInstanceId === undefined ? resources : instancesIn(resources, resourceId);
    const id = resourceInstanceId ?? resourceId;
    if (values.has(id)) throw new DecodeError(`${formatPath(path)} comes twice`);
    values.set(id, value);
  }

  /** @throws DecodeError when the target is a value and the payload had none */
  finish(): ObjectContent {
    const [objectId, objectInstanceId, resourceId, resourceInstanceId] = this.#target;
    if (objectInstanceId === undefined) return this.#content;
    const resources = this.#resources(objectInstanceId);
    if (resourceId === undefined) return this.#content;
    const { multiple } = this.#resource([objectId, objectInstanceId, resourceId]) ?? {};
    // For a multiple-instance Resource an empty payload is one without Resource Instances.
    const values = multiple ? instancesIn(resources, resourceId) : resources;
    const isComplete = multiple && resourceInstanceId === undefined;
    if (!isComplete && !values.has(resourceInstanceId ?? resourceId)) {
      throw new DecodeError(`the payload has no value for ${formatPath(this.#target)}`);
    }
    return this.#content;
  }

  /**
   * The Resource that `path` names; undefined when it is unknown and to be skipped (LwM2M Core §6.3.3). The target's own
   * Resource is never skipped.
   */
  #resource(path: ResourcePath | ResourceInstancePath): ValueResource | undefined {
    if (!isWithin(path, this.#resourceTarget)) {
      throw new DecodeError(`${formatPath(path)} is not within ${formatPath(this.#target)}`);
    }
    const resource = resourceById(this.#definition, path[2]);
    if (resource === undefined && this.#target.length < 3) return undefined;
    if (resource !== undefined && holdsValue(resource)) return resource;
    throw new DecodeError(`${formatPath(path)} takes no value`);
  }

  #resources(objectInstanceId: number): Map<number, ResourceValue | Values> {
    const present = this.#content.get(objectInstanceId);
    if (present !== undefined) return present;
    const resources = new Map<number, ResourceValue | Values>();
    this.#content.set(objectInstanceId, resources);
    return resources;
  }
}

function instancesIn(resources: Map<number, ResourceValue | Values>, resourceId: number): Values {
  const present = resources.get(resourceId);
  if (present instanceof Map) return present;
  const instances: Values = new Map();
  resources.set(resourceId, instances);
  return instances;
}
