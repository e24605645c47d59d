import type { Request } from "../coap/exchange-types.js";
import { PackageError } from "../ports.js";

/** Where a package is, from a CoAP URI. */
export interface PackageUri {
  readonly scheme: string;
  /** Name or numeric address, IPv6 without brackets. */
  readonly host: string;
  /** undefined: the one of the scheme. */
  readonly port: number | undefined;
  readonly request: Request;
  /** The URI without its query, which may be a secret. */
  readonly name: string;
}

/**
 * RFC 7252 §6.4: a URI as options.
 * @throws PackageError `invalid-uri` or `unsupported-protocol`
 */
export function parsePackageUri(
  uri: string,
  schemes: readonly string[],
  { sendsUriHost = true }: { readonly sendsUriHost?: boolean } = {},
): PackageUri {
  const invalid = (reason: string, cause?: unknown) =>
    new PackageError("invalid-uri", `the package URI ${reason}`, { cause });
  if (!URL.canParse(uri)) throw invalid("is malformed");
  const url = new URL(uri);
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.includes(scheme)) {
    throw new PackageError("unsupported-protocol", `packages are not fetched by ${scheme} here`);
  }
  if (url.hostname === "") throw invalid("names no host");
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    throw invalid("has parts that a CoAP URI cannot have");
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  try {
    const path = segmentsOf(url.pathname);
    const query = url.search === "" ? [] : url.search.slice(1).split("&").map(decodeURIComponent);
    if ([...path, ...query].some(isTooLong)) throw invalid("has a part of more than 255 bytes");
    const named = sendsUriHost && !host.includes(":") && !/^[\d.]+$/.test(host);
    return {
      scheme,
      host,
      port: url.port === "" ? undefined : Number(url.port),
      request: { method: "GET", path, query, ...(named && { host }) },
      name: `${url.protocol}//${url.host}${url.pathname}`,
    };
  } catch (cause) {
    if (cause instanceof PackageError) throw cause;
    throw invalid("is not percent-encoded UTF-8", cause);
  }
}

/** @throws URIError for what stands for no text */
const segmentsOf = (pathname: string): string[] =>
  pathname === "" || pathname === "/" ? [] : pathname.slice(1).split("/").map(decodeURIComponent);

/** RFC 7252 §5.10. */
const isTooLong = (text: string) => new TextEncoder().encode(text).length > 255;
