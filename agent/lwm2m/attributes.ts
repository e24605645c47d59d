/** Notification attributes (LwM2M Core 1.2 §7.3): their grammar, where they may be, and what makes sense together. */
import type { NamedResource } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type Path } from "../model/path.js";
import type { ResourceType } from "../model/value.js";
import { isSince, type LwM2mVersion } from "./operations.js";

/** Periods in seconds. */
export interface NotificationAttributes {
  readonly minimumPeriod?: number;
  readonly maximumPeriod?: number;
  readonly minimumEvaluationPeriod?: number;
  readonly maximumEvaluationPeriod?: number;
  readonly greaterThan?: number;
  readonly lessThan?: number;
  readonly step?: number;
  /** 0: a Boolean that becomes false is told, 1: one that becomes true. */
  readonly edge?: number;
  /** 1: notifications want an ACK. */
  readonly confirmable?: number;
  /** How many values are kept while the Server cannot be reached. */
  readonly maximumHistoricalQueue?: number;
}

interface AttributeDefinition {
  readonly property: keyof NotificationAttributes;
  readonly syntax: RegExp;
  /** The highest level that takes it: 1 is the Object, 3 the Resource. It may be attached there and below. */
  readonly from: 1 | 3;
  /** The types of Resources that take it; absent: all that are readable. */
  readonly types?: readonly ResourceType[];
  readonly since: LwM2mVersion;
}

