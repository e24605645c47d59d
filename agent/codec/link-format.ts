import { DecodeError } from "../model/errors.js";
import { formatDecimal } from "./decimal.js";

/** One link of CoRE Link Format (RFC 6690), as Register, Update and Discover carry them. */
export interface Link {
  /** What stands between `<` and `>`; a trailing slash is left out, so that `/3/0` can be read as a path. */
  readonly path: string;
  /** By name, in order. Parsing yields text, `true` for an attribute without a value; numbers are for formatting. */
  readonly attributes: ReadonlyMap<string, string | number | true>;
}

/** Writes `</1>;ver=1.1,</1/0>`. */
export const formatLinks = (links: readonly Link[]): string => links.map(formatLink).join(",");

const formatLink = ({ path, attributes }: Link): string =>
  [`<${path}>`, ...[...attributes].map(formatAttribute)].join(";");

function formatAttribute([name, value]: readonly [string, string | number | true]): string {
  if (value === true) return name;
  return `${name}=${typeof value === "number" ? formatDecimal(value) : formatText(value)}`;
}

/** Versions and numbers stand bare (`ver=1.1`, `ct=112`), everything else in quotes: each server reads that. */
const formatText = (text: string): string =>
  /^\d+(\.\d+)?$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;

/**
 * Reads links, with the leniency that servers need: white space after `,` and `;`, values quoted or bare, attributes
 * without value, unknown attributes, a trailing slash. Of a repeated attribute the first counts, as in RFC 6690 §3.
 * @throws DecodeError with the offset in characters
 */
export function parseLinks(text: string): Link[] {
  const links: Link[] = [];
  let offset = 0;
  /** Takes what `pattern` finds right here; undefined when it does not begin here. */
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = offset;
    const match = pattern.exec(text) ?? undefined;
    if (match) offset = pattern.lastIndex;
    return match;
  };
  if (text === "") return links;
  do {
    const path = take(reference)?.[1];
    if (path === undefined) throw new DecodeError("a link begins with its reference in <>", { offset });
    const attributes = new Map<string, string | true>();
    while (take(semicolon)) {
      const match = take(attribute);
      if (match === undefined) throw new DecodeError("this is not an attribute of a link", { offset });
      const [, name = "", quoted, bare] = match;
      if (!attributes.has(name)) attributes.set(name, quoted?.replace(/\\(.)/gs, "$1") ?? bare ?? true);
    }
    links.push({ path: trailingSlash.test(path) ? path.slice(0, -1) : path, attributes });
  } while (take(comma));
  if (offset < text.length) throw new DecodeError("links are separated by commas", { offset });
  return links;
}

const reference = /<([^<>\s]*)>/y;
/** One; of several, none is there by habit. */
const trailingSlash = /[^/]\/$/;
const semicolon = /;\s*/y;
const comma = /,\s*/y;
/** A whole name, then `="quoted"` with backslash escapes, `=bare`, or nothing. */
const attribute =
  /([\w!#$&+.^`|~*-]+)(?![\w!#$&+.^`|~*-])(?:="([^"\\]*(?:\\.[^"\\]*)*)"|=([^\s",;\\]+)|(?!=))/sy;
