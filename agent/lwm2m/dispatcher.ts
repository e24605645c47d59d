/**
 * Serves the operations of Servers: checks them (`checks.ts`), decodes, asks the Objects, encodes. Knows
 * no transport: CoAP and MQTT bring the same operations.
 */
import { contentFormats } from "../codec/content-format.js";
import { parseExecuteArguments } from "../codec/execute-arguments.js";
import { payloadCodec } from "../codec/payload.js";
import { type ObjectDefinition, resourceById, type ValueSink } from "../model/definition.js";
import { DecodeError, RequestError } from "../model/errors.js";
import type { ObjectPath, Path, ResourcePath } from "../model/path.js";
import type { TreeContent } from "../model/value.js";
import type { AccessControl } from "./access-control.js";
import type { AttributeStore } from "./attribute-store.js";
import { parseAttributes } from "./attributes.js";
import { type Awaitable, whenReady } from "./awaitable.js";
import { type CheckContext, checkTarget } from "./checks.js";
import { checkComposite, readComposite, readPaths, writeComposite } from "./composite-operations.js";
import { discover } from "./discover.js";
import type { ObjectTree } from "./object-tree.js";
import type { CompositeOperation, Operation, Origin, Reply } from "./operations.js";
import { defaultFormat, type StructuredFormat } from "./versions.js";

export interface DispatcherOptions {
  readonly tree: ObjectTree;
  readonly access: AccessControl;
  readonly attributes: AttributeStore;
  /** Attributes were attached or taken away: running observations follow at once. */
  readonly attributesChanged: () => void;
  /** Of answers to what says no format. SenML CBOR when absent. */
  readonly structuredFormat?: StructuredFormat;
}

export class Dispatcher {
  readonly #tree: ObjectTree;
  readonly #context: CheckContext;
  readonly #attributes: AttributeStore;
  readonly #attributesChanged: () => void;
  readonly #structured: StructuredFormat | undefined;

  constructor({ tree, access, attributes, attributesChanged, structuredFormat }: DispatcherOptions) {
    this.#tree = tree;
    this.#context = { tree, access };
    this.#attributes = attributes;
    this.#attributesChanged = attributesChanged;
    this.#structured = structuredFormat;
  }

