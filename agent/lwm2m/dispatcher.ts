/**
 * Serves the operations of Servers: checks in the order of the specification, decodes, asks the Objects, encodes. Knows
 * no transport: CoAP and MQTT bring the same operations.
 */
import { contentFormats } from "../codec/content-format.js";
import { parseExecuteArguments } from "../codec/execute-arguments.js";
import { payloadCodec } from "../codec/payload.js";
import { type ObjectDefinition, resourceById, type ValueSink } from "../model/definition.js";
import { DecodeError, RequestError } from "../model/errors.js";
import { formatPath, type ObjectPath, type Path, type ResourcePath } from "../model/path.js";
import { type AttributeStore, parseAttributes } from "./attributes.js";
import { discover } from "./discover.js";
import type { ObjectTree } from "./object-tree.js";
import type { Operation, Origin, Reply } from "./operations.js";

export interface DispatcherOptions {
  readonly tree: ObjectTree;
  readonly attributes: AttributeStore;
  /** Attributes were attached or taken away: running observations follow at once. */
  readonly attributesChanged: () => void;
}

export class Dispatcher {
  readonly #tree: ObjectTree;
  readonly #attributes: AttributeStore;
  readonly #attributesChanged: () => void;

  constructor({ tree, attributes, attributesChanged }: DispatcherOptions) {
    this.#tree = tree;
    this.#attributes = attributes;
    this.#attributesChanged = attributesChanged;
  }

  /** @throws RequestError, DecodeError, or what a handler throws: `responseCodeOf` says what the Server sees */
  async perform(origin: Origin, operation: Operation): Promise<Reply> {
    this.check(operation);
    switch (operation.kind) {
      case "read":
        return this.#read(operation.path, operation.accept);
      case "discover":
        return discover(this.#tree, this.#attributes, origin, operation.path);
      case "write":
        return this.#write(operation);
      case "writeAttributes":
        this.#attributes.change(origin.shortServerId, operation.path, parseAttributes(operation.attributes));
        this.#attributesChanged();
        return { code: "2.04" };
      case "execute":
        return this.#execute(operation);
      case "create":
        return this.#create(operation);
      case "delete":
        return this.#delete(operation.path);
    }
  }

  /** The checks that need no payload, in their order; the first that fails decides the code. */
  check(operation: Operation): void {
    for (const check of checks) check(this.#tree, operation);
  }

  /**
   * A Write of a large Opaque value begins, payload to follow piece by piece.
   * @returns undefined when the value is to be collected and performed as a whole
   */
  async receive(operation: Operation, size: number | undefined): Promise<ValueSink | undefined> {
    if (operation.kind !== "write" || operation.contentFormat !== contentFormats.opaque) return undefined;
    const { path } = operation;
    if (path.length !== 3) return undefined;
    this.check(operation);
    return this.#tree.receiver(path)?.(size);
  }

  async #read(path: Path, accept: number | undefined): Promise<Reply> {
    const definition = this.#definition(path);
    const contentFormat = accept ?? defaultFormat(definition, path);
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) throw new RequestError("4.06", `Content-Format ${contentFormat} is not served`);
    const payload = codec.encode(definition, path, await this.#tree.read(path));
    return { code: "2.05", contentFormat, payload };
  }

  async #write({ path, mode, contentFormat, payload }: Operation & { kind: "write" }): Promise<Reply> {
    const content = decodePayload(this.#definition(path), path, contentFormat, payload);
    const after = await this.#tree.write(path, content.get(path[1] ?? 0) ?? new Map(), mode);
    return { code: "2.04", ...(after && { after }) };
  }

  async #execute({ path, contentFormat, payload }: Operation & { kind: "execute" }): Promise<Reply> {
    if (contentFormat !== undefined && contentFormat !== contentFormats.text) {
      throw new RequestError("4.15", "the arguments of an Execute are plain text");
    }
    const args = parseExecuteArguments(decodeUtf8(payload));
    const after = await this.#tree.execute(path as ResourcePath, args); // the checks have seen its level
    return { code: "2.04", ...(after && { after }) };
  }

  async #create({ path, contentFormat, payload }: Operation & { kind: "create" }): Promise<Reply> {
    const target = path as ObjectPath; // the checks have seen its level
    if (contentFormat === undefined) throw new RequestError("4.00", "a Create says its Content-Format");
    const content = decodePayload(this.#definition(path), target, contentFormat, payload);
    if (content.size === 0) throw new RequestError("4.00", "a Create carries at least one Object Instance");
    const [first = 0] = await this.#tree.create(target, content);
    return { code: "2.01", ...(content.size === 1 && { location: [target[0], first] as const }) };
  }

