/** Notification attributes (LwM2M Core 1.2 §7.3): their grammar, where they are attached, and which one counts. */
import { RequestError } from "../model/errors.js";
import { formatPath, isWithin, type Path } from "../model/path.js";

/** Both in seconds. */
export interface NotificationAttributes {
  readonly minimumPeriod?: number;
  readonly maximumPeriod?: number;
}

/** Names on the wire. A new attribute is a new row. */
const catalogue = {
  pmin: { name: "minimumPeriod", parse: parsePeriod },
  pmax: { name: "maximumPeriod", parse: parsePeriod },
} as const satisfies Record<
  string,
  { name: keyof NotificationAttributes; parse: (text: string) => number | undefined }
>;

const isAttributeName = (name: string): name is keyof typeof catalogue => Object.hasOwn(catalogue, name);

/** One change that a Write-Attributes asks for; undefined takes the attribute away. */
type AttributeChange = readonly [name: keyof NotificationAttributes, value: number | undefined];

/**
 * Reads `pmin=10`; a name without a value takes the attribute away.
 * @throws RequestError 4.00 for unknown or repeated names and for values out of their grammar
 */
export function parseAttributes(queries: readonly string[]): readonly AttributeChange[] {
  const changes = new Map<keyof NotificationAttributes, number | undefined>();
  for (const query of queries) {
    const [wireName = "", text = ""] = splitOnce(query, "=");
    if (!isAttributeName(wireName))
      throw new RequestError("4.00", `"${wireName}" is not an attribute that can be set`);
    const { name, parse } = catalogue[wireName];
    if (changes.has(name)) throw new RequestError("4.00", `the attribute ${wireName} comes twice`);
    const value = text === "" ? undefined : parse(text);
    if (text !== "" && value === undefined)
      throw new RequestError("4.00", `${wireName}=${text} is not a period in seconds`);
    changes.set(name, value);
  }
  return [...changes];
}

function parsePeriod(text: string): number | undefined {
  if (!/^[0-9]{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/** The attributes that Servers attached to paths; each Server sees only its own. */
export class AttributeStore {
  readonly #byServer = new Map<number, Map<string, AttachedAttributes>>();

  /** Merges `changes` into what is attached at `path`. */
  change(shortServerId: number, path: Path, changes: readonly AttributeChange[]): void {
    let attached = this.#byServer.get(shortServerId);
    if (attached === undefined) {
      attached = new Map();
      this.#byServer.set(shortServerId, attached);
    }
    const key = formatPath(path);
    const merged: Record<string, number> = { ...attached.get(key)?.attributes };
    for (const [name, value] of changes) {
      if (value === undefined) delete merged[name];
      else merged[name] = value;
    }
    if (Object.keys(merged).length === 0) attached.delete(key);
    else attached.set(key, { path, attributes: merged });
  }

  /** Attached at exactly this path. */
  at(shortServerId: number, path: Path): NotificationAttributes {
    return this.#byServer.get(shortServerId)?.get(formatPath(path))?.attributes ?? {};
  }

  /** Attached at this path or inherited: for each attribute the most specific level counts (§7.3.2). */
  effective(shortServerId: number, path: Path): NotificationAttributes {
    let effective: NotificationAttributes = {};
    for (let level = 1; level <= path.length; level++) {
      effective = { ...effective, ...this.at(shortServerId, path.slice(0, level) as unknown as Path) };
    }
    return effective;
  }

  /** The node has gone, and what was attached to it or below with it. */
  forget(path: Path): void {
    for (const attached of this.#byServer.values()) {
      for (const [key, entry] of attached) if (isWithin(entry.path, path)) attached.delete(key);
    }
  }
}

interface AttachedAttributes {
  readonly path: Path;
  readonly attributes: NotificationAttributes;
}

/** As Discover shows them: wire name and value, in the order of the catalogue. */
export function attributeEntries(attributes: NotificationAttributes): [name: string, value: number][] {
  return Object.entries(catalogue).flatMap(([wireName, { name }]) => {
    const value = attributes[name];
    return value === undefined ? [] : [[wireName, value] as [string, number]];
  });
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}
