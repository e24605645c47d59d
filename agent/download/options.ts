/** How packages are fetched: what an operator may want to be different. Plain data; whatever is not given has a default. */
import { ConfigError } from "../model/errors.js";
import { type Millis, seconds } from "../ports.js";
import { type DownloadWindow, windowFault } from "./window.js";

export type DownloadProtocol = "coap" | "http" | "https";

export interface DownloadOptions {
  /** URI schemes that are served (/5/0/8): all of them. */
  readonly protocols?: readonly DownloadProtocol[];
  /** Until a connection stands, the name, the proxy and TLS included: 30 s. */
  readonly connectTimeout?: Millis;
  /** How long a sender may take for the next bytes: 30 s. */
  readonly stallTimeout?: Millis;
  /**
   * Bytes per second, on average over `stallTimeout`, below which a sender counts as silent: 10. CoAP has timeouts of its
   * own for each block.
   */
  readonly minimumRate?: number;
  /** For one download with all its attempts and the waits between them, closed windows aside: 24 h. */
  readonly totalTime?: Millis;
  /** Redirections that one request may take: 10, which is also the most. */
  readonly redirects?: number;
  /** Failures in a row, without any progress in between, after which a download is given up: 5. */
  readonly attempts?: number;
  /** The longest wait after the first failure; it doubles with each: 2 s. */
  readonly retryDelay?: Millis;
  /** The longest wait between two attempts, whatever the sender asks for: 15 min. */
  readonly maximumRetryDelay?: Millis;
  /** Bytes of the file system of the packages that stay free, so that state can still be written: 16 MiB. */
  readonly reservedSpace?: number;
  /** Bytes per second that all downloads together may take: no limit. */
  readonly bandwidthLimit?: number;
  /** Maintenance hours: outside of all of them downloads wait, or pause. At any time when there are none. */
  readonly windows?: readonly DownloadWindow[];
  /** A download begins after a random part of this, so that a fleet does not come as one: 0. */
  readonly startDelay?: Millis;
  readonly tls?: DownloadTlsOptions;
  /** `environment`, which is the default, takes http_proxy, https_proxy, all_proxy and no_proxy; never for this device. */
  readonly proxy?: "environment" | "none" | DownloadProxyOptions;
}

export interface DownloadTlsOptions {
  /** PEM file of the authorities that are trusted for https, in the place of those of the system. */
  readonly authoritiesFile?: string;
  /** PEM file of our certificate, and of those between it and its authority; `keyFile` goes with it. */
  readonly certificateFile?: string;
  /** PEM file of the private key of `certificateFile`. */
  readonly keyFile?: string;
  /**
   * SHA-256 of the public keys (SubjectPublicKeyInfo) that servers may have, in base64 with or without `sha256//`, as curl
   * and RFC 7469 write it, or in hexadecimal. One of them is enough; the certificate has to be trusted beside that.
   */
  readonly pinnedKeys?: readonly string[];
}

export interface DownloadProxyOptions {
  /** `http://[user:password@]host[:port]` or the same with https. */
  readonly url: string;
  /** Hosts that are reached without it: names with all that ends in them, addresses, networks as 10.0.0.0/8, or `*`. */
  readonly bypass?: readonly string[];
}

/** What bounds one download, whatever it comes by. */
export type DownloadLimits = Required<
  Pick<
    DownloadOptions,
    | "connectTimeout"
    | "stallTimeout"
    | "minimumRate"
    | "totalTime"
    | "redirects"
    | "attempts"
    | "retryDelay"
    | "maximumRetryDelay"
  >
>;

export const defaultDownloadLimits: DownloadLimits = {
  connectTimeout: seconds(30),
  stallTimeout: seconds(30),
  minimumRate: 10,
  totalTime: seconds(24 * 60 * 60),
  redirects: 10,
  attempts: 5,
  retryDelay: seconds(2),
  maximumRetryDelay: seconds(15 * 60),
};

/** @throws ConfigError naming each option that makes no sense */
export function checkDownloadOptions(options: DownloadOptions): void {
  const { windows = [], tls = {}, redirects = 0 } = options;
  const faults = [
    ...positive.filter((name) => !((options[name] ?? 1) > 0)).map((name) => `${name} has to be above 0`),
    ...notNegative.filter((name) => !((options[name] ?? 0) >= 0)).map((name) => `${name} cannot be negative`),
    ...(redirects > defaultDownloadLimits.redirects ? ["redirects can be 10 at most"] : []),
    ...windows.flatMap((window) => windowFault(window) ?? []),
    ...((tls.certificateFile === undefined) === (tls.keyFile === undefined)
      ? []
      : ["tls.certificateFile and tls.keyFile go together: give both or none"]),
    ...(tls.pinnedKeys ?? [])
      .filter((pin) => parsePin(pin) === undefined)
      .map((pin) => `tls.pinnedKeys: "${pin}" is no SHA-256 in base64 or hexadecimal`),
  ];
  if (faults.length > 0) throw new ConfigError(`downloads: ${faults.join("; ")}`);
}

const positive = [
  "connectTimeout",
  "stallTimeout",
  "totalTime",
  "attempts",
  "retryDelay",
  "maximumRetryDelay",
  "bandwidthLimit",
] as const;
const notNegative = ["minimumRate", "redirects", "reservedSpace", "startDelay"] as const;

/** Lower-case hexadecimal; undefined for what is no SHA-256. */
export function parsePin(pin: string): string | undefined {
  const text = pin.replace(/^sha256\/{1,2}/, "");
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text)) return undefined;
  const bytes = atob(text.padEnd(44, "="));
  return Array.from(bytes, (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
