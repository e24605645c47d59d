/**
 * Account content as JSON: Objects, Object Instances and Resources by their numbers. It is read back against the
 * definitions, so that a record that is damaged or of another release is refused as a whole.
 */
import { type ObjectDefinition, resourceById } from "../../agent/model/definition.js";
import { DecodeError } from "../../agent/model/errors.js";
import { type InstancePath, MAX_ID } from "../../agent/model/path.js";
import type { InstanceContent, ObjectContent } from "../../agent/model/value.js";
import { integer, list, optional, type Parser, shape } from "../../agent/persistence/record-format.js";
import { formatContent, parseContent } from "../../agent/persistence/value-format.js";
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
  /** Object Instances, of any Object, that it wants deleted. */
  readonly deletions?: readonly InstancePath[];
}

export const parseAccountRecord: Parser<AccountRecord> = (json) => {
  const { content, factory, bootstrappedAt, deletions } = shape({
    content: parseAccounts,
    factory: parseAccounts,
    bootstrappedAt: optional(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    deletions: optional(list(parseInstancePath)),
  })(json);
  return {
    content,
    factory,
    ...(bootstrappedAt !== undefined && { bootstrappedAt }),
    ...(deletions !== undefined && { deletions }),
  };
};

export const formatAccountRecord = ({
  content,
  factory,
  bootstrappedAt,
  deletions,
}: AccountRecord): unknown => ({
  content: formatAccounts(content),
  factory: formatAccounts(factory),
  bootstrappedAt,
  deletions,
});

/** Do both hold the same, instance by instance? */
export const equalAccounts = (a: AccountContent, b: AccountContent): boolean =>
  JSON.stringify(formatAccounts(a)) === JSON.stringify(formatAccounts(b));

// ---- Writing and reading ---------------------------------------------------------------------------------------

/** Lists of pairs, in ascending order: equal content is equal text. */
const formatAccounts = (content: AccountContent): unknown =>
  formatMap(content, (instances) => formatMap(instances, (resources) => formatMap(resources, formatContent)));

const formatMap = <T>(map: ReadonlyMap<number, T>, format: (value: T) => unknown): unknown =>
  ascending(map).map(([id, value]) => [id, format(value)]);

const parseAccounts: Parser<AccountContent> = (json) =>
  parseMap(json, (objectId, instances): ObjectContent => {
    const definition = accountDefinitions.get(objectId);
    if (definition === undefined) throw new DecodeError(`Object ${objectId} is not one of the accounts'`);
    return parseMap(instances, (_, resources) => parseInstance(definition, resources));
  });

const parseInstance = (definition: ObjectDefinition, json: unknown): InstanceContent =>
  parseMap(json, (resourceId, content) => {
    const resource = resourceById(definition, resourceId);
    if (resource === undefined) throw new DecodeError(`${definition.name} has no Resource ${resourceId}`);
    return parseContent(resource, content);
  });

const parseInstancePath: Parser<InstancePath> = (json) => {
  const [objectId, objectInstanceId, ...rest] = list(integer(0, MAX_ID - 1))(json);
  if (objectId === undefined || objectInstanceId === undefined || rest.length > 0) {
    throw new DecodeError("that is no path of an Object Instance");
  }
  return [objectId, objectInstanceId];
};

function parseMap<T>(json: unknown, parse: (id: number, value: unknown) => T): ReadonlyMap<number, T> {
  const map = new Map<number, T>();
  for (const [key, value, ...rest] of list(list((item) => item))(json)) {
    const id = integer(0, MAX_ID - 1)(key);
    if (map.has(id) || rest.length > 0) throw new DecodeError(`the entry for ${id} is damaged`);
    map.set(id, parse(id, value));
  }
  return map;
}
