/**
 * `lwm2m-agent jobs …`: sends jobs to a running simulation over its control socket. The only part of this folder that
 * prints.
 */
import type { Argv, CommandModule } from "yargs";
import { ConfigError } from "../agent/model/errors.js";
import { TransportError } from "../agent/ports.js";
import { renderJobs, renderProgress, renderResults, renderTable } from "./cli-view.js";
import { defaultControlSocket } from "./control.js";
import { type ControlClient, ControlError, createControlClient } from "./control-client.js";
import type { ControlWork } from "./control-protocol.js";
import type { JobRecord, JsonValue } from "./job.js";

/** What the commands touch of the process they run in. */
export interface JobsCommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  out(line: string): void;
  err(line: string): void;
  /** 0 all devices succeeded, 1 one did not, 2 it could not be done as asked. */
  exitCode(code: number): void;
}

const processIo: JobsCommandIo = {
  env: process.env,
  uid: process.getuid?.() ?? 0,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  exitCode: (code) => {
    process.exitCode = code;
  },
};

interface ConnectionOptions {
  readonly socket: string;
  readonly json: boolean;
}

interface JobOptions extends ConnectionOptions {
  readonly devices: string | undefined;
  readonly async: boolean;
}

export function createJobsCommand(io: JobsCommandIo): CommandModule {
  return {
    command: "jobs <command>",
    describe: "Send jobs to the devices of a running simulation",
    builder: (yargs) => {
      for (const command of createCommands(io)) command(yargs);
      return withConnection(yargs, io)
        .demandCommand(
          1,
          "Say what to do: firmware-update, reboot, factory-reset, configure, read, write, list, devices or cancel.",
        )
        .example("$0 jobs read FirmwareVersion", "ask every device for its version")
        .epilogue(
          "Start a simulation with `lwm2m-agent simulate --wait` first. The exit code is 0 when every device\n" +
            "succeeded, 1 when one did not, 2 when the command could not run.",
        );
    },
    handler: () => undefined,
  };
}

export const jobsCommand: CommandModule = createJobsCommand(processIo);

function createCommands(io: JobsCommandIo): readonly ((yargs: Argv) => Argv)[] {
  const run = (options: JobOptions, work: ControlWork) => runJob(io, options, work);
  return [
    (yargs) =>
      yargs.command(
        "firmware-update [uri]",
        "Install a package: each device downloads it, installs it, restarts and reports",
        (command) =>
          withJob(command, io)
            .positional("uri", {
              type: "string",
              describe: "where devices find the package; that of the simulation when left out",
            })
            .option("timeout", {
              type: "number",
              default: 30,
              describe: "minutes for each device, 1 to 1440",
            })
            .example(
              "$0 jobs firmware-update --devices simulated-1",
              "update one device to the simulation's package",
            )
            .example(
              "$0 jobs firmware-update http://192.0.2.1/firmware.img --timeout 60",
              "update all from elsewhere",
            ),
        (args) =>
          run(args, {
            type: "firmwareUpdate",
            packageUri: args.uri,
            timeout: Math.round(args.timeout * 60_000),
          }),
      ),
    (yargs) =>
      yargs.command(
        "reboot",
        "Restart devices; overtakes jobs that wait",
        (command) =>
          withJob(command, io).example(
            "$0 jobs reboot --devices simulated-1,simulated-2",
            "restart two devices",
          ),
        (args) => run(args, { type: "rebootDevice" }),
      ),
    (yargs) =>
      yargs.command(
        "factory-reset",
        "Return devices to the image and settings they left the factory with",
        (command) =>
          withJob(command, io).example("$0 jobs factory-reset --devices simulated-3", "reset one device"),
        (args) => run(args, { type: "factoryResetDevice" }),
      ),
    (yargs) =>
      yargs.command(
        "configure <value>",
        "Write a configuration and make it take effect",
        (command) =>
          withJob(command, io)
            .positional("value", {
              type: "string",
              demandOption: true,
              describe: "text of up to 255 bytes; its meaning is the device's",
            })
            .example(`$0 jobs configure '{"interval":60}'`, "the same configuration for all devices"),
        (args) => run(args, { type: "updateDeviceConfiguration", value: args.value }),
      ),
    (yargs) =>
      yargs.command(
        "read <names..>",
        "Read properties from devices",
        (command) =>
          withJob(command, io)
            .positional("names", {
              type: "string",
              array: true,
              demandOption: true,
              describe: "property names, or paths such as /3/0/15",
            })
            .example("$0 jobs read FirmwareVersion BatteryLevel", "two properties of every device")
            .example("$0 jobs read /3303/0/5700", "a Resource without a name, by its path"),
        (args) => run(args, { type: "readDeviceProperties", names: args.names }),
      ),
    (yargs) =>
      yargs.command(
        "write <properties..>",
        "Write properties to devices",
        (command) =>
          withJob(command, io)
            .positional("properties", {
              type: "string",
              array: true,
              demandOption: true,
              describe: "name=value, or one JSON object",
            })
            .example(
              "$0 jobs write Timezone=Europe/Berlin UtcOffset=+01:00",
              "two properties of every device",
            )
            .example(
              `$0 jobs write --devices simulated-1 '{"Timezone":"Europe/Berlin"}'`,
              "the same as JSON",
            ),
        (args) =>
          reportingFaults(io, () => {
            const properties = parseProperties(args.properties);
            return run(args, { type: "writeDeviceProperties", properties });
          }),
      ),
    (yargs) =>
      yargs.command(
        "list",
        "Show the jobs so far, running and ended",
        (command) =>
          withConnection(command, io).example("$0 jobs list", "one line for each device's part of each job"),
        (args) => listJobs(io, args),
      ),
    (yargs) =>
      yargs.command(
        "devices",
        "Show the registered devices",
        (command) => withConnection(command, io).example("$0 jobs devices --json", "for a program to read"),
        (args) => listDevices(io, args),
      ),
    (yargs) =>
      yargs.command(
        "cancel <job>",
        "Cancel a job: what has not begun, and updates that are not being installed yet",
        (command) =>
          withConnection(command, io)
            .positional("job", {
              type: "string",
              demandOption: true,
              describe: "its id, as `jobs list` shows it",
            })
            .example("$0 jobs cancel firmware-update-1", "cancel it on all its devices"),
        (args) => cancelJob(io, args, args.job),
      ),
  ];
}

