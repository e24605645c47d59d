/** How the running service is watched and talked to. */
import { absolutePath, choice, section, text } from "../values.js";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export const logFormats = ["auto", "json", "journal", "pretty"] as const;

export const operationKeys = {
  log: section({
    level: choice(...logLevels)
      .optional()
      .describe("From which level on; info when not given. May be changed while it runs."),
    format: choice(...logFormats)
      .optional()
      .describe(
        "`json`, `journal` (JSON with priorities), `pretty` for people; `auto` chooses by where it goes.",
      ),
  })
    .optional()
    .describe("The log, on standard error."),
  control: section({
    socket: absolutePath()
      .optional()
      .describe("Where `lwm2m-agent status` finds the service; control.sock of the runtime folder."),
    group: text({ expected: "the name of a group", pattern: /^[a-z_][a-z0-9_-]{0,31}$/ })
      .optional()
      .describe("Its members may talk to the service, beside its own user and root."),
  })
    .optional()
    .describe("The control socket."),
};
