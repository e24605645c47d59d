/** How packages are fetched. */
import { z } from "zod";
import { weekdays } from "../../download/window.js";
import {
  absolutePath,
  choice,
  duration,
  list,
  secretSource,
  section,
  size,
  text,
  wholeNumber,
} from "../values.js";

const timeOfDay = () =>
  text({ expected: 'a time of day as "22:30"', pattern: /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/ });
const pin = "a SHA-256 of a public key, in base64 or hexadecimal";
const proxyUrl = "an address as http://host:port; user and password have keys of their own";
const day = 86_400;

export const downloadKeys = {
  downloads: section({
    protocols: list(choice("coap", "http", "https"), 3, "protocols")
      .optional()
      .describe("URI schemes that are served; all of them when not given."),
    connectTimeout: duration(1, 3600).optional().describe("Until a connection stands; 30 s when not given."),
    stallTimeout: duration(1, day)
      .optional()
      .describe("How long a sender may take for the next bytes; 30 s when not given."),
    minimumRate: wholeNumber(0, 1_000_000_000)
      .optional()
      .describe("Bytes per second below which a sender counts as silent; 10 when not given."),
    totalTime: duration(1, 365 * day)
      .optional()
      .describe("For one download with all its attempts; 1 d when not given."),
    redirects: wholeNumber(0, 10).optional().describe("Redirections that are followed; 10 when not given."),
    attempts: wholeNumber(1, 1000)
      .optional()
      .describe("Failures in a row after which it is given up; 5 when not given."),
    retryDelay: duration(1, day)
      .optional()
      .describe("After the first failure, at most; doubles with each. 2 s when not given."),
    maximumRetryDelay: duration(1, day)
      .optional()
      .describe("Between two attempts, at most; 15 min when not given."),
    reservedSpace: size(0)
      .optional()
      .describe("Of the file system of the packages, stays free; 16 MiB when not given."),
    bandwidthLimit: size(1)
      .optional()
      .describe("Bytes per second of all downloads together; no limit when not given."),
    windows: list(
      section({
        days: list(z.enum(weekdays, { error: `one of ${weekdays.join(", ")}` }), 7, "days")
          .optional()
          .describe("On which it opens; every day when not given."),
        from: timeOfDay().describe("When it opens, in the local time of the device."),
        to: timeOfDay().describe("When it closes; not after `from` means on the next day."),
      }),
      32,
      "windows",
    )
      .optional()
      .describe("Maintenance hours: outside of all of them downloads wait."),
    startDelay: duration(0, day).optional().describe("A download begins after a random part of this."),
    tls: section({
      authoritiesFile: absolutePath()
        .optional()
        .describe("PEM file of the authorities that are trusted, in place of the system's."),
      certificateFile: absolutePath().optional().describe("PEM file of our certificate."),
      key: secretSource().optional().describe("PEM of its private key: a file, or a credential of systemd."),
      pinnedKeys: list(
        text({ expected: pin, pattern: /^(sha256\/{1,2})?([A-Za-z0-9+/]{43}=?|[0-9A-Fa-f]{64})$/ }),
        32,
        "pins",
      )
        .optional()
        .describe("SHA-256 of the public keys that servers may have; one of them is enough."),
    })
      .optional()
      .describe("TLS of https."),
    proxy: z
      .union(
        [
          z.enum(["environment", "none"]),
          section({
            url: text({ expected: proxyUrl, pattern: /^https?:\/\/[^/@\s]+\/?$/ }).describe("Where it is."),
            bypass: list(text({ expected: "a name, an address or a network" }), 64, "hosts")
              .optional()
              .describe("Hosts that are reached without it."),
            user: text({ expected: "a name", maximum: 255 }).optional().describe("Who we are to it."),
            password: secretSource()
              .optional()
              .describe("Goes with user: a file, or a credential of systemd."),
          }),
        ],
        { error: '"environment", "none", or a section with url' },
      )
      .optional()
      .describe("The proxy for http and https; as http_proxy and its like say when not given."),
  })
    .optional()
    .describe("How packages are fetched."),
};
