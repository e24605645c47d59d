import { resolve } from "node:path";
import type { Argv, CommandModule } from "yargs";
import { renderJobs } from "../../jobs/cli-view.js";
import { defaultControlSocket } from "../../jobs/control.js";
import type { JobRecord } from "../../jobs/job.js";
import { createLog, type LogLevel, logLevels } from "../../platform/log.js";
import { ConfigError } from "../model/errors.js";
import { readObjectFile } from "../optional-objects.js";
import { loadPlugin } from "../service/plugin-loader.js";
import type { DeviceHome } from "../simulation/device.js";
import { type Fault, faults, isFault } from "../simulation/faults.js";
import {
  deviceName,
  type ManagedSimulation,
  type SimulationOptions,
  startDevices,
  startManagedSimulation,
} from "../simulation/simulation.js";
import { exitCodes } from "./failure.js";
import { createLineView, createTableView } from "./live-view.js";

interface SimulateArguments {
  devices: number;
  server?: string;
  bootstrap?: string;
  wait: boolean;
  fail: string[];
  plugin: string[];
  object: string[];
  software: boolean;
  "package-version": string;
  "package-size": number;
  port: number;
  state?: string;
  socket?: string;
  "log-level"?: LogLevel;
}

/** Bytes per second and device, so that a download takes a few seconds and can be watched. */
const downloadRate = 2_000_000;
const megabyte = 1_000_000;
const maximumDevices = 1000;

export const simulateCommand: CommandModule<object, SimulateArguments> = {
  command: "simulate",
  describe: "Run simulated devices; by default six that take a firmware update and report it",
  builder: (yargs) => withOptions(yargs) as Argv<SimulateArguments>, // yargs cannot say that `choices` narrows a list
  handler: async (args) => {
    process.exitCode = await simulate(args);
  },
};

const withOptions = (yargs: Argv<object>) =>
  yargs
    .usage(
      "$0 simulate\n\n" +
        "Without --server: starts a management server, a firmware server and simulated devices on loopback, updates\n" +
        "the firmware of all devices, shows the history of the job and ends. The exit code is 0 when every device\n" +
        "succeeded, 1 when one failed, 2 when the command could not run.",
    )
    .option("devices", { type: "number", default: 6, describe: "How many devices" })
    .option("server", {
      type: "string",
      describe: "Register with this LwM2M server instead, and run until stopped: coap://host:port",
    })
    .option("bootstrap", {
      type: "string",
      conflicts: "server",
      describe: "Ask this Bootstrap-Server for a server instead, and run until stopped: coap://host:port",
    })
    .option("wait", {
      type: "boolean",
      default: false,
      describe: "Start no job: run until stopped, and take jobs from `lwm2m-agent jobs` in another terminal",
    })
    .option("fail", {
      type: "string",
      array: true,
      nargs: 1,
      default: [],
      describe: `Make a device fail, as <device>=<fault>; faults: ${Object.keys(faults).join(", ")}`,
    })
    .option("plugin", {
      type: "string",
      array: true,
      nargs: 1,
      default: [],
      describe: "Load a plugin module into every device",
    })
    .option("object", {
      type: "string",
      array: true,
      nargs: 1,
      default: [],
      describe: "Give every device an Object of the OMA registry, with simulated values: its definition file",
    })
    .option("software", {
      type: "boolean",
      default: false,
      describe:
        "Give every device software to manage, /9/0: write the address of a simulated image to /9/0/3, then execute Install, /9/0/4, and Activate, /9/0/10",
    })
    .option("package-version", {
      type: "string",
      default: "3.0",
      describe: "Version of the package that is offered",
    })
    .option("package-size", { type: "number", default: 4, describe: "Its size in MB" })
    .option("port", {
      type: "number",
      default: 0,
      describe: "UDP port of the management server; 0 takes any free one",
    })
    .option("state", {
      type: "string",
      describe: "Folder where devices keep their state; a temporary one by default",
    })
    .option("socket", {
      type: "string",
      describe: "Unix socket for `lwm2m-agent jobs`; --socket there names it, too",
    })
    .option("log-level", {
      choices: logLevels,
      describe: "Show the devices' log, on standard error, instead of the table",
    })
    .example("$0 simulate", "Six devices take new firmware")
    .example("$0 simulate --fail 2=corrupt-image --fail 5=old-image", "Two of them fail, and say why")
    .example("$0 simulate --wait", "Devices to play with; then: lwm2m-agent jobs devices")
    .example(
      "$0 simulate --devices 3 --server coap://localhost:5683",
      "Devices for a server of yours, such as Leshan",
    )
    .example("$0 simulate --wait --object ./3303.xml", "Devices with a temperature sensor")
    .example(
      "$0 simulate --bootstrap coap://localhost:5783",
      "Devices that ask a Bootstrap-Server which server is theirs",
    )
    .epilogue(
      Object.entries(faults)
        .map(([name, meaning]) => `${name.padEnd(16)} ${meaning}`)
        .join("\n"),
    );

