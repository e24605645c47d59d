/**
 * The order of checks. What a Server asks for may be wrong in several ways at once; the first of these that fails decides
 * what it hears (LwM2M Core 1.2 §6.3, appendix E). Before them, the transport has found out that it is a Server we are
 * registered with; after them come the decoding of the payload (4.00) and what the Object itself refuses.
 */
import { contentFormats } from "../codec/content-format.js";
import { payloadCodec } from "../codec/payload.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type Path } from "../model/path.js";
import { type AccessControl, accessControlObject, type Right } from "./access-control.js";
import type { ObjectTree } from "./object-tree.js";
import type { CompositeOperation, Operation, Origin } from "./operations.js";
import { hasLevel, isServed, isUnderstood } from "./versions.js";

/** What is checked: an operation, or one path in the payload of a composite one. */
export type Target = Operation | { readonly kind: CompositeOperation["kind"]; readonly path: Path };

export interface CheckContext {
  readonly tree: ObjectTree;
  readonly access: AccessControl;
}

/** Throws a RequestError, or lets the target pass to the next check. */
type Check = (context: CheckContext, origin: Origin, target: Target) => void;

const orderOfChecks: readonly Check[] = [
  objectExists, //                    4.04
  isNotBootstrapServers, //           4.01
  operationIsLegal, //                4.05
  instanceExists, //                  4.04
  serverHasRight, //                  4.01
  resourceExists, //                  4.04
  resourceSupportsOperation, //       4.05
  formatIsKnown, //                   4.06 for what is asked, 4.15 for what is brought, 4.00 for what says nothing
];

/**
 * All that can be refused before the payload is looked at.
 * @throws RequestError
 */
export function checkTarget(context: CheckContext, origin: Origin, target: Target): void {
  for (const check of orderOfChecks) check(context, origin, target);
}

function objectExists({ tree }: CheckContext, _origin: Origin, { path }: Target): void {
  if (tree.definition(path[0]) === undefined) throw notFound([path[0]]);
}

/** Object 0 (Security), 21 (OSCORE) and 23 (COSE). */
export const isBootstrapOnly = (objectId: number): boolean =>
  objectId === 0 || objectId === 21 || objectId === 23;

/** Nor may a Server create or delete instances of Object 2: they come and go with what they control. */
function isNotBootstrapServers(_context: CheckContext, _origin: Origin, { kind, path }: Target): void {
  const [objectId] = path;
  const isChange = kind === "create" || kind === "delete";
  if (isBootstrapOnly(objectId) || (objectId === accessControlObject && isChange)) {
    throw new RequestError("4.01", `${kind} on Object ${objectId} is the Bootstrap-Server's`);
  }
}

function operationIsLegal({ tree }: CheckContext, { version }: Origin, target: Target): void {
  const { kind, path } = target;
  const [objectId] = path;
  if (!hasLevel(version, kind === "write" ? target.mode : kind, path.length)) throw notAllowed(target);
  if (kind === "create" && !tree.canCreate(objectId)) throw notAllowed(target);
  if (kind === "delete" && path.length === 2 && !tree.canDelete(objectId)) throw notAllowed(target);
}

function instanceExists({ tree }: CheckContext, _origin: Origin, { path }: Target): void {
  const [objectId, objectInstanceId] = path;
  if (objectInstanceId !== undefined && !tree.hasInstance(objectId, objectInstanceId)) {
    throw notFound([objectId, objectInstanceId]);
  }
}

/** What a Server may see of the tree itself, Discover, needs no right (Core §8.2). */
const rightFor: Readonly<Record<Target["kind"], Right | undefined>> = {
  read: "read",
  readComposite: "read",
  discover: undefined,
  write: "write",
  writeComposite: "write",
  writeAttributes: "read",
  execute: "execute",
  create: "create",
  delete: "delete",
};

function serverHasRight({ access }: CheckContext, origin: Origin, { kind, path }: Target): void {
  const right = rightFor[kind];
  if (right !== undefined) access.check(origin, path, right);
}

function resourceExists({ tree }: CheckContext, _origin: Origin, { path }: Target): void {
  const [objectId, objectInstanceId, resourceId] = path;
  if (objectInstanceId === undefined || resourceId === undefined) return;
  if (tree.resource(objectId, objectInstanceId, resourceId) === undefined) throw notFound(path);
}

function resourceSupportsOperation({ tree }: CheckContext, _origin: Origin, target: Target): void {
  const { kind, path } = target;
  const [objectId, objectInstanceId, resourceId] = path;
  if (objectInstanceId === undefined || resourceId === undefined) return;
  const resource = tree.resource(objectId, objectInstanceId, resourceId);
  if (resource === undefined) return;
  const { operations, multiple } = resource.definition;
  if (path.length === 4 && !multiple) throw notAllowed(target);
  switch (kind) {
    case "read":
    case "readComposite":
      if (!operations.includes("R")) throw notAllowed(target);
      break;
    case "write":
    case "writeComposite":
    case "delete": // of a Resource Instance: it changes the Resource
      if (!operations.includes("W")) throw notAllowed(target);
      break;
    case "execute":
      if (operations !== "E") throw notAllowed(target);
      break;
    case "writeAttributes":
      if (!operations.includes("R")) {
        throw new RequestError("4.00", `${formatPath(path)} is not readable and takes no attributes`);
      }
      break;
  }
}

function formatIsKnown(_context: CheckContext, { version }: Origin, target: Target): void {
  switch (target.kind) {
    case "read":
      if (target.accept === undefined) return;
      if (isServed(version, target.accept) && payloadCodec(target.accept) !== undefined) return;
      throw new RequestError("4.06", `Content-Format ${target.accept} is not served`);
    case "write":
    case "create":
      if (target.contentFormat === undefined) {
        throw new RequestError("4.00", `a ${target.kind} says its Content-Format`);
      }
      if (isUnderstood(version, target.contentFormat) && payloadCodec(target.contentFormat) !== undefined)
        return;
      throw new RequestError("4.15", `Content-Format ${target.contentFormat} is not understood`);
    case "execute":
      if (target.contentFormat === undefined || target.contentFormat === contentFormats.text) return;
      throw new RequestError("4.15", "the arguments of an Execute are plain text");
  }
}

const notFound = (path: Path) => new RequestError("4.04", `${formatPath(path)} does not exist`);

const notAllowed = ({ kind, path }: Target) =>
  new RequestError("4.05", `${formatPath(path)} does not support ${kind}`);