  async #delete(path: Path): Promise<Reply> {
    await this.#tree.delete(path[0], path[1] ?? 0);
    this.#attributes.forget(path);
    return { code: "2.02" };
  }

  #definition(path: Path): ObjectDefinition {
    const definition = this.#tree.definition(path[0]);
    if (definition === undefined) throw new RequestError("4.04", `Object ${path[0]} does not exist`);
    return definition;
  }
}

// ---- The order of checks, LwM2M Core 1.2 §6.3 and appendix E ---------------------------------------------------

type Check = (tree: ObjectTree, operation: Operation) => void;

/** Object 0 (Security), 21 (OSCORE) and 23 (COSE) belong to the Bootstrap-Server alone. */
const bootstrapOnly = new Set([0, 21, 23]);

/** How many identifiers the path of each operation may have. */
const levels: Readonly<Record<Operation["kind"], readonly number[]>> = {
  read: [1, 2, 3, 4],
  discover: [1, 2, 3],
  write: [2, 3, 4],
  writeAttributes: [1, 2, 3, 4],
  execute: [3],
  create: [1],
  delete: [2],
};

const checks: readonly Check[] = [
  function objectIsKnown(tree, { path }) {
    if (tree.definition(path[0]) === undefined)
      throw new RequestError("4.04", `Object ${path[0]} does not exist`);
  },
  function objectIsForServers(_tree, { path }) {
    if (bootstrapOnly.has(path[0]))
      throw new RequestError("4.01", `Object ${path[0]} is the Bootstrap-Server's`);
  },
  function levelIsAllowed(_tree, { kind, path }) {
    if (!levels[kind].includes(path.length))
      throw new RequestError("4.05", `${kind} does not go with ${formatPath(path)}`);
  },
  function instanceExists(tree, { path: [objectId, objectInstanceId] }) {
    if (objectInstanceId !== undefined && !tree.hasInstance(objectId, objectInstanceId)) {
      throw new RequestError("4.04", `${formatPath([objectId, objectInstanceId])} does not exist`);
    }
  },
  function resourceExists(tree, { path }) {
    const [objectId, objectInstanceId, resourceId] = path;
    if (objectInstanceId === undefined || resourceId === undefined) return;
    if (tree.resource(objectId, objectInstanceId, resourceId) === undefined) {
      throw new RequestError("4.04", `${formatPath(path)} does not exist`);
    }
  },
  function operationIsSupported(tree, operation) {
    const { kind, path } = operation;
    const [objectId, objectInstanceId, resourceId, resourceInstanceId] = path;
    if (kind === "create" && !tree.canCreate(objectId)) throw notAllowed(operation);
    if (kind === "delete" && !tree.canDelete(objectId)) throw notAllowed(operation);
    if (objectInstanceId === undefined || resourceId === undefined) return;
    const resource = tree.resource(objectId, objectInstanceId, resourceId)?.definition;
    if (resource === undefined) return;
    if (resourceInstanceId !== undefined && !resource.multiple) throw notAllowed(operation);
    if (kind === "read" && !resource.operations.includes("R")) throw notAllowed(operation);
    if (kind === "write" && !resource.operations.includes("W")) throw notAllowed(operation);
    if (kind === "execute" && resource.operations !== "E") throw notAllowed(operation);
    if (kind === "writeAttributes" && !resource.operations.includes("R")) {
      throw new RequestError("4.00", `${formatPath(path)} is not readable and takes no attributes`);
    }
    // A Partial Write of a Resource is defined for those with Resource Instances, Core §6.3.3.
    if (kind === "write" && operation.mode === "partial" && path.length === 3 && !resource.multiple) {
      throw notAllowed(operation);
    }
  },
];

const notAllowed = ({ kind, path }: Operation) =>
  new RequestError("4.05", `${formatPath(path)} does not support ${kind}`);

// ---- Formats ---------------------------------------------------------------------------------------------------

/** What a Read without Accept gets (Core 1.1 §7.4): a single value as text or bytes, everything else as SenML CBOR. */
function defaultFormat(definition: ObjectDefinition, path: Path): number {
  const resource = path[2] === undefined ? undefined : resourceById(definition, path[2]);
  const isSingleValue = resource !== undefined && (!resource.multiple || path.length === 4);
  if (!isSingleValue) return contentFormats.senmlCbor;
  return resource.type === "opaque" ? contentFormats.opaque : contentFormats.text;
}

function decodePayload(
  definition: ObjectDefinition,
  path: Path,
  contentFormat: number | undefined,
  payload: Uint8Array,
) {
  if (contentFormat === undefined) throw new RequestError("4.00", "a payload says its Content-Format");
  const codec = payloadCodec(contentFormat);
  if (codec === undefined)
    throw new RequestError("4.15", `Content-Format ${contentFormat} is not understood`);
  return codec.decode(definition, path, payload);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(payload: Uint8Array): string {
  try {
    return utf8.decode(payload);
  } catch (cause) {
    throw new DecodeError("the arguments are not UTF-8", { cause });
  }
}