const withConnection = <T>(yargs: Argv<T>, { env, uid }: JobsCommandIo) =>
  yargs
    .option("socket", {
      type: "string",
      requiresArg: true,
      default: defaultControlSocket(env, uid),
      defaultDescription: "that of your simulation",
      describe: "control socket of the simulation",
    })
    .option("json", { type: "boolean", default: false, describe: "print JSON for a program" });

const withJob = <T>(yargs: Argv<T>, io: JobsCommandIo) =>
  withConnection(yargs, io)
    .option("devices", {
      type: "string",
      requiresArg: true,
      describe: "endpoint names with commas between them; all when left out",
    })
    .option("async", { type: "boolean", default: false, describe: "print the job and leave it running" });

// ---- Running -------------------------------------------------------------------------------------------------------

const exit = { success: 0, failure: 1, usage: 2 } as const;

async function runJob(io: JobsCommandIo, options: JobOptions, work: ControlWork): Promise<void> {
  await withClient(io, options, async (client) => {
    const devices = options.devices?.split(",").filter((name) => name !== "");
    const submitted = await client.submit({ ...work, ...(devices !== undefined && { devices }) });
    if (options.async) {
      io.out(options.json ? toText(submitted) : submitted.jobId);
      return exit.success;
    }
    const children = new Map<string, JobRecord>();
    const parent = await client.follow(submitted.jobId, (record) => {
      if (record.parentJobId === undefined) return;
      children.set(record.jobId, record);
      if (!options.json) io.err(renderProgress(record));
    });
    const results = [...children.values()];
    if (options.json) io.out(toText({ job: parent, devices: results }));
    else for (const line of renderResults(parent, results)) io.out(line);
    return results.every(({ status }) => status === "completed") ? exit.success : exit.failure;
  });
}

async function listJobs(io: JobsCommandIo, options: ConnectionOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    const jobs = await client.jobs();
    if (options.json) io.out(toText(jobs));
    else if (jobs.length === 0) io.err("no jobs so far");
    else for (const line of renderJobs(jobs)) io.out(line);
    return exit.success;
  });
}

async function listDevices(io: JobsCommandIo, options: ConnectionOptions): Promise<void> {
  await withClient(io, options, async (client) => {
    const devices = await client.devices();
    const rows = devices.map((device) => [
      device.endpointName,
      `${device.address}:${device.port}`,
      device.lwm2mVersion,
      device.lifetimeSeconds === 0 ? "for ever" : `${device.lifetimeSeconds} s`,
      device.registeredAt,
    ]);
    if (options.json) io.out(toText(devices));
    else if (devices.length === 0) io.err("no device is registered");
    else
      for (const line of renderTable(["DEVICE", "ADDRESS", "LWM2M", "LIFETIME", "REGISTERED"], rows))
        io.out(line);
    return exit.success;
  });
}

async function cancelJob(io: JobsCommandIo, options: ConnectionOptions, jobId: string): Promise<void> {
  await withClient(io, options, async (client) => {
    const job = await client.cancel(jobId);
    io.out(options.json ? toText(job) : `${job.jobId}: ${job.status}`);
    return exit.success;
  });
}

async function withClient(
  io: JobsCommandIo,
  { socket }: ConnectionOptions,
  use: (client: ControlClient) => Promise<number>,
): Promise<void> {
  await reportingFaults(io, async () => {
    const client = createControlClient(socket);
    try {
      io.exitCode(await use(client));
    } finally {
      client.close();
    }
  });
}

/** What a person can mend becomes one line; anything else is a fault of ours and goes up. */
async function reportingFaults(io: JobsCommandIo, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (fault) {
    const code = exitCodeOf(fault);
    if (code === undefined || !(fault instanceof Error)) throw fault;
    io.err(`lwm2m-agent: ${fault.message}`);
    io.exitCode(code);
  }
}

function exitCodeOf(fault: unknown): number | undefined {
  if (fault instanceof ConfigError) return exit.usage;
  if (fault instanceof TransportError) return exit.failure;
  if (fault instanceof ControlError) return fault.statusCode < 500 ? exit.usage : exit.failure;
  return undefined;
}

/** @throws ConfigError unless each is `name=value`, or the only one is a JSON object */
function parseProperties(args: readonly string[]): Readonly<Record<string, JsonValue>> {
  const [first = ""] = args;
  if (first.startsWith("{")) {
    if (args.length > 1) throw new ConfigError("give one JSON object, or name=value pairs");
    return parseJsonObject(first);
  }
  return Object.fromEntries(
    args.map((arg) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(arg) ?? [];
      if (name === undefined || value === undefined)
        throw new ConfigError(`${JSON.stringify(arg)} is not name=value`);
      return [name, value];
    }),
  );
}

function parseJsonObject(text: string): Readonly<Record<string, JsonValue>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, JsonValue>>; // it begins with a brace
  } catch (fault) {
    throw new ConfigError(`the properties are no JSON: ${fault instanceof Error ? fault.message : fault}`);
  }
}

const toText = (value: unknown): string => JSON.stringify(value, undefined, 2);
