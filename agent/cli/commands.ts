/** The commands by name. A module is loaded only when its command is used: how soon `run` is there counts on small boards. */
import type { CommandModule } from "yargs";

export interface CommandEntry {
  /** As yargs wants it: the name, and its arguments. */
  readonly command: string;
  readonly describe: string;
  // biome-ignore lint/suspicious/noExplicitAny: yargs has one type per set of arguments, and takes all of them
  readonly load: () => Promise<CommandModule<any, any>>;
}

/** In the order in which --help shows them. */
export const commands: readonly CommandEntry[] = [
  {
    command: "run",
    describe: "Run the agent of this device",
    load: async () => (await import("./run.js")).runCommand,
  },
  {
    command: "helper",
    describe: "Do for the agent what needs root",
    load: async () => (await import("./helper.js")).helperCommand,
  },
  {
    command: "init",
    describe: "Write a configuration, with comments",
    load: async () => (await import("./init.js")).initCommand,
  },
  {
    command: "check",
    describe: "Look for what would go wrong: configuration, rights, board",
    load: async () => (await import("./check.js")).checkCommand,
  },
  {
    command: "status",
    describe: "Show what the running agent is doing",
    load: async () => (await import("./status.js")).statusCommand,
  },
  {
    command: "hold",
    describe: "Let no update be installed for now",
    load: async () => (await import("./hold.js")).holdCommand,
  },
  {
    command: "release",
    describe: "Let updates be installed again",
    load: async () => (await import("./hold.js")).releaseCommand,
  },
  {
    command: "trigger-update [server]",
    describe: "Have the running agent tell its Servers now that it is there",
    load: async () => (await import("./control.js")).triggerUpdateCommand,
  },
  {
    command: "reload",
    describe: "Have the running agent read its configuration again",
    load: async () => (await import("./control.js")).reloadCommand,
  },
  {
    command: "log-level [level]",
    describe: "Show or change what the running agent logs",
    load: async () => (await import("./control.js")).logLevelCommand,
  },
  {
    command: "metrics",
    describe: "Print what monitoring collects, as OpenMetrics text",
    load: async () => (await import("./control.js")).metricsCommand,
  },
  {
    command: "diagnostics",
    describe: "Put into one file what somebody who helps wants to know",
    load: async () => (await import("./diagnostics.js")).diagnosticsCommand,
  },
  {
    command: "service <command>",
    describe: "Make a service of an agent that was installed by npm",
    load: async () => (await import("./service.js")).serviceCommand,
  },
  {
    command: "firmware <command>",
    describe: "Make keys, sign firmware packages, look into them and check them",
    load: async () => (await import("./firmware.js")).firmwareCommand,
  },
  {
    command: "simulate",
    describe: "Run simulated devices; by default six that take a firmware update and report it",
    load: async () => (await import("./simulate.js")).simulateCommand,
  },
  {
    command: "jobs",
    describe: "Send jobs to the devices of a running simulation",
    load: async () => (await import("../../jobs/cli.js")).jobsCommand,
  },
];

const nameOf = ({ command }: CommandEntry): string => command.split(" ")[0] ?? command;

export const commandNames: readonly string[] = commands.map(nameOf);

export const findCommand = (name: string | undefined): CommandEntry | undefined =>
  commands.find((entry) => nameOf(entry) === name);