  /**
   * Answers a Read of what is in memory at once.
   * @throws RequestError, DecodeError, or what a handler throws: `responseCodeOf` says what the Server sees
   */
  perform(origin: Origin, operation: Operation | CompositeOperation): Awaitable<Reply> {
    if (operation.kind === "readComposite") return readComposite(this.#context, origin, operation);
    if (operation.kind === "writeComposite") return writeComposite(this.#context, origin, operation);
    checkTarget(this.#context, origin, operation);
    switch (operation.kind) {
      case "read":
        return this.#read(origin, operation.path, operation.accept);
      case "discover":
        return discover(this.#tree, this.#attributes, origin, operation);
      case "write":
        return this.#write(operation);
      case "writeAttributes":
        return this.#writeAttributes(origin, operation);
      case "execute":
        return this.#execute(operation);
      case "create":
        return this.#create(origin, operation);
      case "delete":
        return this.#delete(operation.path);
    }
  }

  /** What of these paths there is, and the Server may read: for a Send. */
  readable(origin: Origin, paths: readonly Path[]): Awaitable<TreeContent> {
    return readPaths(this.#context, origin, paths);
  }

  /** Is the path there, and may the Server read it? */
  mayRead(origin: Origin, path: Path): boolean {
    try {
      checkTarget(this.#context, origin, { kind: "readComposite", path });
      return true;
    } catch (error) {
      if (error instanceof RequestError) return false;
      throw error;
    }
  }

  /**
   * The payload of an operation begins to arrive, piece by piece.
   * @returns where a large Opaque value goes; undefined when the payload is to be collected and performed as a whole
   * @throws RequestError when the operation would be refused whatever its payload
   */
  async receive(
    origin: Origin,
    operation: Operation | CompositeOperation,
    size: number | undefined,
  ): Promise<ValueSink | undefined> {
    if (operation.kind === "readComposite" || operation.kind === "writeComposite") {
      checkComposite(origin, operation);
      return undefined;
    }
    checkTarget(this.#context, origin, operation);
    if (operation.kind !== "write" || operation.contentFormat !== contentFormats.opaque) return undefined;
    const { path } = operation;
    return path.length === 3 ? this.#tree.receiver(path)?.(size) : undefined;
  }

  #read(origin: Origin, path: Path, accept: number | undefined): Awaitable<Reply> {
    const definition = this.#definition(path);
    const contentFormat = accept ?? defaultFormat(origin.version, definition, path, this.#structured);
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) throw new RequestError("4.06", `Content-Format ${contentFormat} is not served`);
    return whenReady(this.#tree.read(path, this.#readableInstances(origin, path)), (content) => ({
      code: "2.05",
      contentFormat,
      payload: codec.encode(definition, path, content),
      content: new Map([[definition.id, content]]),
    }));
  }

  /** A Read of a whole Object leaves out the instances that the Server may not read (Core §8.2.2). */
  #readableInstances(origin: Origin, [objectId, objectInstanceId]: Path) {
    if (objectInstanceId !== undefined) return undefined; // the checks have seen to it
    return (id: number) => this.#context.access.canRead(origin, [objectId, id]);
  }

  async #write({ path, mode, contentFormat, payload }: Operation & { kind: "write" }): Promise<Reply> {
    const content = decodePayload(this.#definition(path), path, contentFormat, payload);
    const after = await this.#tree.write(path, content.get(path[1] ?? 0) ?? new Map(), mode);
    return { code: "2.04", ...(after && { after }) };
  }

  async #writeAttributes(
    { shortServerId, version }: Origin,
    { path, attributes }: Operation & { kind: "writeAttributes" },
  ): Promise<Reply> {
    const changes = parseAttributes(attributes, version);
    if (path.length > 2) await this.#tree.read(path); // what holds no value has nothing to attach to
    const resource = path[2] === undefined ? undefined : resourceById(this.#definition(path), path[2]);
    this.#attributes.change(shortServerId, path, changes, resource);
    this.#attributesChanged();
    return { code: "2.04" };
  }

  async #execute({ path, payload }: Operation & { kind: "execute" }): Promise<Reply> {
    const args = parseExecuteArguments(decodeUtf8(payload));
    const after = await this.#tree.execute(path as ResourcePath, args); // the checks have seen its level
    return { code: "2.04", ...(after && { after }) };
  }

  async #create(
    origin: Origin,
    { path, contentFormat, payload }: Operation & { kind: "create" },
  ): Promise<Reply> {
    const target = path as ObjectPath; // the checks have seen its level
    const content = decodePayload(this.#definition(path), target, contentFormat, payload);
    if (content.size === 0) throw new RequestError("4.00", "a Create carries at least one Object Instance");
    const { access } = this.#context;
    const [objectId] = target;
    const [first = 0] = await this.#tree.create(target, content, {
      created: (id) => access.created(origin, objectId, id),
      undone: (id) => access.deleted(objectId, id),
    });
    return { code: "2.01", ...(content.size === 1 && { location: [objectId, first] as const }) };
  }

  async #delete(path: Path): Promise<Reply> {
    const [objectId, objectInstanceId = 0] = path;
    if (path.length === 4) await this.#tree.writeAll(new Map(), [path]);
    else {
      await this.#tree.delete(objectId, objectInstanceId);
      await this.#context.access.deleted(objectId, objectInstanceId);
    }
    this.#attributes.forget(path);
    return { code: "2.02" };
  }

  #definition(path: Path): ObjectDefinition {
    const definition = this.#tree.definition(path[0]);
    if (definition === undefined) throw new RequestError("4.04", `Object ${path[0]} does not exist`);
    return definition;
  }
}

// ---- Formats ---------------------------------------------------------------------------------------------------

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
