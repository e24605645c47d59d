/** Payloads for a device and from it: which format, and what an Object looks like that we have no definition of. */
import { type ContentFormat, contentFormats } from "../../agent/codec/content-format.js";
import { payloadCodec } from "../../agent/codec/payload.js";
import { type ObjectDefinition, resourceById } from "../../agent/model/definition.js";
import { DecodeError } from "../../agent/model/errors.js";
import { formatPath, type Path } from "../../agent/model/path.js";
import type { ObjectContent, ResourceType } from "../../agent/model/value.js";
import type { RegisteredDevice } from "../device-gateway.js";

export type Definitions = ReadonlyMap<number, ObjectDefinition>;

export interface Payload {
  readonly contentFormat: number;
  readonly payload: Uint8Array;
}

export function encodeWrite(
  definitions: Definitions,
  path: Path,
  content: ObjectContent,
  device: RegisteredDevice,
): Payload {
  const definition = definitionFor(definitions, path, "string");
  const contentFormat = writeFormat(definition, path, device);
  return { contentFormat, payload: codecFor(contentFormat).encode(definition, path, content) };
}

/** @throws DecodeError also when we do not know the format */
export function decodeRead(
  definitions: Definitions,
  path: Path,
  {
    contentFormat = contentFormats.text,
    payload,
  }: { contentFormat: number | undefined; payload: Uint8Array },
): ObjectContent {
  const type = contentFormat === contentFormats.opaque ? "opaque" : "string";
  return codecFor(contentFormat).decode(definitionFor(definitions, path, type), path, payload);
}

/** Every device takes single values as text; for more, version 1.0 knows TLV, and later ones need not. */
function writeFormat(definition: ObjectDefinition, path: Path, device: RegisteredDevice): ContentFormat {
  const resource = path[2] === undefined ? undefined : resourceById(definition, path[2]);
  if (resource !== undefined && (resource.multiple !== true || path.length === 4)) {
    return resource.type === "opaque" ? contentFormats.opaque : contentFormats.text;
  }
  return device.lwm2mVersion === "1.0" ? contentFormats.tlv : contentFormats.senmlCbor;
}

/**
 * The definition of the Object; where it does not know the Resource, or we do not know the Object, one that says no more
 * than how the value looks on the wire.
 */
function definitionFor(definitions: Definitions, path: Path, type: ResourceType): ObjectDefinition {
  const [objectId, , resourceId] = path;
  const known = definitions.get(objectId);
  if (known !== undefined && (resourceId === undefined || resourceById(known, resourceId) !== undefined))
    return known;
  if (resourceId === undefined) throw new DecodeError(`the Object of ${formatPath(path)} is not known here`);
  const resource = {
    id: resourceId,
    operations: "RW",
    type,
    ...(path.length === 4 && { multiple: true as const }),
  };
  return {
    id: objectId,
    name: `Object ${objectId}`,
    version: "1.0",
    instances: "multiple",
    resources: { value: { ...resource, operations: "RW" } },
  };
}

function codecFor(contentFormat: number) {
  const codec = payloadCodec(contentFormat);
  if (codec === undefined) throw new DecodeError(`Content-Format ${contentFormat} is not served here`);
  return codec;
}
