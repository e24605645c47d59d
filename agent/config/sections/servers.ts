/** Whom the device talks to, and what they may do. Names and meanings are those of Objects 0, 1 and 2. */
import { z } from "zod";
import { parseServerUri } from "../../binding/server-uri.js";
import { ConfigError } from "../../model/errors.js";
import { duration, flag, list, section, text, wholeNumber } from "../values.js";

const expectedUri = "the address of a Server, such as coap://lwm2m.example.com:5683";

/** What is wrong with it says the message after the expectation, see `hintOf` in `check.ts`. */
const serverUri = () =>
  text({ expected: expectedUri, maximum: 255 }).refine((uri) => whyNoServerUri(uri) === undefined, {
    error: expectedUri,
  });

/** Why it cannot be the address of a Server; undefined when it can. */
export function whyNoServerUri(uri: string): string | undefined {
  if (/^coaps(\+tcp)?:/i.test(uri)) {
    return "Security with DTLS or TLS (coaps) is not part of this version: use coap:// on a network that you trust";
  }
  if (/^(coap\+tcp|mqtts?|https?):/i.test(uri)) return "This version speaks CoAP over UDP: use coap://";
  if (!uri.includes("://")) return `Say coap://${uri}`;
  if (/:\/\/[^/]*@/.test(uri)) return "An address holds no user and no password";
  try {
    parseServerUri(uri);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError)
      return `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    throw error;
  }
}

const server = section({
  uri: serverUri().describe("Where the Server is: coap://host[:port]."),
  shortServerId: wholeNumber(1, 65_534)
    .optional()
    .describe("Different for each Server; its place in the list, from 1, when not given."),
  lifetime: duration(0).optional().describe("Of the registration; 1 d when not given, 0 is for ever."),
  notificationStoring: flag()
    .optional()
    .describe("Keep notifications while the Server is away; true when not given."),
  defaultMinimumPeriod: duration(0).optional().describe("Between two notifications, at least."),
  defaultMaximumPeriod: duration(0).optional().describe("Between two notifications, at most."),
  disableTimeout: duration(0).optional().describe("How long Disable lasts; 1 d when not given."),
  registrationPriorityOrder: wholeNumber(0, 4_294_967_295)
    .optional()
    .describe("Servers with lower numbers come first; those without a number register by themselves."),
  initialRegistrationDelay: duration(0).optional().describe("Before the first Register."),
  registrationFailureBlock: flag()
    .optional()
    .describe("When this Server cannot be registered with, the next ones wait."),
  bootstrapOnRegistrationFailure: flag()
    .optional()
    .describe("Ask the Bootstrap-Server when this Server cannot be registered with; true when not given."),
  retryCount: wholeNumber(1, 1_000_000).optional().describe("Attempts in one sequence; 5 when not given."),
  retryTimer: duration(0)
    .optional()
    .describe("After the first failed attempt; doubles with each. 1 min when not given."),
  sequenceDelayTimer: duration(0)
    .optional()
    .describe("Between two sequences of attempts; 1 d when not given."),
  sequenceRetryCount: wholeNumber(1, 1_000_000)
    .optional()
    .describe("Sequences before it counts as failed; 1 when not given."),
  muteSend: flag().optional().describe("Send nothing of our own to this Server."),
  confirmableNotifications: flag()
    .optional()
    .describe("Notifications are confirmable unless a Server says otherwise."),
});

const accessMask = "a sum of 1 Read, 2 Write, 4 Execute, 8 Delete, 16 Create";

export const serverKeys = {
  servers: list(server, 32, "Servers").optional().describe("The Servers that this device registers with."),
  bootstrapServer: section({
    uri: serverUri().describe("Where the Bootstrap-Server is: coap://host[:port]."),
    holdOff: duration(0).optional().describe("Before a Bootstrap-Request, to let the Server begin."),
    accountTimeout: duration(0)
      .optional()
      .describe("After a bootstrap the account is removed; never when not given or 0."),
  })
    .optional()
    .describe("Whom to ask for Servers when there are none, or when they fail."),
  accessControl: list(
    section({
      objectId: wholeNumber(0, 65_534).describe("The Object that this is about."),
      objectInstanceId: wholeNumber(0, 65_534)
        .optional()
        .describe("Its instance; without it this is about creating instances."),
      owner: wholeNumber(1, 65_534).optional().describe("Short Server ID of who may change the entry."),
      acl: z
        .record(
          z.string().regex(/^(0|[1-9]\d{0,4})$/, { error: "a Short Server ID, or 0 for all others" }),
          z.int({ error: accessMask }).min(0, { error: accessMask }).max(31, { error: accessMask }),
          { error: `Short Server IDs, each with ${accessMask}` },
        )
        .describe(`By Short Server ID, 0 for all others: ${accessMask}.`),
    }),
    256,
    "entries",
  )
    .optional()
    .describe("What each of several Servers may do. Without any entry all of them may do everything."),
};
