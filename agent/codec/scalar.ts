import { DecodeError } from "../model/errors.js";
import type { ResourceType, ResourceValue } from "../model/value.js";
import { formatObjectLink, parseObjectLink } from "./object-link.js";
import {
  booleanOf,
  bytesOf,
  checkedInteger,
  checkedTime,
  floatOf,
  integerOf,
  objectLinkOf,
  textOf,
  timeOf,
  type ValueResource,
} from "./value-types.js";

/**
 * A value as the self-describing formats write it: SenML in JSON and CBOR, and plain CBOR. The format knows how each
 * kind looks, the Resource's type what it means; here the two meet. A number that arrives is an `integer` when it is
 * one: on the way in the formats need not tell 5 from 5.0.
 */
export type Scalar =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "integer"; readonly value: number | bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "objectLink"; readonly value: string }
  | { readonly kind: "null"; readonly value: null };

/** @throws TypeError when the Object gave a value of another type */
export function scalarOf(type: ResourceType, value: ResourceValue): Scalar {
  switch (type) {
    case "string":
    case "corelnk":
      return { kind: "text", value: textOf(value) };
    case "integer":
    case "unsigned":
      return { kind: "integer", value: integerOf(type, value) };
    case "float":
      return { kind: "float", value: floatOf(value) };
    case "boolean":
      return { kind: "boolean", value: booleanOf(value) };
    case "opaque":
      return { kind: "bytes", value: bytesOf(value) };
    case "time":
      return { kind: "integer", value: timeOf(value) };
    case "objlnk":
      return { kind: "objectLink", value: formatObjectLink(objectLinkOf(value)) };
  }
}

/**
 * `valueFrom` for a format without names of fields: there only the Resource tells an Object Link from other text.
 */
export const bareValueFrom = (resource: ValueResource, scalar: Scalar): ResourceValue =>
  valueFrom(
    resource,
    resource.type === "objlnk" && scalar.kind === "text" ? { ...scalar, kind: "objectLink" } : scalar,
  );

/** @throws DecodeError when the Resource holds another type, or the value does not fit it */
export function valueFrom({ name, type }: ValueResource, scalar: Scalar): ResourceValue {
  const isNumber = scalar.kind === "integer" || scalar.kind === "float";
  switch (type) {
    case "string":
    case "corelnk":
      if (scalar.kind === "text") return scalar.value;
      break;
    case "integer":
    case "unsigned":
      if (isNumber) return checkedInteger(type, scalar.value);
      break;
    case "float":
      if (isNumber) return Number(scalar.value);
      break;
    case "boolean":
      if (scalar.kind === "boolean") return scalar.value;
      break;
    case "opaque":
      if (scalar.kind === "bytes") return scalar.value;
      break;
    case "time":
      if (isNumber) return checkedTime(scalar.value);
      break;
    case "objlnk":
      if (scalar.kind === "objectLink") return parseObjectLink(scalar.value);
      break;
  }
  throw new DecodeError(`${name} takes ${type}, not ${scalar.kind}`);
}
