import { contentFormats } from "../codec/content-format.js";
import { formatLinks, type Link } from "../codec/link-format.js";
import { formatPath } from "../model/path.js";
import { versionEntry } from "./discover.js";
import type { ObjectTree } from "./object-tree.js";

/** Never part of a Register: Security, OSCORE, COSE (LwM2M Core 1.2 §6.2.1). */
const unlisted = new Set([0, 21, 23]);

/** Formats beyond the ones that every client has; Servers choose by them. */
const advertised = [
  contentFormats.cbor,
  contentFormats.senmlJson,
  contentFormats.senmlCbor,
  contentFormats.tlv,
];

/** The payload of a Register: `</>;ct="60 110 112 11542",</1>;ver=1.1,</1/0>,…`. */
export function objectLinks(tree: ObjectTree): string {
  const links: Link[] = [{ path: "/", attributes: new Map([["ct", advertised.join(" ")]]) }];
  for (const objectId of tree.objectIds()) {
    if (unlisted.has(objectId)) continue;
    const instanceIds = tree.instanceIds(objectId);
    const version = versionEntry(tree.definition(objectId)?.version ?? "1.0");
    if (version.length > 0 || instanceIds.length === 0) {
      links.push({ path: formatPath([objectId]), attributes: new Map(version) });
    }
    for (const id of instanceIds) links.push({ path: formatPath([objectId, id]), attributes: new Map() });
  }
  return formatLinks(links);
}
