import { formatLinks, type Link } from "../../codec/link-format.js";
import type { ObjectDefinition } from "../../model/definition.js";
import { formatPath } from "../../model/path.js";
import { versionEntry } from "../discover.js";
import { isSince, type LwM2mVersion } from "../operations.js";

/** An Object with what Bootstrap-Discover says about its instances. */
export interface DiscoveredObject {
  readonly definition: ObjectDefinition;
  readonly instances: readonly {
    readonly id: number;
    readonly shortServerId?: number | undefined;
    readonly uri?: string | undefined;
  }[];
}

/**
 * The answer to a Bootstrap-Discover (LwM2M Core 1.2 §6.1.7.4):
 * `</>;lwm2m=1.2,</0/0>,</0/1>;ssid=101;uri="coap://server.example",</1>;ver=1.2,</1/0>;ssid=101,…`.
 */
export function discoverLinks(version: LwM2mVersion, objects: readonly DiscoveredObject[]): string {
  const links = formatLinks(objects.flatMap(objectLinks));
  // 1.0 writes the version of the enabler without a link.
  const root = isSince(version, "1.1") ? `</>;lwm2m=${version}` : `lwm2m="${version}"`;
  return links === "" ? root : `${root},${links}`;
}

function objectLinks({ definition, instances }: DiscoveredObject): Link[] {
  const version = versionEntry(definition.version);
  const isNeeded = version.length > 0 || instances.length === 0;
  return [
    ...(isNeeded ? [{ path: formatPath([definition.id]), attributes: new Map(version) }] : []),
    ...instances.map(({ id, shortServerId, uri }) => ({
      path: formatPath([definition.id, id]),
      attributes: new Map<string, string | number>([
        ...(shortServerId === undefined ? [] : [["ssid", shortServerId] as const]),
        ...(uri === undefined ? [] : [["uri", uri] as const]),
      ]),
    })),
  ];
}
