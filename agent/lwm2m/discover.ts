import { contentFormats } from "../codec/content-format.js";
import { formatLinks, type Link } from "../codec/link-format.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type InstancePath, type Path, type ResourcePath } from "../model/path.js";
import { isResourceInstances } from "../model/value.js";
import type { AttributeStore } from "./attribute-store.js";
import { attributeEntries } from "./attributes.js";
import type { LiveResource, ObjectTree } from "./object-tree.js";
import type { Origin, Reply } from "./operations.js";

/**
 * Discover (LwM2M Core §6.3.2): what exists at and below `path`, with the attributes that this Server attached. The
 * target shows inherited attributes too, what lies below it only its own.
 */
export async function discover(
  tree: ObjectTree,
  attributes: AttributeStore,
  origin: Origin,
  path: Path,
): Promise<Reply> {
  const links = await linksOf(tree, path, (node) =>
    node.length === path.length
      ? attributeEntries(attributes.effective(origin.shortServerId, node))
      : attributeEntries(attributes.at(origin.shortServerId, node)),
  );
  if (links.length === 0) throw new RequestError("4.04", `${formatPath(path)} holds no value`);
  return {
    code: "2.05",
    contentFormat: contentFormats.linkFormat,
    payload: new TextEncoder().encode(formatLinks(links)),
  };
}

type AttributesOf = (path: Path) => [name: string, value: string][];

async function linksOf(tree: ObjectTree, path: Path, attributesOf: AttributesOf): Promise<Link[]> {
  const [objectId, objectInstanceId, resourceId] = path;
  if (objectInstanceId === undefined) {
    const links = [objectLink(tree, objectId, attributesOf)];
    for (const id of tree.instanceIds(objectId))
      links.push(...(await instanceLinks(tree, [objectId, id], attributesOf)));
    return links;
  }
  if (resourceId === undefined) return instanceLinks(tree, [objectId, objectInstanceId], attributesOf);
  const resource = tree.resource(objectId, objectInstanceId, resourceId);
  return resource ? resourceLinks([objectId, objectInstanceId, resourceId], resource, attributesOf) : [];
}

/** The version is said where it is not 1.0 (Core §7.2.2). */
function objectLink(tree: ObjectTree, objectId: number, attributesOf: AttributesOf): Link {
  const version = tree.definition(objectId)?.version ?? "1.0";
  return link([objectId], [...versionEntry(version), ...attributesOf([objectId])]);
}

export const versionEntry = (version: string): [string, string][] =>
  version === "1.0" ? [] : [["ver", version]];

async function instanceLinks(
  tree: ObjectTree,
  path: InstancePath,
  attributesOf: AttributesOf,
): Promise<Link[]> {
  const links = [link(path, attributesOf(path))];
  for (const resource of tree.resources(...path)) {
    const resourcePath = [...path, resource.definition.id] as const;
    const below = await resourceLinks(resourcePath, resource, attributesOf);
    links.push(...below.slice(0, 1)); // Resource Instances are listed for a Resource alone
  }
  return links;
}

/** The Resource and its Resource Instances; nothing while an optional Resource holds no value. */
async function resourceLinks(
  path: ResourcePath,
  { definition, handler }: LiveResource,
  attributesOf: AttributesOf,
): Promise<Link[]> {
  if (!definition.operations.includes("R")) return [link(path, [])];
  const content = await handler.read?.();
  if (content === undefined) return [];
  if (!isResourceInstances(content)) return [link(path, attributesOf(path))];
  return [
    link(path, [["dim", content.size], ...attributesOf(path)]),
    ...[...content.keys()].map((id) => link([...path, id], attributesOf([...path, id]))),
  ];
}

const link = (path: Path, attributes: readonly (readonly [string, string | number])[]): Link => ({
  path: formatPath(path),
  attributes: new Map(attributes),
});
