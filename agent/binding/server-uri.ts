import { ConfigError } from "../model/errors.js";

/** Where a Server is, from `coap://host[:port][/path]`. */
export interface ServerUri {
  /** Name or numeric address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Segments that go before `rd`. */
  readonly path: readonly string[];
}

/** RFC 7252 §6.1. */
const defaultPort = 5683;

/**
 * @throws ConfigError saying what is wrong and what a URI looks like
 */
export function parseServerUri(text: string): ServerUri {
  const hint = "a server address looks like coap://host:5683";
  if (!URL.canParse(text)) throw new ConfigError(`"${text}" is not a URI: ${hint}`);
  const url = new URL(text);
  if (url.protocol !== "coap:") {
    throw new ConfigError(`the scheme "${url.protocol.slice(0, -1)}" of "${text}" is not supported: ${hint}`);
  }
  if (url.hostname === "") throw new ConfigError(`"${text}" names no host: ${hint}`);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ConfigError(`"${text}" has parts that a server address cannot have: ${hint}`);
  }
  const port = url.port === "" ? defaultPort : Number(url.port);
  if (port === 0) throw new ConfigError(`"${text}" has the port 0: ${hint}`);
  try {
    return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, path: segmentsOf(url.pathname) };
  } catch (cause) {
    throw new ConfigError(`the path of "${text}" is not percent-encoded UTF-8`, { cause });
  }
}

/** @throws URIError for what stands for no text */
const segmentsOf = (pathname: string): string[] =>
  pathname
    .split("/")
    .filter((segment) => segment !== "")
    .map(decodeURIComponent);
