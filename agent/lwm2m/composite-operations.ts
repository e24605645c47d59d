/**
 * Read-Composite and Write-Composite (LwM2M Core 1.2 §6.3.8, §6.3.9): what names its paths in the payload. Each path goes
 * through the same checks as an operation of its own; a Read leaves out what fails them, a Write fails as a whole.
 */
import { type CompositeCodec, compositeCodec, type Definitions } from "../codec/composite.js";
import { RequestError } from "../model/errors.js";
import type { CompositePath, Path, ResourcePath } from "../model/path.js";
import {
  isResourceInstances,
  type ObjectContent,
  type ResourceContent,
  type TreeContent,
} from "../model/value.js";
import { type Awaitable, all, whenReady } from "./awaitable.js";
import { type CheckContext, checkTarget, isBootstrapOnly } from "./checks.js";
import type { CompositeOperation, Origin, Reply } from "./operations.js";
import { defaultCompositeFormat, hasComposites, isServed, isUnderstood } from "./versions.js";

// ---- The request as a whole ------------------------------------------------------------------------------------

/**
 * What can be refused before the payload is looked at.
 * @throws RequestError
 */
export function checkComposite(origin: Origin, operation: CompositeOperation): void {
  const { version } = origin;
  if (!hasComposites(version)) throw new RequestError("4.05", `LwM2M ${version} has no ${operation.kind}`);
  requestCodec(origin, operation);
  if (operation.kind === "readComposite") responseEncoder(origin, operation);
}

/** @throws RequestError unless the format of the payload can carry such a request */
function requestCodec({ version }: Origin, { kind, contentFormat }: CompositeOperation): CompositeCodec {
  if (contentFormat === undefined) throw new RequestError("4.00", `a ${kind} says its Content-Format`);
  const codec = isUnderstood(version, contentFormat) ? compositeCodec(contentFormat) : undefined;
  const decode = kind === "readComposite" ? codec?.decodePaths : codec?.decodeContent;
  if (codec === undefined || decode === undefined) {
    throw new RequestError("4.15", `Content-Format ${contentFormat} carries no ${kind}`);
  }
  return codec;
}

/** @throws RequestError when the answer cannot have the format that is asked for */
function responseEncoder(
  { version }: Origin,
  { accept, contentFormat = 0 }: CompositeOperation & { kind: "readComposite" },
): { readonly format: number; readonly encode: NonNullable<CompositeCodec["encode"]> } {
  const format = accept ?? defaultCompositeFormat(contentFormat);
  const encode = isServed(version, format) ? compositeCodec(format)?.encode : undefined;
  if (encode === undefined) throw new RequestError("4.06", `Content-Format ${format} carries no composite`);
  return { format, encode };
}

// ---- Read-Composite --------------------------------------------------------------------------------------------

/**
 * The paths that a Read-Composite or an Observe-Composite names.
 * @throws RequestError, DecodeError
 */
export function compositePaths(
  origin: Origin,
  operation: CompositeOperation & { kind: "readComposite" },
): readonly CompositePath[] {
  checkComposite(origin, operation);
  return requestCodec(origin, operation).decodePaths?.(operation.payload) ?? [];
}

/** @throws RequestError, DecodeError */
export function readComposite(
  context: CheckContext,
  origin: Origin,
  operation: CompositeOperation & { kind: "readComposite" },
): Awaitable<Reply> {
  const paths = compositePaths(origin, operation);
  const { format, encode } = responseEncoder(origin, operation);
  return whenReady(readPaths(context, origin, paths), (content) => ({
    code: "2.05",
    contentFormat: format,
    payload: encode(context.tree.definition, content),
    content,
  }));
}

/**
 * What is at these paths, each value once. What does not exist, cannot be read or may not be read is left out.
 * @throws RequestError 4.01 when the Server may read nothing of what there is
 */
export function readPaths(
  context: CheckContext,
  origin: Origin,
  paths: readonly CompositePath[],
): Awaitable<TreeContent> {
  const targets = paths.flatMap((path) => (path.length === 0 ? allObjects(context) : [path]));
  const refusals = targets.map((path) =>
    refusalOf(() => checkTarget(context, origin, { kind: "readComposite", path })),
  );
  const hasInstances = ([objectId]: Path) => context.tree.instanceIds(objectId).length > 0;
  const isDenied = (path: Path, index: number) =>
    refusals[index] === undefined ? hasInstances(path) : refusals[index].code === "4.01";
  if (!targets.some((path) => isReadableSomewhere(context, origin, path)) && targets.some(isDenied)) {
    throw new RequestError("4.01", `Server ${origin.shortServerId} may read nothing of this`);
  }
  const readings = targets.map((path, index) =>
    refusals[index] === undefined ? readTarget(context, origin, path) : undefined,
  );
  return whenReady(all(readings), (contents) => {
    const merged: MutableTree = new Map();
    for (const [index, [objectId]] of targets.entries()) {
      const content = contents[index];
      if (content !== undefined) merge(merged, objectId, content);
    }
    return merged;
  });
}

