/** How the values of Resources look in a record: JSON, from which each comes back exactly, by the type of its Resource. */
import { rangeFault } from "../model/conformity.js";
import type { NamedResource } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import { parseId } from "../model/path.js";
import {
  integerValue,
  isObjectLink,
  isResourceInstances,
  type ResourceContent,
  type ResourceType,
  type ResourceValue,
} from "../model/value.js";
import { boolean, integer, list, type Parser, text } from "./record-format.js";

/**
 * JSON has no 64-bit integers, NaN, bytes or links: those are text, bytes in hexadecimal. Resource Instances are a list of
 * pairs.
 */
export function formatContent(content: ResourceContent): unknown {
  return isResourceInstances(content)
    ? [...content].map(([id, value]) => [id, formatValue(value)])
    : formatValue(content);
}

/** @throws DecodeError unless `json` is what `formatContent` made of a value of this Resource */
export function parseContent(resource: NamedResource, json: unknown): ResourceContent {
  return resource.multiple
    ? new Map(list((pair) => parseInstance(resource, pair))(json))
    : parseValue(resource, json);
}

function formatValue(value: ResourceValue): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) {
    return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  return isObjectLink(value) ? `${value.objectId}:${value.objectInstanceId}` : value;
}

function parseInstance(resource: NamedResource, json: unknown): readonly [number, ResourceValue] {
  const [id, value, ...rest] = list((item) => item)(json);
  if (rest.length > 0) throw new DecodeError("expected a Resource Instance ID and a value");
  return [integer(0, 65534)(id), parseValue(resource, value)];
}

function parseValue(resource: NamedResource, json: unknown): ResourceValue {
  if (resource.type === undefined) throw new DecodeError(`${resource.name} holds no value`);
  const value = parsers[resource.type](json);
  const fault = rangeFault(resource, value);
  if (fault !== undefined) throw new DecodeError(fault);
  return value;
}

const wholeNumber = (json: unknown): number | bigint => {
  if (typeof json !== "string") return integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)(json);
  if (!/^-?\d{1,20}$/.test(json)) throw new DecodeError("expected an integer");
  return integerValue(BigInt(json));
};

const bytes = (json: unknown): Uint8Array => {
  const digits = text(json);
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new DecodeError("expected bytes in hexadecimal");
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
};

const parsers: Readonly<Record<ResourceType, Parser<ResourceValue>>> = {
  string: text,
  corelnk: text,
  integer: wholeNumber,
  unsigned: (json) => {
    const value = wholeNumber(json);
    if (value < 0) throw new DecodeError("expected an unsigned integer");
    return value;
  },
  float: (json) => {
    if (json === "NaN" || json === "Infinity" || json === "-Infinity") return Number(json);
    if (typeof json !== "number") throw new DecodeError("expected a number");
    return json;
  },
  boolean,
  opaque: bytes,
  time: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  objlnk: (json) => {
    const [objectId, objectInstanceId, ...rest] = text(json).split(":").map(parseLinkId);
    if (objectId === undefined || objectInstanceId === undefined || rest.length > 0)
      throw new DecodeError("expected an Object Link");
    return { objectId, objectInstanceId };
  },
};

/** 65535 occurs in links: the null link, or all instances. */
const parseLinkId = (digits: string) => (digits === "65535" ? 65535 : parseId(digits));
