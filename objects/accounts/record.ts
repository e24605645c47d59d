/**
 * Account content as JSON: Objects, Object Instances and Resources by their numbers, Opaque values in hexadecimal,
 * 64-bit integers that JSON cannot hold as text. It is read back against the definitions, so that a damaged record or
 * one of another release is refused as a whole.
 */
import type { ObjectDefinition, ResourceDefinition } from "../../agent/model/definition.js";
import { DecodeError } from "../../agent/model/errors.js";
import { MAX_ID } from "../../agent/model/path.js";
import {
  type InstanceContent,
  integerValue,
  isObjectLink,
  isResourceInstances,
  type ObjectContent,
  type ResourceContent,
  type ResourceValue,
} from "../../agent/model/value.js";
import {
  boolean,
  integer,
  list,
  optional,
  type Parser,
  shape,
  text,
} from "../../agent/persistence/record-format.js";
import { type AccountContent, ascending } from "./content.js";
import { accountDefinitions } from "./definitions.js";

/** What is on disk. */
export interface AccountRecord {
  /** What the accounts hold now. */
  readonly content: AccountContent;
  /** What the operator had configured when it was written: tells a configuration that has changed. */
  readonly factory: AccountContent;
  /** When the last bootstrap ended, in seconds since 1970; undefined when there was none. */
  readonly bootstrappedAt?: number;
}

export const parseAccountRecord: Parser<AccountRecord> = (json) => {
  const { content, factory, bootstrappedAt } = shape({
    content: parseContent,
    factory: parseContent,
    bootstrappedAt: optional(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  })(json);
  return { content, factory, ...(bootstrappedAt !== undefined && { bootstrappedAt }) };
};

export const formatAccountRecord = ({ content, factory, bootstrappedAt }: AccountRecord): unknown => ({
  content: formatContent(content),
  factory: formatContent(factory),
  bootstrappedAt,
});

/** Do both hold the same, instance by instance? */
export const equalAccounts = (a: AccountContent, b: AccountContent): boolean =>
  JSON.stringify(formatContent(a)) === JSON.stringify(formatContent(b));

// ---- Writing ---------------------------------------------------------------------------------------------------

/** Lists of pairs, in ascending order: equal content is equal text. */
const formatContent = (content: AccountContent): unknown =>
  formatMap(content, (instances) =>
    formatMap(instances, (resources) => formatMap(resources, formatResource)),
  );

const formatMap = <T>(map: ReadonlyMap<number, T>, format: (value: T) => unknown): unknown =>
  ascending(map).map(([id, value]) => [id, format(value)]);

const formatResource = (content: ResourceContent): unknown =>
  isResourceInstances(content) ? formatMap(content, formatValue) : formatValue(content);

function formatValue(value: ResourceValue): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return formatHex(value);
  if (isObjectLink(value)) return [value.objectId, value.objectInstanceId];
  return value;
}

const formatHex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// ---- Reading ---------------------------------------------------------------------------------------------------

const parseContent: Parser<AccountContent> = (json) =>
  parseMap(json, (objectId, instances): ObjectContent => {
    const definition = accountDefinitions.get(objectId);
    if (definition === undefined) throw new DecodeError(`Object ${objectId} is not one of the accounts'`);
    return parseMap(instances, (_, resources) => parseInstance(definition, resources));
  });

function parseInstance(definition: ObjectDefinition, json: unknown): InstanceContent {
  const resources = new Map(Object.values(definition.resources).map((resource) => [resource.id, resource]));
  return parseMap(json, (resourceId, content): ResourceContent => {
    const resource = resources.get(resourceId);
    if (resource === undefined) throw new DecodeError(`${definition.name} has no Resource ${resourceId}`);
    return resource.multiple
      ? parseMap(content, (_, value) => parseValue(resource, value))
      : parseValue(resource, content);
  });
}

function parseMap<T>(json: unknown, parse: (id: number, value: unknown) => T): ReadonlyMap<number, T> {
  const map = new Map<number, T>();
  for (const [key, value] of list(pair)(json)) {
    const id = integer(0, MAX_ID)(key);
    if (map.has(id)) throw new DecodeError(`${id} comes twice`);
    map.set(id, parse(id, value));
  }
  return map;
}

const pair: Parser<readonly [unknown, unknown]> = (json) => {
  if (!Array.isArray(json) || json.length !== 2) throw new DecodeError("expected a pair");
  return [json[0], json[1]];
};

function parseValue(resource: ResourceDefinition, json: unknown): ResourceValue {
  const value = parseByType(resource, json);
  const [minimum, maximum] = resource.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const measured = measure(value);
  if (measured !== undefined && (measured < minimum || measured > maximum)) {
    throw new DecodeError(`Resource ${resource.id} is out of its range`);
  }
  return value;
}

function parseByType({ id, type }: ResourceDefinition, json: unknown): ResourceValue {
  switch (type) {
    case "string":
      return text(json);
    case "boolean":
      return boolean(json);
    case "integer":
    case "unsigned":
    case "time":
      return typeof json === "string" ? parseLargeInteger(json) : safeInteger(json);
    case "opaque":
      return parseHex(text(json));
    case "objlnk": {
      const [objectId, objectInstanceId] = pair(json);
      return {
        objectId: integer(0, MAX_ID)(objectId),
        objectInstanceId: integer(0, MAX_ID)(objectInstanceId),
      };
    }
    default:
      throw new DecodeError(`Resource ${id} holds no value`);
  }
}

/** What a range counts; undefined for types that have none. */
function measure(value: ResourceValue): number | bigint | undefined {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (value instanceof Uint8Array) return value.length;
  return typeof value === "number" || typeof value === "bigint" ? value : undefined;
}

const safeInteger = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

function parseLargeInteger(json: string): number | bigint {
  if (!/^-?\d{1,20}$/.test(json)) throw new DecodeError("expected an integer");
  return integerValue(BigInt(json));
}

function parseHex(json: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/.test(json)) throw new DecodeError("expected bytes in hexadecimal");
  return Uint8Array.from({ length: json.length / 2 }, (_, index) =>
    Number.parseInt(json.slice(2 * index, 2 * index + 2), 16),
  );
}
