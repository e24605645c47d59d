import type { ObjectDefinition } from "../model/definition.js";
import type { ObjectContent, ResourceContent } from "../model/value.js";
import { ascending, instancesOf, resourceOf, singleOf } from "./object-content.js";
import { type Scalar, scalarOf } from "./scalar.js";
import type { ValueResource } from "./value-types.js";

/** One value with its path: what the formats that name each of their values are made of. */
export interface PathValue {
  readonly path: readonly number[];
  readonly value: Scalar;
}

/** The values of an Object in ascending order. */
export function pathValues(definition: ObjectDefinition, content: ObjectContent): PathValue[] {
  const values: PathValue[] = [];
  for (const [objectInstanceId, resources] of ascending(content)) {
    for (const [resourceId, held] of ascending(resources)) {
      addValues(
        values,
        resourceOf(definition, resourceId),
        [definition.id, objectInstanceId, resourceId],
        held,
      );
    }
  }
  return values;
}

/** The value of a Resource, or those of its Resource Instances in ascending order. */
export function resourceValues(
  resource: ValueResource,
  path: readonly number[],
  held: ResourceContent,
): PathValue[] {
  const values: PathValue[] = [];
  addValues(values, resource, path, held);
  return values;
}

function addValues(
  values: PathValue[],
  resource: ValueResource,
  path: readonly number[],
  held: ResourceContent,
): void {
  const { type } = resource;
  if (!resource.multiple) {
    values.push({ path, value: scalarOf(type, singleOf(resource, held)) });
    return;
  }
  for (const [id, value] of ascending(instancesOf(resource, held))) {
    values.push({ path: [...path, id], value: scalarOf(type, value) });
  }
}
