import type { NamedResource } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type Path } from "../model/path.js";
import type { ObjectTree } from "./object-tree.js";
import type { Operation } from "./operations.js";

/** Object 0 (Security), 21 (OSCORE) and 23 (COSE) belong to the Bootstrap-Server alone. */
const bootstrapOnly = new Set([0, 21, 23]);

/** How many identifiers the path of each operation may have. */
const levels = {
  read: [1, 2, 3, 4],
  discover: [1, 2, 3],
  replace: [2, 3, 4],
  partial: [2, 3],
  writeAttributes: [1, 2, 3, 4],
  execute: [3],
  create: [1],
  delete: [2],
} as const satisfies Record<string, readonly number[]>;

/**
 * All that can be refused before the payload is looked at, in the order of LwM2M Core 1.2 §6.3 and appendix E: the first
 * check that fails decides the code.
 * @throws RequestError
 */
export function checkOperation(tree: ObjectTree, operation: Operation): void {
  const { kind, path } = operation;
  const [objectId, objectInstanceId, resourceId] = path;
  if (tree.definition(objectId) === undefined) throw notFound([objectId]);
  if (bootstrapOnly.has(objectId)) {
    throw new RequestError("4.01", `Object ${objectId} is the Bootstrap-Server's`);
  }
  const allowed: readonly number[] = levels[kind === "write" ? operation.mode : kind];
  if (!allowed.includes(path.length)) throw notAllowed(operation);
  if (objectInstanceId === undefined) {
    if (kind === "create" && !tree.canCreate(objectId)) throw notAllowed(operation);
    return;
  }
  if (!tree.hasInstance(objectId, objectInstanceId)) throw notFound([objectId, objectInstanceId]);
  if (kind === "delete" && !tree.canDelete(objectId)) throw notAllowed(operation);
  if (resourceId === undefined) return;
  const resource = tree.resource(objectId, objectInstanceId, resourceId);
  if (resource === undefined) throw notFound(path);
  checkResource(operation, resource.definition);
}

function checkResource(operation: Operation, { operations, multiple }: NamedResource): void {
  const { kind, path } = operation;
  if (path.length === 4 && !multiple) throw notAllowed(operation);
  if (kind === "read" && !operations.includes("R")) throw notAllowed(operation);
  if (kind === "execute" && operations !== "E") throw notAllowed(operation);
  if (kind === "write") {
    // A Partial Write of a Resource is defined for those with Resource Instances, Core §6.3.3.
    const isDefined = operation.mode === "replace" || multiple === true;
    if (!operations.includes("W") || !isDefined) throw notAllowed(operation);
  }
  if (kind === "writeAttributes" && !operations.includes("R")) {
    throw new RequestError("4.00", `${formatPath(path)} is not readable and takes no attributes`);
  }
}

const notFound = (path: Path) => new RequestError("4.04", `${formatPath(path)} does not exist`);

const notAllowed = ({ kind, path }: Operation) =>
  new RequestError("4.05", `${formatPath(path)} does not support ${kind}`);
