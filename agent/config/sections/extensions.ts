/** Objects and plugins beside those that are always there. */
import { z } from "zod";
import { absolutePath, duration, filePath, list, section, wholeNumber } from "../values.js";

export const objectIds = [6, 16, 19, 22] as const;

export const extensionKeys = {
  objects: list(
    z.union([z.literal(objectIds), filePath()], {
      error: `an Object that comes with the agent (${objectIds.join(", ")}) or the path of a definition file (XML)`,
    }),
    64,
    "Objects",
  )
    .optional()
    .describe(
      "Objects by number (6 Location, 16 Portfolio, 19 BinaryAppDataContainer, 22 Virtual Observe Notify) or definition file.",
    ),
  configurationObjectId: wholeNumber(1, 65_534)
    .optional()
    .describe("Number of the Configuration Object; 42769 when not given."),
  plugins: list(filePath(), 64, "plugins")
    .optional()
    .describe("Modules that export `plugin`; relative paths count from the folder of this file."),
  scripts: list(
    section({
      object: z
        .union([wholeNumber(1, 65_534), filePath()], {
          error: "the number of an Object or the path of its definition file (XML)",
        })
        .describe("Definition file of the OMA registry; 3303 stands for 3303.xml beside this file."),
      instances: list(wholeNumber(0, 65_534), 64, "Object Instance IDs")
        .optional()
        .describe("Object Instances that there are; 0 when not given."),
      resources: list(wholeNumber(0, 65_534), 256, "Resource IDs")
        .optional()
        .describe("Resources that the program knows; all of the definition when not given."),
      program: absolutePath().describe("The executable that reads, writes and executes them."),
      pollInterval: duration(1, 86_400)
        .optional()
        .describe("How often values are read while a Server observes; 60 s when not given."),
      timeLimit: duration(1, 300)
        .optional()
        .describe("After it a run of the program is ended; 10 s when not given."),
    }),
    64,
    "scripts",
  )
    .optional()
    .describe("Objects whose values come from a program; see docs/plugins.md."),
  pluginDirectory: absolutePath()
    .optional()
    .describe(
      "Every .js, .mjs and .ts file of this folder is a plugin, too, by name; /etc/lwm2m-agent/plugins.d when not given.",
    ),
  pluginTimeLimit: duration(1, 3600)
    .optional()
    .describe("A callback of a plugin that takes longer is given up; 30 s when not given."),
  pluginUpdateTimeLimit: duration(1, 30 * 86_400)
    .optional()
    .describe("The same for packageUriWritten and updateExecuted, which may be long; 1 d when not given."),
};
