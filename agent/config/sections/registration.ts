/** How this device presents itself to every Server. */
import { z } from "zod";
import { duration, flag, list, section, text, wholeNumber } from "../values.js";

const versions = ["1.0", "1.1", "1.2"] as const;

/** YAML reads 1.1 as a number; both ways of writing mean the same. */
const version = () =>
  z
    .union([z.enum(versions), z.literal([1, 1.1, 1.2])], { error: "a version of LwM2M: 1.0, 1.1 or 1.2" })
    .transform((value) =>
      typeof value === "number" ? (value.toFixed(1) as (typeof versions)[number]) : value,
    );

export const registrationKeys = {
  endpointName: text({ expected: "a name of 1 to 252 bytes", maximum: 252 })
    .optional()
    .describe(
      "What Servers know this device by. The host name, made unique where it is a common one, when not given.",
    ),
  version: version().optional().describe("The newest version of LwM2M to offer; 1.2 when not given."),
  minimumVersion: version().optional().describe("How far down Servers may negotiate; 1.0 when not given."),
  queueMode: flag()
    .optional()
    .describe("The device sleeps between its messages, and Servers keep for it what they have to say."),
  awakeTime: duration(1, 86_400)
    .optional()
    .describe("In queue mode: how long the device listens after a message; 93 s when not given."),
  profile: section({
    id: text({ expected: "a Profile ID such as v:my-profile or 6:1234abcd" }).describe(
      "The Profile ID to register with.",
    ),
    uncovered: list(wholeNumber(0, 65_534), 256, "Object IDs")
      .optional()
      .describe("Objects that the profile does not cover."),
  })
    .optional()
    .describe("LwM2M 1.2: a Profile ID in place of the list of Objects."),
  keepAlive: duration(1, 86_400)
    .optional()
    .describe("An Update at least so often, for a NAT on the way that forgets."),
  startSpread: duration(0, 86_400)
    .optional()
    .describe(
      "The first Register waits for a random time up to this, so that a fleet does not come all at once.",
    ),
  resumeRegistrations: flag()
    .optional()
    .describe(
      "Take up the registrations of an earlier run with an Update; true when not given. false: each start is a new Register.",
    ),
  defaultContentFormat: z
    .literal([112, 11_544], { error: "112 (SenML CBOR) or 11544 (LwM2M CBOR)" })
    .optional()
    .describe(
      "What a Read or Observe that asks for no format gets: 112 (SenML CBOR) when not given, or 11544 (LwM2M CBOR) from LwM2M 1.2 on.",
    ),
  localPort: wholeNumber(1, 65_535)
    .optional()
    .describe("UDP port of this device; a free one when not given."),
  coap: section({
    ackTimeout: duration(1, 120)
      .optional()
      .describe("ACK_TIMEOUT; 4 to 15 s over NB-IoT. 2 s when not given."),
    maxRetransmit: wholeNumber(0, 20).optional().describe("MAX_RETRANSMIT; 4 when not given."),
    blockSize: z
      .literal([16, 32, 64, 128, 256, 512, 1024], { error: "one of 16, 32, 64, 128, 256, 512, 1024" })
      .optional()
      .describe("Bytes of a block; 1024 when not given."),
    sendsUriHost: flag()
      .optional()
      .describe("Say the name of the Server in requests to it; true when not given."),
  })
    .optional()
    .describe("CoAP on slow or lossy networks."),
};
