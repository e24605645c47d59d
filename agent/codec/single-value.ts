import { type ObjectDefinition, resourceById } from "../model/definition.js";
import { DecodeError, RequestError } from "../model/errors.js";
import { formatPath, type Path, type ResourceInstancePath, type ResourcePath } from "../model/path.js";
import type { ResourceValue } from "../model/value.js";
import type { ContentFormat } from "./content-format.js";
import { ContentBuilder, instancesOf, resourceOf, singleOf } from "./object-content.js";
import type { PayloadCodec } from "./payload-codec.js";
import type { ValueResource } from "./value-types.js";

/** How a format writes one value; the rest follows, because its payloads have no paths. */
export interface ValueForm {
  /** @throws RequestError 4.06 for a type that the format does not have */
  encode(resource: ValueResource, value: ResourceValue): Uint8Array;
  /** @throws DecodeError when the payload is no value of that type */
  decode(resource: ValueResource, payload: Uint8Array): ResourceValue;
}

/** The codec of a format that carries one value and nothing else: a single Resource or one Resource Instance. */
export const singleValueCodec = (contentFormat: ContentFormat, form: ValueForm): PayloadCodec => ({
  contentFormat,
  encode(definition, target, content) {
    if (!isSingleValue(definition, target)) {
      throw new RequestError("4.06", `Content-Format ${contentFormat} cannot carry ${formatPath(target)}`);
    }
    const [, objectInstanceId, resourceId, resourceInstanceId] = target;
    const resource = resourceOf(definition, resourceId);
    const held = content.get(objectInstanceId)?.get(resourceId) ?? new Map();
    const value =
      resourceInstanceId === undefined ? held : instancesOf(resource, held).get(resourceInstanceId);
    return form.encode(resource, singleOf(resource, value));
  },
  decode(definition, target, payload) {
    if (!isSingleValue(definition, target)) {
      throw new DecodeError(`Content-Format ${contentFormat} cannot carry ${formatPath(target)}`);
    }
    const builder = new ContentBuilder(definition, target);
    builder.addValue(target, (resource) => form.decode(resource, payload));
    return builder.finish();
  },
});

const isSingleValue = (
  definition: ObjectDefinition,
  target: Path,
): target is ResourcePath | ResourceInstancePath =>
  target.length === 4 || (target.length === 3 && resourceById(definition, target[2])?.multiple !== true);
