import { contentFormats } from "../codec/content-format.js";
import { formatLinks, type Link } from "../codec/link-format.js";
import { formatPath } from "../model/path.js";
import { versionEntry } from "./discover.js";
import type { ObjectTree } from "./object-tree.js";
import { isSince, type LwM2mVersion } from "./operations.js";
import { announcedVersion } from "./versions.js";

/**
 * Never part of a Register: Security, OSCORE, COSE (LwM2M Core 1.2 §6.2.1). Nor the MQTT Server, which holds credentials
 * as they do.
 */
const unlisted: ReadonlySet<number> = new Set([0, 21, 23, 24]);

/** LwM2M CBOR (LwM2M Core 1.2 §7.4.6). */
const lwm2mCbor = 11544;

/** Formats beyond those that every client has; Servers choose by them. Version 1.0 has no such word. */
const advertised: Readonly<Record<LwM2mVersion, readonly number[]>> = {
  "1.0": [],
  "1.1": [contentFormats.cbor, contentFormats.senmlJson, contentFormats.senmlCbor, contentFormats.tlv],
  "1.2": [
    contentFormats.cbor,
    contentFormats.senmlJson,
    contentFormats.senmlCbor,
    contentFormats.tlv,
    lwm2mCbor,
  ],
};

/**
 * The payload of a Register: `</>;ct="60 110 112 11542",</1>;ver=1.1,</1/0>,…`. The version of each Object that is not
 * 1.0 is said whatever the version of the enabler implies: that is always legal, and Servers disagree on what is implied.
 *
 * @param includes which Objects; all that may be listed when absent
 */
export function objectLinks(
  tree: ObjectTree,
  version: LwM2mVersion,
  includes: (objectId: number) => boolean = () => true,
): string {
  const links = tree
    .objectIds()
    .filter((objectId) => !unlisted.has(objectId) && includes(objectId))
    .flatMap((objectId) => linksOf(tree, version, objectId));
  return formatLinks(isSince(version, "1.1") ? [rootLink(version), ...links] : links);
}

const rootLink = (version: LwM2mVersion): Link => ({
  path: "/",
  attributes: new Map([["ct", advertised[version].join(" ")]]),
});

function linksOf(tree: ObjectTree, enabler: LwM2mVersion, objectId: number): Link[] {
  const instanceIds = tree.instanceIds(objectId);
  const definition = tree.definition(objectId);
  const version = definition === undefined ? [] : versionEntry(announcedVersion(enabler, definition));
  const object = { path: formatPath([objectId]), attributes: new Map(version) };
  const instances = instanceIds.map((id) => ({ path: formatPath([objectId, id]), attributes: new Map() }));
  return version.length > 0 || instances.length === 0 ? [object, ...instances] : instances;
}
