/**
 * application/vnd.oma.lwm2m+tlv (LwM2M Core §7.4): Object Instances hold Resources, multiple-instance Resources hold
 * Resource Instances, and nothing nests deeper. Here is what goes where; `tlv-entry.ts` has the framing, `tlv-value.ts`
 * the values.
 */
import type { ObjectDefinition } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import { MAX_ID, type Path, type ResourceInstancePath, type ResourcePath } from "../model/path.js";
import type { InstanceContent, ObjectContent, ResourceContent, ResourceInstances } from "../model/value.js";
import { contentFormats } from "./content-format.js";
import {
  ascending,
  ContentBuilder,
  instancesOf,
  resourceOf,
  singleOf,
  unassignedIn,
} from "./object-content.js";
import type { PayloadCodec } from "./payload-codec.js";
import { decodeEntries, encodeEntry, type TlvEntry } from "./tlv-entry.js";
import { decodeTlvValue, encodeTlvValue } from "./tlv-value.js";
import type { ValueResource } from "./value-types.js";

export const tlv: PayloadCodec = {
  contentFormat: contentFormats.tlv,
  encode(definition, target, content) {
    const [, objectInstanceId, resourceId, resourceInstanceId] = target;
    if (objectInstanceId === undefined) return encodeInstances(definition, content);
    const resources = content.get(objectInstanceId) ?? new Map();
    if (resourceId === undefined) return encodeResources(definition, resources);
    const resource = resourceOf(definition, resourceId);
    const held = resources.get(resourceId) ?? new Map();
    if (resourceInstanceId === undefined) return encodeResource(resource, held);
    const value = instancesOf(resource, held).get(resourceInstanceId);
    return encodeResourceInstances(resource, new Map([[resourceInstanceId, singleOf(resource, value)]]));
  },
  decode(definition, target, payload) {
    const builder = new ContentBuilder(definition, target);
    const entries = decodeEntries(payload);
    if (target.length === 1) decodeInstances(builder, target[0], entries);
    else if (target.length === 4) decodeResourceInstance(builder, target, withoutInstance(target, entries));
    else decodeResources(builder, target[0], target[1], withoutInstance(target, entries));
    return builder.finish();
  },
};

// ---- Encoding --------------------------------------------------------------------------------------------------

/** An instance whose ID the client is to assign has no Object Instance entry around it. */
function encodeInstances(definition: ObjectDefinition, content: ObjectContent): Uint8Array {
  const unassigned = unassignedIn(content);
  if (unassigned !== undefined) return encodeResources(definition, unassigned);
  return concatenate(
    Array.from(ascending(content), ([id, resources]) =>
      encodeEntry("objectInstance", id, encodeResources(definition, resources)),
    ),
  );
}

const encodeResources = (definition: ObjectDefinition, resources: InstanceContent): Uint8Array =>
  concatenate(
    Array.from(ascending(resources), ([id, content]) => encodeResource(resourceOf(definition, id), content)),
  );

function encodeResource(resource: ValueResource, content: ResourceContent): Uint8Array {
  if (!resource.multiple) {
    return encodeEntry("resource", resource.id, encodeTlvValue(resource, singleOf(resource, content)));
  }
  const instances = encodeResourceInstances(resource, instancesOf(resource, content));
  return encodeEntry("multipleResource", resource.id, instances);
}

const encodeResourceInstances = (resource: ValueResource, instances: ResourceInstances): Uint8Array =>
  concatenate(
    Array.from(ascending(instances), ([id, value]) =>
      encodeEntry("resourceInstance", id, encodeTlvValue(resource, value)),
    ),
  );

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

// ---- Decoding --------------------------------------------------------------------------------------------------

/** Either Object Instances, or the Resources of one whose ID the client is to assign; a mixture says nothing. */
function decodeInstances(builder: ContentBuilder, objectId: number, entries: readonly TlvEntry[]): void {
  const [first] = entries;
  if (first === undefined) return;
  if (first.kind !== "objectInstance") {
    builder.addInstance(MAX_ID);
    decodeResources(builder, objectId, MAX_ID, entries);
    return;
  }
  for (const entry of entries) {
    if (entry.kind !== "objectInstance") throw misplaced(entry);
    builder.addInstance(entry.id);
    decodeResources(builder, objectId, entry.id, nestedIn(entry));
  }
}

/** Below the Object an entry for the Object Instance is optional, but if there is one it is the target's. */
function withoutInstance([, objectInstanceId]: Path, entries: readonly TlvEntry[]): readonly TlvEntry[] {
  const [first] = entries;
  if (first?.kind !== "objectInstance" || entries.length > 1) return entries;
  if (first.id !== objectInstanceId) throw misplaced(first);
  return nestedIn(first);
}

function decodeResources(
  builder: ContentBuilder,
  objectId: number,
  objectInstanceId: number,
  entries: readonly TlvEntry[],
): void {
  for (const entry of entries) {
    const path = [objectId, objectInstanceId, entry.id] as const;
    if (entry.kind === "resource") decodeValue(builder, path, entry);
    else if (entry.kind === "multipleResource") {
      builder.addInstances(path);
      decodeResourceInstances(builder, path, nestedIn(entry));
    } else throw misplaced(entry);
  }
}

function decodeResourceInstances(
  builder: ContentBuilder,
  path: ResourcePath,
  entries: readonly TlvEntry[],
): void {
  for (const entry of entries) {
    if (entry.kind !== "resourceInstance") throw misplaced(entry);
    decodeValue(builder, [...path, entry.id], entry);
  }
}

/** One Resource Instance comes bare, or as the only one within its Resource: servers send both. */
function decodeResourceInstance(
  builder: ContentBuilder,
  [objectId, objectInstanceId, resourceId]: ResourceInstancePath,
  entries: readonly TlvEntry[],
): void {
  if (entries[0]?.kind === "multipleResource") decodeResources(builder, objectId, objectInstanceId, entries);
  else decodeResourceInstances(builder, [objectId, objectInstanceId, resourceId], entries);
}

const decodeValue = (
  builder: ContentBuilder,
  path: Parameters<ContentBuilder["addValue"]>[0],
  { value, valueOffset }: TlvEntry,
): void => builder.addValue(path, (resource) => decodeTlvValue(resource, value, valueOffset));

const nestedIn = ({ value, valueOffset }: TlvEntry) => decodeEntries(value, valueOffset);

const misplaced = ({ kind, id, offset }: TlvEntry) =>
  new DecodeError(`an entry for ${kind} ${id} has no place here`, { offset });
