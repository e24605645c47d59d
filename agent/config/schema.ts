/** The configuration as a whole: one schema for types, checks and the JSON Schema that editors use. */
import { z } from "zod";
import { boardKeys } from "./sections/board.js";
import { directoryKeys } from "./sections/directories.js";
import { downloadKeys } from "./sections/downloads.js";
import { extensionKeys } from "./sections/extensions.js";
import { firmwareKeys } from "./sections/firmware.js";
import { operationKeys } from "./sections/operation.js";
import { registrationKeys } from "./sections/registration.js";
import { serverKeys } from "./sections/servers.js";

/** In the order in which people read them. */
export const configKeys = {
  ...registrationKeys,
  ...serverKeys,
  ...boardKeys,
  ...firmwareKeys,
  ...downloadKeys,
  ...extensionKeys,
  ...directoryKeys,
  ...operationKeys,
};

export const configSchema = z.strictObject(configKeys);

/** What the operator said, checked; nothing is filled in yet. */
export type StatedConfig = z.output<typeof configSchema>;

export type JsonSchema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly description?: string;
};

/** For editors: what may be written, before units are turned into numbers. */
export const createJsonSchema = () => ({
  title: "Configuration of lwm2m-agent",
  ...(z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema),
});