const period = /^[0-9]{1,15}$/;
const flag = /^[01]$/;
/** The grammar of the specification has no sign and no exponent; Servers send both, and thresholds below 0 make sense. */
const decimal = /^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$/;
const positive = /^(?=[0-9.]*[1-9])[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$/;
const numeric: readonly ResourceType[] = ["integer", "unsigned", "float", "time"];

/** By the names on the wire, in the order in which Discover shows them: table 7.3.1-1. */
const catalogue = {
  pmin: { property: "minimumPeriod", syntax: period, from: 1, since: "1.0" },
  pmax: { property: "maximumPeriod", syntax: period, from: 1, since: "1.0" },
  lt: { property: "lessThan", syntax: decimal, from: 3, types: numeric, since: "1.0" },
  gt: { property: "greaterThan", syntax: decimal, from: 3, types: numeric, since: "1.0" },
  st: { property: "step", syntax: positive, from: 3, types: numeric, since: "1.0" },
  epmin: { property: "minimumEvaluationPeriod", syntax: period, from: 1, since: "1.1" },
  epmax: { property: "maximumEvaluationPeriod", syntax: period, from: 1, since: "1.1" },
  edge: { property: "edge", syntax: flag, from: 3, types: ["boolean"], since: "1.2" },
  con: { property: "confirmable", syntax: flag, from: 1, since: "1.2" },
  hqmax: { property: "maximumHistoricalQueue", syntax: period, from: 1, since: "1.2" },
} as const satisfies Record<string, AttributeDefinition>;

export type AttributeName = keyof typeof catalogue;

export const isAttributeName = (name: string): name is AttributeName => Object.hasOwn(catalogue, name);

const definitionOf = (name: AttributeName): AttributeDefinition => catalogue[name];

/** The values as they were written, which is how Discover shows them: `42.20` stays `42.20`. */
export type AttributeTexts = ReadonlyMap<AttributeName, string>;

/** What a Write-Attributes asks for; undefined takes the attribute away. */
export type AttributeChanges = ReadonlyMap<AttributeName, string | undefined>;

/**
 * Reads `pmin=10`; a name without a value takes the attribute away.
 * @throws RequestError 4.00 for names that are unknown, repeated or of a later version, and for values out of their grammar
 */
export function parseAttributes(queries: readonly string[], version: LwM2mVersion): AttributeChanges {
  const changes = new Map<AttributeName, string | undefined>();
  for (const query of queries) {
    const [name, text] = splitOnce(query, "=");
    if (!isAttributeName(name)) throw refused(`"${name}" is not an attribute that can be set`);
    if (!isSince(version, definitionOf(name).since))
      throw refused(`${name} is not known in LwM2M ${version}`);
    if (changes.has(name)) throw refused(`the attribute ${name} comes twice`);
    if (text !== "" && !isAttributeValue(name, text)) throw refused(`${name} cannot be ${text}`);
    changes.set(name, text === "" ? undefined : text);
  }
  return changes;
}

/** Is `text` what the grammar of that attribute allows? */
export const isAttributeValue = (name: AttributeName, text: string): boolean =>
  definitionOf(name).syntax.test(text);

/** What is attached when `changes` meet what was: others stay. */
export function mergedAttributes(attached: AttributeTexts, changes: AttributeChanges): AttributeTexts {
  const merged = new Map(attached);
  for (const [name, text] of changes) {
    if (text === undefined) merged.delete(name);
    else merged.set(name, text);
  }
  return merged;
}

/**
 * Do these attributes make sense at `path`, and together? A Maximum Period below the Minimum Period does: it is ignored.
 * @param resource that `path` names or is an instance of; undefined above
 * @throws RequestError 4.00
 */
export function checkAttributes(
  path: readonly number[],
  resource: NamedResource | undefined,
  texts: AttributeTexts,
): void {
  for (const name of texts.keys()) {
    const { from, types } = definitionOf(name);
    if (path.length < from) throw refused(`${formatPath(path)} does not take ${name}`);
    if (types && !(resource?.type && types.includes(resource.type))) {
      throw refused(`${formatPath(path)} is of type ${resource?.type} and does not take ${name}`);
    }
  }
  const attributes = attributeValues(texts);
  if (!areThresholdsConsistent(attributes)) throw refused("lt, gt and st contradict each other");
  if (!areEvaluationPeriodsConsistent(attributes)) throw refused("epmin is not below epmax");
}

/** LwM2M Core 1.2 §7.3.2: `lt < gt`, and `lt + 2·st < gt` where all three are set. */
export function areThresholdsConsistent({
  lessThan,
  greaterThan,
  step = 0,
}: NotificationAttributes): boolean {
  if (lessThan === undefined || greaterThan === undefined) return true;
  return lessThan < greaterThan && lessThan + 2 * step < greaterThan;
}

export const areEvaluationPeriodsConsistent = ({
  minimumEvaluationPeriod: minimum,
  maximumEvaluationPeriod: maximum,
}: NotificationAttributes): boolean => minimum === undefined || maximum === undefined || minimum < maximum;

/** The names of those that Observe-Composite takes (§6.4.2). */
const ofComposite: ReadonlySet<AttributeName> = new Set(["pmin", "pmax", "epmin", "epmax", "con"]);

/**
 * The attributes in the query of an Observe, which are for that observation only.
 * @throws RequestError 4.00
 */
export function parseObserveParameters(
  queries: readonly string[],
  version: LwM2mVersion,
  target: { readonly path: Path; readonly resource: NamedResource | undefined } | "composite",
): AttributeTexts | undefined {
  if (queries.length === 0) return undefined;
  // To ignore what the Server counts on would be worse than to refuse it.
  if (!isSince(version, "1.2")) throw refused(`an Observe of LwM2M ${version} has no attributes`);
  const texts = mergedAttributes(new Map(), parseAttributes(queries, version));
  if (target !== "composite") checkAttributes(target.path, target.resource, texts);
  else {
    for (const name of texts.keys()) {
      if (!ofComposite.has(name)) throw refused(`an Observe-Composite does not take ${name}`);
    }
    checkAttributes([0], undefined, texts); // all of them may be attached to any level
  }
  return texts;
}

/** As numbers, by the names of this program. */
export function attributeValues(texts: AttributeTexts): NotificationAttributes {
  const values: Partial<Record<keyof NotificationAttributes, number>> = {};
  for (const [name, text] of texts) values[definitionOf(name).property] = Number(text);
  return values;
}

/** As Discover shows them: in the order of the catalogue. */
export const attributeEntries = (texts: AttributeTexts): [name: string, value: string][] =>
  (Object.keys(catalogue) as AttributeName[]).flatMap((name) => {
    const text = texts.get(name);
    return text === undefined ? [] : [[name, text] as [string, string]];
  });

/** May it be attached to Objects, too? An Observe with parameters leaves those aside (Core 1.2 §6.4.2). */
export const isForObjects = (name: AttributeName): boolean => definitionOf(name).from === 1;

const refused = (reason: string) => new RequestError("4.00", reason);

function splitOnce(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ""] : [text.slice(0, index), text.slice(index + separator.length)];
}
