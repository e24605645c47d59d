/** Which proxy is on the way to a server: from the configuration, or from the variables that every Linux program knows. */
import { BlockList, isIP } from "node:net";
import type { DownloadOptions } from "../../agent/download/options.js";
import { ConfigError } from "../../agent/model/errors.js";

/** The proxy on the way to a URL; undefined when there is none. */
export type ProxyFor = (url: URL) => URL | undefined;

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError when an address of a proxy is none */
export function createProxyChoice(
  proxy: DownloadOptions["proxy"] = "environment",
  environment: Environment = {},
): ProxyFor {
  if (proxy === "none") return () => undefined;
  if (proxy === "environment") return fromEnvironment(environment);
  const url = parseProxy("downloads.proxy.url", proxy.url);
  const isBypassed = bypass(proxy.bypass ?? []);
  return (target) => (isBypassed(target) ? undefined : url);
}

/** What is on this device is never where its environment wants a proxy, as Go has it, too. */
const loopback = ["localhost", "127.0.0.0/8", "::1"];

function fromEnvironment(environment: Environment): ProxyFor {
  const find = (...names: readonly string[]) => {
    const name = names.find((one) => (environment[one] ?? "") !== "");
    return name === undefined ? undefined : parseProxy(name, environment[name] ?? "");
  };
  // HTTP_PROXY is not among them: a CGI program may have it from a request, so curl and others ignore it as well.
  const all = find("all_proxy", "ALL_PROXY");
  const proxies = {
    "http:": find("http_proxy") ?? all,
    "https:": find("https_proxy", "HTTPS_PROXY") ?? all,
  };
  const entries = environment["no_proxy"] ?? environment["NO_PROXY"] ?? "";
  const isBypassed = bypass([...loopback, ...entries.split(/[\s,]+/).filter((entry) => entry !== "")]);
  return (target) =>
    isBypassed(target) ? undefined : proxies[target.protocol === "https:" ? "https:" : "http:"];
}

function parseProxy(source: string, text: string): URL {
  // `proxy.example.com:3128`, as curl takes it, would be a URL with a scheme of that name.
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const hint = "a proxy looks like http://proxy.example.com:3128";
  if (!URL.canParse(withScheme)) throw new ConfigError(`${source} is no address of a proxy: ${hint}`);
  const url = new URL(withScheme);
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  throw new ConfigError(`${source}: a proxy is spoken to by http or https, not by ${url.protocol} ${hint}`);
}

/** Is a URL reached without a proxy? The list is made for the first one: most starts see no download. */
function bypass(entries: readonly string[]): (url: URL) => boolean {
  let isBypassed: ((url: URL) => boolean) | undefined;
  return (url) => {
    isBypassed ??= readBypass(entries);
    return isBypassed(url);
  };
}

function readBypass(entries: readonly string[]): (url: URL) => boolean {
  const addresses = new BlockList();
  const names: string[] = [];
  for (const entry of entries) {
    if (!addAddress(addresses, entry)) names.push(entry.toLowerCase().replace(/^\*?\./, ""));
  }
  return (url) => {
    if (names.includes("*")) return true;
    const host = hostOf(url);
    const version = isIP(host);
    if (version !== 0)
      return addresses.check(host, version === 6 ? "ipv6" : "ipv4") || names.includes(url.host);
    return names.some((name) => [host, url.host].some((one) => one === name || one.endsWith(`.${name}`)));
  };
}

/** @returns false for what is no address and no network */
function addAddress(addresses: BlockList, entry: string): boolean {
  const [, address = "", prefix] = /^\[?([0-9a-f:.]+)\]?(?:\/(\d{1,3}))?$/i.exec(entry) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  if (prefix === undefined) addresses.addAddress(address, family);
  else if (Number(prefix) <= (version === 6 ? 128 : 32)) addresses.addSubnet(address, Number(prefix), family);
  else return false;
  return true;
}

/** Without the brackets of an IPv6 address. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1");

/** `user:password` of a URL; undefined when it has neither. @throws URIError when it is badly encoded */
export const credentialsOf = ({ username, password }: URL): string | undefined =>
  username === "" && password === ""
    ? undefined
    : `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
