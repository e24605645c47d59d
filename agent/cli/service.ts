/** `lwm2m-agent service`: makes a service of an agent that came by npm. */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Argv, CommandModule } from "yargs";
import { createSystemClock } from "../../platform/clock.js";
import { runProgram } from "../../platform/exec/program.js";
import { ConfigError } from "../model/errors.js";
import { seconds } from "../ports.js";
import {
  installationState,
  type Place,
  planInstallation,
  planRemoval,
} from "../service/installation/installation.js";
import { describeStep, performStep, type Step } from "../service/installation/steps.js";
import { agentUnit, helperUnit } from "../service/installation/units.js";
import { exitCodes } from "./failure.js";
import { print, printJson } from "./service-client.js";

interface RootFlags {
  readonly root: string;
}

interface ChangeFlags extends RootFlags {
  readonly "dry-run": boolean;
}

export const serviceCommand: CommandModule = {
  command: "service <command>",
  describe: "Make a service of an agent that was installed by npm",
  builder: (yargs) =>
    yargs
      .usage(
        "$0 service <command>\n\nNot needed where a package of the system brought the agent: that has its units.",
      )
      .command(installCommand as never)
      .command(uninstallCommand as never)
      .command(statusCommand as never)
      .demandCommand(1, "Say what to do: install, uninstall or status."),
  handler: () => undefined,
};

const withRoot = <T>(yargs: Argv<T>) =>
  yargs.option("root", {
    type: "string",
    requiresArg: true,
    default: "/",
    describe: "The root of the system, for those who make images",
  });

const withDryRun = <T>(yargs: Argv<T>) =>
  yargs.option("dry-run", {
    type: "boolean",
    default: false,
    describe: "Say what would be done, and do nothing",
  });

const installCommand: CommandModule<object, ChangeFlags & { now: boolean; helper: boolean }> = {
  command: "install",
  describe: "Write the units, make the user and the folders",
  builder: (yargs) =>
    withDryRun(withRoot(yargs))
      .usage(
        "$0 service install\n\nWrites the units for where Node.js and this program lie, makes the user lwm2m-agent, and starts nothing\n" +
          "unless --now says so. Again after an upgrade it writes what has changed.",
      )
      .option("now", { type: "boolean", default: false, describe: "Enable and start the agent" })
      .option("helper", {
        type: "boolean",
        default: false,
        describe:
          "With --now: the helper, too, for boards that need root (Edison, Raspberry Pi, own scripts)",
      })
      .example(
        "sudo $0 service install --now",
        "After sudo npm install -g lwm2m-agent and sudo lwm2m-agent init",
      )
      .example("sudo $0 service install --dry-run", "See what it would do") as never,
  handler: async (flags) => {
    if (!flags["dry-run"]) requireRoot(flags);
    const place = placeOf(flags);
    const { now: start, helper } = flags;
    const steps = await planInstallation(place, { start, helper: start && helper });
    if (!(await perform(steps, flags))) return;
    const { hasConfiguration } = await installationState(place);
    print(
      hasConfiguration
        ? "The service is installed."
        : "The service is installed, and waits for a configuration: lwm2m-agent init",
      ...(start ? [] : [`Start it with: systemctl enable --now ${agentUnit}`]),
    );
  },
};

const uninstallCommand: CommandModule<object, ChangeFlags & { purge: boolean }> = {
  command: "uninstall",
  describe: "Take away what install has brought",
  builder: (yargs) =>
    withDryRun(withRoot(yargs))
      .usage(
        "$0 service uninstall\n\nStops the agent and removes units, user and empty folders. The configuration, and what the agent keeps, stay;\n" +
          "the user as well then, who owns it.",
      )
      .option("purge", {
        type: "boolean",
        default: false,
        describe: "Remove what the agent keeps, too: accounts with their keys, packages, the user",
      })
      .example("sudo $0 service uninstall", "Before npm uninstall -g lwm2m-agent") as never,
  handler: async (flags) => {
    if (!flags["dry-run"]) requireRoot(flags);
    const steps = await planRemoval(placeOf(flags), flags);
    if (await perform(steps, flags)) print("The service is not installed any more.");
  },
};

const statusCommand: CommandModule<object, RootFlags & { json: boolean }> = {
  command: "status",
  describe: "Say whether it is installed as it should be",
  builder: (yargs) =>
    withRoot(yargs)
      .usage(
        "$0 service status\n\nThe exit code is 0 when it is installed for this program, 1 when it is not.",
      )
      .option("json", { type: "boolean", default: false, describe: "Print JSON, for programs" }) as never,
  handler: async (flags) => {
    const place = placeOf(flags);
    const state = await installationState(place);
    const units = place.isLive ? await unitStates() : [];
    const isWhole = state.hasUser && state.files.every((file) => file.state === "installed");
    process.exitCode = isWhole ? exitCodes.success : exitCodes.failure;
    if (flags.json) return printJson({ installed: isWhole, ...state, units });
    print(
      ...state.files.map((file) => `${file.state.padEnd(16)}  ${file.path}`),
      `${(state.hasUser ? "there" : "missing").padEnd(16)}  user lwm2m-agent`,
      `${(state.hasConfiguration ? "there" : "missing").padEnd(16)}  configuration`,
      ...units.map(({ unit, enabled, active }) => `${`${enabled}, ${active}`.padEnd(16)}  ${unit}`),
      ...(isWhole ? [] : ["", "Put it right with: lwm2m-agent service install"]),
    );
  },
};

function placeOf({ root: given }: RootFlags): Place {
  const root = resolve(given);
  return {
    root,
    units: fileURLToPath(new URL("../../../systemd", import.meta.url)),
    program: { node: process.execPath, script: realpathSync(process.argv[1] ?? "") },
    isLive: root === "/" && existsSync("/run/systemd/system"), // sd_booted(3)
  };
}

function requireRoot({ root }: RootFlags): void {
  if (process.getuid?.() === 0) return;
  const what = resolve(root) === "/" ? "the system" : resolve(root);
  throw new ConfigError(`this changes ${what} and makes a user, which only root may: use sudo`);
}

/** @returns false when it was only said */
async function perform(steps: readonly Step[], { "dry-run": isDry }: ChangeFlags): Promise<boolean> {
  if (isDry) {
    print(...steps.map(describeStep));
    return false;
  }
  const clock = createSystemClock();
  for (const step of steps) {
    print(describeStep(step));
    await performStep(step, clock);
  }
  return true;
}

async function unitStates() {
  const clock = createSystemClock();
  const ask = async (word: string, unit: string) => {
    const { output } = await runProgram("systemctl", {
      arguments: [word, unit],
      timeLimit: seconds(10),
      clock,
    });
    return output.trim() || "unknown";
  };
  return Promise.all(
    [agentUnit, helperUnit].map(async (unit) => ({
      unit,
      enabled: await ask("is-enabled", unit),
      active: await ask("is-active", unit),
    })),
  );
}
