/** `lwm2m-agent check`: what would go wrong, before it goes wrong. */
import type { CommandModule } from "yargs";
import { createLog } from "../../platform/log.js";
import { readConfig } from "../config/load.js";
import { formatProblem } from "../config/problem.js";
import type { Finding } from "../ports.js";
import { type ConfigFlags, configSources, withConfigFlags } from "./config-flags.js";
import { exitCodes } from "./failure.js";
import { print, printJson } from "./service-client.js";

interface CheckFlags extends ConfigFlags {
  readonly json: boolean;
  readonly "json-schema": boolean;
}

export const checkCommand: CommandModule<object, CheckFlags> = {
  command: "check",
  describe: "Look for what would go wrong: configuration, rights, board",
  builder: (yargs) =>
    withConfigFlags(yargs)
      .usage(
        "$0 check\n\nLists every fault of the configuration at once, with its place and a remedy; then looks at the rights, the\n" +
          "plugins, the Objects and the board. The exit code is 1 when there is an error, 0 when there are warnings only.",
      )
      .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" })
      .option("json-schema", {
        type: "boolean",
        default: false,
        describe: "Print the JSON Schema of the configuration, for editors, and do nothing else",
      })
      .example("$0 check", "Check /etc/lwm2m-agent/agent.yaml on this device")
      .example("$0 check --config ./agent.yaml", "Check a file that is being written")
      .example(
        "$0 check --json-schema > agent.schema.json",
        "Let an editor complete and check the file",
      ) as never,
  handler: async (flags) => {
    if (flags["json-schema"]) {
      const { createJsonSchema } = await import("../config/schema.js");
      return printJson(createJsonSchema());
    }
    process.exitCode = await check(flags);
  },
};

async function check(flags: CheckFlags): Promise<number> {
  const result = await readConfig(configSources(flags));
  if ("problems" in result) {
    const { problems } = result;
    if (flags.json) printJson({ ok: false, problems, findings: [] });
    else
      print(...problems.map((problem) => `error: ${formatProblem(problem)}`), "", count(problems.length, 0));
    return exitCodes.failure;
  }
  const { config } = result;
  const { findingsOf } = await import("../service/findings.js");
  const log = createLog({ level: "silent", pretty: false });
  const findings = await findingsOf(config, log);
  const of = (level: Finding["level"]) => findings.filter((finding) => finding.level === level).length;
  const ok = of("error") === 0;
  if (flags.json) printJson({ ok, problems: [], findings });
  else
    print(
      `configuration: ${config.file ?? "flags and environment"}`,
      ...findings.map(renderFinding),
      "",
      count(of("error"), of("warning")),
    );
  return ok ? exitCodes.success : exitCodes.failure;
}

const renderFinding = ({ level, found, remedy }: Finding): string =>
  `${level}: ${found}${remedy === "" ? "" : `\n  → ${remedy}`}`;

const count = (errors: number, warnings: number): string =>
  errors === 0 && warnings === 0
    ? "Nothing is wrong."
    : `${plural(errors, "error")}, ${plural(warnings, "warning")}.`;

const plural = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
