/** Where files are kept. */
import { absolutePath, section } from "../values.js";

export const directoryKeys = {
  directories: section({
    state: absolutePath().optional().describe("Durable records; $STATE_DIRECTORY, or /var/lib/lwm2m-agent."),
    cache: absolutePath()
      .optional()
      .describe("Packages on their way; $CACHE_DIRECTORY, or /var/cache/lwm2m-agent."),
    runtime: absolutePath()
      .optional()
      .describe("The control socket; $RUNTIME_DIRECTORY, or /run/lwm2m-agent."),
  })
    .optional()
    .describe("Where files are kept. They survive a firmware update only outside of what it replaces."),
};
