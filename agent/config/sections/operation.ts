/** How the running service is watched and talked to. */
import { absolutePath, choice, section, text, wholeNumber } from "../values.js";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export const logFormats = ["auto", "json", "journal", "pretty"] as const;

/** HTTP. What listens there answers whoever can reach it, so it is reached from this device only. */
const localPort = (what: string) =>
  section({
    port: wholeNumber(1, 65_535).describe(`TCP port of ${what}.`),
    address: text({
      expected:
        "127.0.0.1 or ::1: there is no password, so it is for this device alone; from elsewhere through ssh -L or a proxy of yours",
      pattern: /^(127\.0\.0\.1|::1)$/,
    })
      .optional()
      .describe("127.0.0.1 or ::1; 127.0.0.1 when not given."),
  });

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
  metrics: localPort("GET /metrics")
    .optional()
    .describe("OpenMetrics over HTTP, from this device only; off when not given."),
  statusPage: localPort("the page")
    .optional()
    .describe("A page for technicians over HTTP, from this device only; off when not given."),
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