/**
 * What is at these paths and each of the Servers may read: for what is shown to all of them, whoever asks. What does not
 * exist, cannot be read or is closed to one of them is left out.
 */
export function readForAll(
  context: CheckContext,
  servers: readonly number[],
  paths: readonly Path[],
): Awaitable<TreeContent> {
  const origins = servers.map((shortServerId): Origin => ({ shortServerId, version: "1.2" }));
  const open = paths
    .flatMap((path) => instancePaths(context, path))
    .filter((path) => origins.every((origin) => context.access.canRead(origin, path)));
  const [reader = nobody] = origins; // any of them: all may
  return open.length === 0 ? new Map() : readPaths(context, reader, open);
}

/** Rights are given by Object Instance. */
const instancePaths = ({ tree }: CheckContext, path: Path): Path[] =>
  path.length === 1 ? tree.instanceIds(path[0]).map((id): Path => [path[0], id]) : [path];

/** Without any account there is nobody to be kept out. */
const nobody: Origin = { shortServerId: 0, version: "1.2" };

/** The path `/`: everything but what is the Bootstrap-Server's. */
const allObjects = ({ tree }: CheckContext): Path[] =>
  tree
    .objectIds()
    .filter((id) => !isBootstrapOnly(id))
    .map((id) => [id]);

/** undefined for a Resource or Resource Instance that holds nothing. */
function readTarget(
  { tree, access }: CheckContext,
  origin: Origin,
  path: Path,
): Awaitable<ObjectContent | undefined> {
  const mayRead = (id: number) => access.canRead(origin, [path[0], id]);
  return tree.readIfPresent(path, mayRead);
}

function isReadableSomewhere({ tree, access }: CheckContext, origin: Origin, path: Path): boolean {
  const [objectId, objectInstanceId] = path;
  if (isBootstrapOnly(objectId)) return false;
  const candidates = objectInstanceId === undefined ? tree.instanceIds(objectId) : [objectInstanceId];
  return candidates.some((id) => tree.hasInstance(objectId, id) && access.canRead(origin, [objectId, id]));
}

/** What a check threw, if it was a refusal. */
function refusalOf(check: () => void): RequestError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
}

export type MutableTree = Map<number, Map<number, Map<number, ResourceContent>>>;

/** Adds content of one Object; Resource Instances join those that are there. */
export function merge(tree: MutableTree, objectId: number, content: ObjectContent): void {
  for (const [objectInstanceId, resources] of content) {
    for (const [resourceId, value] of resources) {
      const present = resourcesIn(tree, objectId, objectInstanceId);
      const before = present.get(resourceId);
      const isPart = before !== undefined && isResourceInstances(before) && isResourceInstances(value);
      present.set(resourceId, isPart ? new Map([...before, ...value]) : value);
    }
  }
}

function resourcesIn(tree: MutableTree, objectId: number, objectInstanceId: number) {
  const instances = tree.get(objectId) ?? new Map<number, Map<number, ResourceContent>>();
  tree.set(objectId, instances);
  const resources = instances.get(objectInstanceId) ?? new Map<number, ResourceContent>();
  instances.set(objectInstanceId, resources);
  return resources;
}

// ---- Write-Composite -------------------------------------------------------------------------------------------

/** @throws RequestError, DecodeError */
export async function writeComposite(
  context: CheckContext,
  origin: Origin,
  operation: CompositeOperation & { kind: "writeComposite" },
): Promise<Reply> {
  checkComposite(origin, operation);
  const decoded = requestCodec(origin, operation).decodeContent?.(writable(context), operation.payload);
  const { content = new Map(), removals = [], unknown = [] } = decoded ?? {};
  for (const path of [...unknown, ...targetsOf(content), ...removals]) {
    checkTarget(context, origin, { kind: "writeComposite", path });
  }
  const after = await context.tree.writeAll(content, removals);
  return { code: "2.04", ...(after && { after }) };
}

/** Values can be decoded only by a definition, and those of the Bootstrap-Server's Objects are not even looked at. */
const writable =
  ({ tree }: CheckContext): Definitions =>
  (objectId) => {
    if (isBootstrapOnly(objectId) && tree.definition(objectId) !== undefined) {
      throw new RequestError("4.01", `Object ${objectId} is the Bootstrap-Server's`);
    }
    return tree.definition(objectId);
  };

/** Every Resource that is to be written. */
function* targetsOf(content: TreeContent): Generator<ResourcePath> {
  for (const [objectId, instances] of content) {
    for (const [objectInstanceId, resources] of instances) {
      for (const resourceId of resources.keys()) yield [objectId, objectInstanceId, resourceId];
    }
  }
}
