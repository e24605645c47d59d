import type { ObjectDefinition } from "../../agent/model/definition.js";
import { AccessControl } from "../access-control.js";
import { Oscore } from "../oscore.js";
import { Security } from "../security.js";
import { Server } from "../server.js";

/** The Objects that only make sense together: what they hold is one record on disk. */
export const accountDefinitions: ReadonlyMap<number, ObjectDefinition> = new Map<number, ObjectDefinition>(
  [Security, Server, AccessControl, Oscore].map((definition) => [definition.id, definition]),
);
