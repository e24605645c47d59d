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
import type { AttributeStore } from "./attribute-store.js";
import { parseAttributes } from "./attributes.js";
import { type Awaitable, whenReady } from "./awaitable.js";
import { checkOperation } from "./checks.js";
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

  /**
   * Answers a Read of what is in memory at once.
   * @throws RequestError, DecodeError, or what a handler throws: `responseCodeOf` says what the Server sees
   */
  perform(origin: Origin, operation: Operation): Awaitable<Reply> {
    checkOperation(this.#tree, operation);
    switch (operation.kind) {
      case "read":
        return this.#read(operation.path, operation.accept);
      case "discover":
        return discover(this.#tree, this.#attributes, origin, operation.path);
      case "write":
        return this.#write(operation);
      case "writeAttributes":
        return this.#writeAttributes(origin, operation);
      case "execute":
        return this.#execute(operation);
      case "create":
        return this.#create(operation);
      case "delete":
        return this.#delete(operation.path);
    }
  }

  /**
   * The payload of an operation begins to arrive, piece by piece.
   * @returns where a large Opaque value goes; undefined when the payload is to be collected and performed as a whole
   * @throws RequestError when the operation would be refused whatever its payload
   */
  async receive(operation: Operation, size: number | undefined): Promise<ValueSink | undefined> {
    checkOperation(this.#tree, operation);
    if (operation.kind !== "write" || operation.contentFormat !== contentFormats.opaque) return undefined;
    const { path } = operation;
    return path.length === 3 ? this.#tree.receiver(path)?.(size) : undefined;
  }

  #read(path: Path, accept: number | undefined): Awaitable<Reply> {
    const definition = this.#definition(path);
    const contentFormat = accept ?? defaultFormat(definition, path);
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) throw new RequestError("4.06", `Content-Format ${contentFormat} is not served`);
    return whenReady(this.#tree.read(path), (content) => ({
      code: "2.05",
      contentFormat,
      payload: codec.encode(definition, path, content),
      content: new Map([[definition.id, content]]),
    }));
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
