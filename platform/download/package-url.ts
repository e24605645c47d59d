import { PackageError } from "../../agent/ports.js";

/** The schemes of this downloader, as a URI writes them. */
export const schemes = ["http", "https"] as const;

/** @throws PackageError `invalid-uri` or `unsupported-protocol` */
export function parsePackageUrl(uri: string, served: readonly string[] = schemes): URL {
  if (!URL.canParse(uri)) throw new PackageError("invalid-uri", "the package URI is malformed");
  const url = new URL(uri);
  return served.some((scheme) => url.protocol === `${scheme}:`) ? url : refuseScheme(url, served);
}

/**
 * Where a redirection leads. The user and password of `from` go with it only to the same host.
 * @param visited the URLs on the way here, `from` included
 * @throws PackageError when it leads nowhere, in a circle, or out of TLS
 */
export function redirectTarget(from: URL, location: string | undefined, visited: readonly string[]): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new PackageError("invalid-uri", `${display(from)} redirects to no usable address`);
  }
  const target = new URL(location, from);
  if (!isServed(target)) return refuseScheme(target);
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw new PackageError(
      "invalid-uri",
      `${display(from)} redirects to ${display(target)}, which is not protected by TLS`,
    );
  }
  if (target.origin === from.origin && target.username === "") {
    target.username = from.username;
    target.password = from.password;
  }
  if (visited.includes(target.href)) {
    throw new PackageError("invalid-uri", `${display(from)} redirects in a circle`);
  }
  return target;
}

/** For messages and logs: a query may be a signature, and the user part is a password. */
export const display = ({ protocol, host, pathname }: URL): string => `${protocol}//${host}${pathname}`;

const isServed = ({ protocol }: URL) => schemes.some((scheme) => protocol === `${scheme}:`);

function refuseScheme({ protocol }: URL, served: readonly string[] = schemes): never {
  const scheme = protocol.slice(0, -1);
  throw new PackageError(
    "unsupported-protocol",
    `packages are not fetched by ${scheme}, only by ${served.join(" or ")}`,
  );
}