async function simulate(args: SimulateArguments): Promise<number> {
  const stop = new AbortController();
  const options: SimulationOptions = {
    devices: wholeNumber("--devices", args.devices, 1, maximumDevices),
    faults: parseFaults(args.fail, args.devices),
    plugins: await Promise.all(args.plugin.map((path) => loadPlugin(path, `--plugin ${path}`))),
    objects: (await Promise.all(args.object.map(readObjectFile))).flat(),
    managesSoftware: args.software,
    stateDirectory: args.state === undefined ? undefined : resolve(args.state),
    log: createLog({ level: args["log-level"] ?? "silent", pretty: process.stderr.isTTY }),
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) {
    process.once(signal, () => {
      stop.abort(new Interruption(signal));
      process.once(signal, () => process.exit(exitCodes.failure)); // a second one: at once
    });
  }
  try {
    if (args.bootstrap !== undefined) {
      return await simulateAgainst({ bootstrapUri: args.bootstrap }, options, stop.signal);
    }
    return args.server === undefined
      ? await simulateWithServer(args, options, stop.signal)
      : await simulateAgainst({ serverUri: args.server }, options, stop.signal);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    process.stderr.write("stopped before the end\n");
    return exitCodes.failure;
  }
}

class Interruption extends Error {}

/** Devices for a server that somebody else runs. */
async function simulateAgainst(
  home: DeviceHome,
  options: SimulationOptions,
  signal: AbortSignal,
): Promise<number> {
  const simulation = await startDevices(options, home);
  const what = "serverUri" in home ? `register with ${home.serverUri}` : `bootstrap at ${home.bootstrapUri}`;
  print([`${simulation.devices.length} devices ${what}; Ctrl-C stops them.`]);
  await stopped(signal);
  await simulation.close();
  return exitCodes.success;
}

async function simulateWithServer(
  args: SimulateArguments,
  options: SimulationOptions,
  signal: AbortSignal,
): Promise<number> {
  const simulation = await startManagedSimulation({
    ...options,
    port: wholeNumber("--port", args.port, 0, 65535),
    controlSocket: args.socket ?? defaultControlSocket(process.env, process.getuid?.() ?? 0),
    package: {
      version: args["package-version"],
      size: wholeNumber("--package-size", args["package-size"], 1, 1000) * megabyte,
      rate: downloadRate,
    },
  });
  try {
    await simulation.registered(signal);
    return args.wait
      ? await waitForJobs(args, simulation, signal)
      : await updateAll(args, simulation, signal);
  } finally {
    await simulation.close();
  }
}

async function waitForJobs(args: SimulateArguments, simulation: ManagedSimulation, signal: AbortSignal) {
  const socket = args.socket === undefined ? "" : ` --socket ${args.socket}`;
  print([
    `${simulation.devices.length} devices are registered; Ctrl-C stops them. In another terminal:`,
    `  lwm2m-agent jobs devices${socket}`,
    `  lwm2m-agent jobs firmware-update${socket}`,
    `  lwm2m-agent jobs --help`,
  ]);
  const view = createLineView(process.stdout, () => new Date());
  const stopListening = simulation.jobs.onChange((record) => view.jobChanged(record));
  await stopped(signal);
  stopListening();
  return exitCodes.success;
}

/** The story: one firmware update job over all devices, watched to its end. */
async function updateAll(
  args: SimulateArguments,
  simulation: ManagedSimulation,
  signal: AbortSignal,
): Promise<number> {
  const { devices, jobs, packageUri } = simulation;
  const before = await Promise.all(devices.map((device) => device.firmwareVersion()));
  // A log on the same terminal would write into the table, and one that is higher than the screen cannot be redrawn.
  const fits = devices.length + 2 < process.stdout.rows;
  const view =
    process.stdout.isTTY && fits && args["log-level"] === undefined
      ? createTableView(process.stdout, devices, process.env["NO_COLOR"] === undefined)
      : createLineView(process.stdout, () => new Date());
  const stopListening = jobs.onChange((record) => view.jobChanged(record));
  let parent: JobRecord;
  try {
    const jobId = "update-1";
    await jobs.scheduleFirmwareUpdate(
      jobId,
      devices.map(({ endpointName }) => endpointName),
      packageUri,
    );
    parent = await jobs.waitForJob(jobId, { signal });
  } finally {
    stopListening();
    await view.close();
  }
  const after = await Promise.all(devices.map((device) => device.firmwareVersion()));
  print(["", ...renderJobs(await jobs.getJobs())]);
  print([
    "",
    ...devices.map(
      ({ endpointName }, index) => `${endpointName}: firmware ${before[index]} → ${after[index]}`,
    ),
  ]);
  return parent.deviceJobStatistics?.succeededCount === devices.length
    ? exitCodes.success
    : exitCodes.failure;
}

const print = (lines: readonly string[]) => process.stdout.write(`${lines.join("\n")}\n`);

const stopped = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

// ---- Arguments -------------------------------------------------------------------------------------------------

function wholeNumber(flag: string, value: number, minimum: number, maximum: number): number {
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw new ConfigError(`${flag} takes a whole number from ${minimum} to ${maximum}`);
  }
  return value;
}

/** Reads `2=corrupt-image` or `simulated-2=corrupt-image`. */
function parseFaults(specifications: readonly string[], devices: number): Map<number, Fault> {
  const parsed = new Map<number, Fault>();
  for (const specification of specifications) {
    const [device = "", fault = ""] = specification.split("=");
    const number = Array.from({ length: devices }, (_, index) => index + 1).find(
      (candidate) => device === `${candidate}` || device === deviceName(candidate),
    );
    if (number === undefined) {
      throw new ConfigError(
        `--fail ${specification}: there is no device "${device}"; name one from 1 to ${devices}, as in --fail 2=corrupt-image`,
      );
    }
    if (!isFault(fault)) {
      throw new ConfigError(
        `--fail ${specification}: there is no fault "${fault}"; choose one of ${Object.keys(faults).join(", ")}`,
      );
    }
    parsed.set(number, fault);
  }
  return parsed;
}
