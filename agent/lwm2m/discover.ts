import { contentFormats } from "../codec/content-format.js";
import { formatLinks, type Link } from "../codec/link-format.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type InstancePath, type Path, type ResourcePath } from "../model/path.js";
import { isResourceInstances } from "../model/value.js";
import type { AttributeStore } from "./attribute-store.js";
import { attributeEntries } from "./attributes.js";
import type { LiveResource, ObjectTree } from "./object-tree.js";
import type { LwM2mVersion, Operation, Origin, Reply } from "./operations.js";
import { announcedVersion, hasDiscoverDepth, hasResourceInstancePaths } from "./versions.js";

/**
 * Discover (LwM2M Core §6.3.2): what exists at and below `path`, with the attributes that this Server attached. The
 * target shows inherited attributes too, what lies below it only its own.
 */
export async function discover(
  tree: ObjectTree,
  attributes: AttributeStore,
  { shortServerId, version }: Origin,
  { path, depth }: Operation & { kind: "discover" },
): Promise<Reply> {
  const levels = hasDiscoverDepth(version) && depth !== undefined ? depth : defaultDepth(path);
  const deepest = path.length + levels;
  const links = await linksOf(tree, path, {
    version,
    deepest: hasResourceInstancePaths(version) ? deepest : Math.min(deepest, resourceLevel),
    attributesOf: (node) =>
      attributeEntries(
        node.length === path.length
          ? attributes.effective(shortServerId, node)
          : attributes.at(shortServerId, node),
      ),
  });
  if (links.length === 0) throw new RequestError("4.04", `${formatPath(path)} holds no value`);
  return {
    code: "2.05",
    contentFormat: contentFormats.linkFormat,
    payload: new TextEncoder().encode(formatLinks(links)),
  };
}

/** Down to the Resources, and of a Resource to its Resource Instances (Core §6.3.2, table "depth"). */
const defaultDepth = (path: Path): number => (path.length === 1 ? 2 : 1);

/** How many identifiers the path of a Resource has. */
const resourceLevel = 3;

interface Listing {
  readonly version: LwM2mVersion;
  /** How many identifiers the longest paths of the list have. */
  readonly deepest: number;
  readonly attributesOf: (path: Path) => [name: string, value: string][];
}

async function linksOf(tree: ObjectTree, path: Path, listing: Listing): Promise<Link[]> {
  const [objectId, objectInstanceId, resourceId] = path;
  if (objectInstanceId === undefined) {
    const links = [objectLink(tree, objectId, listing)];
    if (listing.deepest < 2) return links;
    for (const id of tree.instanceIds(objectId)) {
      links.push(...(await instanceLinks(tree, [objectId, id], listing)));
    }
    return links;
  }
  if (resourceId === undefined) return instanceLinks(tree, [objectId, objectInstanceId], listing);
  const resource = tree.resource(objectId, objectInstanceId, resourceId);
  return resource ? resourceLinks([objectId, objectInstanceId, resourceId], resource, listing) : [];
}

/** The version is said where it is not 1.0 (Core §7.2.2). */
function objectLink(tree: ObjectTree, objectId: number, { version, attributesOf }: Listing): Link {
  const definition = tree.definition(objectId);
  const entry = definition === undefined ? [] : versionEntry(announcedVersion(version, definition));
  return link([objectId], [...entry, ...attributesOf([objectId])]);
}

export const versionEntry = (version: string): [string, string][] =>
  version === "1.0" ? [] : [["ver", version]];

async function instanceLinks(tree: ObjectTree, path: InstancePath, listing: Listing): Promise<Link[]> {
  const links = [link(path, listing.attributesOf(path))];
  if (listing.deepest < resourceLevel) return links;
  for (const resource of tree.resources(...path)) {
    links.push(...(await resourceLinks([...path, resource.definition.id], resource, listing)));
  }
  return links;
}

/** The Resource and its Resource Instances; nothing while an optional Resource holds no value. */
async function resourceLinks(
  path: ResourcePath,
  { definition, handler }: LiveResource,
  { deepest, attributesOf }: Listing,
): Promise<Link[]> {
  if (!definition.operations.includes("R")) return [link(path, [])];
  const content = await handler.read?.();
  if (content === undefined) return [];
  if (!isResourceInstances(content)) return [link(path, attributesOf(path))];
  const resource = link(path, [["dim", content.size], ...attributesOf(path)]);
  if (deepest <= resourceLevel) return [resource];
  const instances = [...content.keys()].map((id) => [...path, id] as const);
  return [resource, ...instances.map((instance) => link(instance, attributesOf(instance)))];
}

const link = (path: Path, attributes: readonly (readonly [string, string | number])[]): Link => ({
  path: formatPath(path),
  attributes: new Map(attributes),
});
