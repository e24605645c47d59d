import { protocolsByScheme } from "./definition.js";

/** Longer ones do not fit into the Resource, OMA registry Object 5. */
export const MAX_URI_BYTES = 255;

/** The scheme, lower case and without the colon; undefined when there is none. */
export const schemeOf = (uri: string): string | undefined =>
  /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1]?.toLowerCase();

/**
 * Why a package cannot be fetched from `uri`, as far as its text says.
 * @param schemes those that are served; undefined when that is not ours to say
 */
export function uriFault(
  uri: string,
  schemes: ReadonlySet<string> | undefined,
): "invalid-uri" | "unsupported-protocol" | undefined {
  const scheme = schemeOf(uri);
  if (scheme === undefined || !isUriText(uri)) return "invalid-uri";
  if (schemes !== undefined && !schemes.has(scheme)) return "unsupported-protocol";
  // RFC 7252 §6.1, RFC 9110 §4.2: these schemes name a host. `URL` would find one in `http:a` or `http:///a` too.
  if (protocolsByScheme.has(scheme) && !/^[^:]+:\/\/[^/?#]/.test(uri)) return "invalid-uri";
  return URL.canParse(uri) ? undefined : "invalid-uri";
}

/** RFC 3986 §2: what is not in its character set has to be percent-encoded. `URL` would quietly repair it. */
const isUriText = (uri: string) =>
  /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/.test(uri) && !/%(?![0-9A-Fa-f]{2})/.test(uri);
