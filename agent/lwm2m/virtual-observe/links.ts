/** The links of Virtual Observe Notify (/22/x/0, /22/x/3): what they may lead to, and what their attributes mean. */
import type { Definitions } from "../../codec/composite.js";
import { type Link, parseLinks } from "../../codec/link-format.js";
import { resourceById } from "../../model/definition.js";
import { DecodeError, RequestError } from "../../model/errors.js";
import { formatPath, type Path, parsePath } from "../../model/path.js";
import {
  type AttributeName,
  attributeValues,
  checkAttributes,
  mergedAttributes,
  parseAttributes,
} from "../attributes.js";
import { isBootstrapOnly } from "../checks.js";
import { changeConditions, type ObservationRules, observationRules } from "../observation-rules.js";

export interface ObservedLink {
  readonly path: Path;
  readonly rules: ObservationRules;
}

export const virtualObserveObject = 22;

/** In one Resource, over all its Resource Instances. */
const MAX_LINKS = 32;
/** Characters: links without white space have a third of it. */
const MAX_TEXT = 8192;

/**
 * Attributes of a link are all that counts for it: no defaults of a Server, nothing that a Server attached.
 * @throws RequestError 4.00
 */
export const observedLinks = (texts: readonly string[], definitions: Definitions): readonly ObservedLink[] =>
  linksOf(texts).map(({ path: text, attributes }) => {
    const path = targetOf(text, definitions);
    return { path, rules: rulesOf(path, attributes, definitions) };
  });

/** @throws RequestError 4.00 */
export const reportedPaths = (texts: readonly string[], definitions: Definitions): readonly Path[] =>
  linksOf(texts).map(({ path, attributes }) => {
    if (attributes.size > 0) throw refused(`what is only reported takes no attributes: ${path}`);
    return targetOf(path, definitions);
  });

function linksOf(texts: readonly string[]): readonly Link[] {
  const isTooMuch = texts.length > MAX_LINKS || texts.reduce((sum, { length }) => sum + length, 0) > MAX_TEXT;
  const links = isTooMuch ? undefined : texts.flatMap(parsed);
  if (links === undefined || links.length > MAX_LINKS) {
    throw refused(`more than ${MAX_LINKS} links, or more than ${MAX_TEXT} characters`);
  }
  return links;
}

function parsed(text: string): readonly Link[] {
  try {
    return parseLinks(text);
  } catch (cause) {
    if (cause instanceof DecodeError) throw new RequestError("4.00", cause.message, { cause });
    throw cause;
  }
}

/** It need not be there yet; what is known of it has to fit. */
function targetOf(text: string, definitions: Definitions): Path {
  const path = parsePath(text);
  if (path === undefined || path.length === 1) {
    throw refused(`"${text}" is not the path of an Object Instance, a Resource or a Resource Instance`);
  }
  const [objectId] = path;
  if (isBootstrapOnly(objectId)) throw refused(`Object ${objectId} is the Bootstrap-Server's`);
  if (objectId === virtualObserveObject) throw refused("a report cannot hold reports");
  const resource = resourceAt(path, definitions);
  if (resource && !resource.operations.includes("R")) throw refused(`${formatPath(path)} is not readable`);
  if (resource && path.length === 4 && !resource.multiple) {
    throw refused(`${formatPath(path.slice(0, 3))} has no Resource Instances`);
  }
  return path;
}

/** They are about how a notification travels, and a report is no notification. */
const withoutMeaning: readonly AttributeName[] = ["con", "hqmax"];

function rulesOf(path: Path, attributes: Link["attributes"], definitions: Definitions): ObservationRules {
  const queries = [...attributes].map(([name, value]) => {
    if (value === true || value === "") throw refused(`${name} has no value`);
    return `${name}=${value}`;
  });
  const texts = mergedAttributes(new Map(), parseAttributes(queries, "1.2"));
  for (const name of withoutMeaning) if (texts.has(name)) throw refused(`a link does not take ${name}`);
  checkAttributes(path, resourceAt(path, definitions), texts);
  const values = attributeValues(texts);
  return observationRules(values, {}, path.length < 3 ? undefined : { own: changeConditions(values) });
}

const resourceAt = ([objectId, , resourceId]: Path, definitions: Definitions) => {
  const definition = definitions(objectId);
  return definition && resourceId !== undefined ? resourceById(definition, resourceId) : undefined;
};

const refused = (reason: string) => new RequestError("4.00", reason);
