/** How packages are fetched, in the words of `createAgent`; secrets are looked at here, and come from files only. */
import { readSecret, type SecretContext, secretFile } from "../config/secrets.js";
import type { ServiceConfig } from "../config/service-config.js";
import type { DownloadOptions } from "../main.js";
import { type Millis, seconds } from "../ports.js";
import { type Given, given } from "./given.js";

export type SecretSurroundings = Omit<SecretContext, "key">;

type DownloadConfig = NonNullable<ServiceConfig["stated"]["downloads"]>;

const times = [
  "connectTimeout",
  "stallTimeout",
  "totalTime",
  "retryDelay",
  "maximumRetryDelay",
  "startDelay",
] as const;

/** @throws ConfigError when a secret cannot be had, or is open to others */
export async function downloadOptions(
  downloads: DownloadConfig,
  secrets: SecretSurroundings,
): Promise<DownloadOptions> {
  const { protocols, minimumRate, redirects, attempts, reservedSpace, bandwidthLimit, windows, tls, proxy } =
    downloads;
  return {
    ...given(
      Object.fromEntries(times.map((name) => [name, timeOf(downloads[name])])) as Record<
        (typeof times)[number],
        Millis | undefined
      >,
    ),
    ...given({
      ...{ protocols, minimumRate, redirects, attempts, reservedSpace, bandwidthLimit },
      windows: windows?.map(({ days, from, to }) => ({ from, to, ...given({ days }) })),
      tls: tls && (await tlsOptions(tls, secrets)),
      proxy: typeof proxy === "object" ? await proxyOptions(proxy, secrets) : proxy,
    }),
  };
}

const timeOf = (value: number | undefined): Millis | undefined =>
  value === undefined ? undefined : seconds(value);

async function tlsOptions(
  { key, authoritiesFile, certificateFile, pinnedKeys }: NonNullable<DownloadConfig["tls"]>,
  secrets: SecretSurroundings,
): Promise<Given<NonNullable<DownloadOptions["tls"]>>> {
  return given({
    ...{ authoritiesFile, certificateFile, pinnedKeys },
    keyFile: key && (await secretFile(key, { ...secrets, key: "downloads.tls.key" })),
  });
}

async function proxyOptions(
  { url, bypass, user, password }: Exclude<NonNullable<DownloadConfig["proxy"]>, string>,
  secrets: SecretSurroundings,
): Promise<Exclude<NonNullable<DownloadOptions["proxy"]>, string>> {
  const complete = new URL(url);
  if (user !== undefined) complete.username = encodeURIComponent(user);
  if (password !== undefined) {
    const secret = await readSecret(password, { ...secrets, key: "downloads.proxy.password" });
    complete.password = encodeURIComponent(Buffer.from(secret).toString("utf8"));
  }
  return { url: complete.href, ...given({ bypass }) };
}
