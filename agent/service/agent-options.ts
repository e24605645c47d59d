/** The configuration of the service in the words of `createAgent`. */
import type { ServiceConfig } from "../config/service-config.js";
import type {
  AgentOptions,
  FirmwareOptions,
  TrialOptions,
  VerificationOptions,
  VersionPolicy,
} from "../main.js";
import { type Clock, type Log, seconds, type UpdateGate } from "../ports.js";
import { downloadOptions, type SecretSurroundings } from "./download-options.js";
import { given } from "./given.js";

type Configured = Omit<AgentOptions, "board" | "log" | "plugins">;

export interface AgentSurroundings extends SecretSurroundings {
  /** Asked before the operator's hooks. */
  readonly gates: readonly UpdateGate[];
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws ConfigError when a secret cannot be had, or is open to others */
export async function agentOptions(
  config: ServiceConfig,
  surroundings: AgentSurroundings,
): Promise<Configured> {
  const { stated, directories, servers, endpointName, objects } = config;
  const { profile, coap, downloads } = stated;
  return {
    endpointName,
    servers,
    objects,
    stateDirectory: directories.state,
    cacheDirectory: directories.cache,
    firmware: await firmwareOptions(config, surroundings),
    ...given({
      downloads: downloads && (await downloadOptions(downloads, surroundings)),
      bootstrapServer: stated.bootstrapServer,
      accessControl: stated.accessControl,
      version: stated.version,
      minimumVersion: stated.minimumVersion,
      queueMode: stated.queueMode,
      awakeSeconds: stated.awakeTime,
      profile: profile && { id: profile.id, ...given({ uncovered: profile.uncovered }) },
      keepAliveSeconds: stated.keepAlive,
      startSpreadSeconds: stated.startSpread,
      resumesRegistrations: stated.resumeRegistrations,
      defaultContentFormat: stated.defaultContentFormat,
      localPort: stated.localPort,
      configurationObjectId: stated.configurationObjectId,
      pluginTimeLimits: given({
        callback: stated.pluginTimeLimit === undefined ? undefined : seconds(stated.pluginTimeLimit),
        update:
          stated.pluginUpdateTimeLimit === undefined ? undefined : seconds(stated.pluginUpdateTimeLimit),
      }),
      maximumPackageSize: stated.firmware?.maximumSize,
      coap: coap && {
        ...given({ blockSize: coap.blockSize, sendsUriHost: coap.sendsUriHost }),
        transmission: given({
          ackTimeout: coap.ackTimeout === undefined ? undefined : seconds(coap.ackTimeout),
          maxRetransmit: coap.maxRetransmit,
        }),
      },
    }),
  };
}

/** Whose packages are installed, and for which names. */
export function verificationOptions({ stated: { firmware = {} } }: ServiceConfig): VerificationOptions {
  return given({
    keys: firmware.keys,
    required: firmware.requireSignature,
    compatible: firmware.compatible,
  });
}

/** Which version may take the place of the one that runs. */
export const versionPolicy = ({ stated: { firmware = {} } }: ServiceConfig): VersionPolicy =>
  given({ downgrade: firmware.allowDowngrade, reinstall: firmware.allowReinstall });

type FirmwareConfig = NonNullable<ServiceConfig["stated"]["firmware"]>;

export const defaultHookDirectory = "/etc/lwm2m-agent/hooks.d";

async function firmwareOptions(
  config: ServiceConfig,
  { gates, clock, log }: Pick<AgentSurroundings, "gates" | "clock" | "log">,
): Promise<FirmwareOptions> {
  const { firmware = {} } = config.stated;
  const { delivery, maximumResumes, trial = {} } = firmware;
  return {
    gates: [...gates, await hookGate(firmware, { clock, log })],
    trial: await trialOptions(trial, clock),
    verification: verificationOptions(config),
    versions: versionPolicy(config),
    ...given({ delivery, maxResumes: maximumResumes }),
  };
}

export async function hookGate(
  { hooks = {} }: FirmwareConfig,
  edge: { readonly clock: Clock; readonly log: Log },
) {
  const { createHookGate } = await import("../../platform/hooks/gate.js");
  const { directory = defaultHookDirectory, timeLimit, ...programs } = hooks;
  return createHookGate({
    ...edge,
    directory,
    programs: Object.fromEntries(
      Object.entries(given(programs)).map(([name, { program, arguments: words }]) => [
        name,
        { program, ...given({ arguments: words }) },
      ]),
    ),
    ...given({ timeLimit: timeLimit === undefined ? undefined : seconds(timeLimit) }),
  });
}

export async function healthCheck({ health }: NonNullable<FirmwareConfig["trial"]>, clock: Clock) {
  if (health === undefined) return undefined;
  const { createHealthCheck } = await import("../../platform/hooks/health-check.js");
  const { program, arguments: words, timeLimit } = health;
  return createHealthCheck({
    ...{ program, clock },
    ...given({ arguments: words, timeLimit: timeLimit === undefined ? undefined : seconds(timeLimit) }),
  });
}

/** A new image that never reaches its Server again would have to be visited. */
async function trialOptions(
  trial: NonNullable<FirmwareConfig["trial"]>,
  clock: Clock,
): Promise<TrialOptions> {
  const { timeLimit = 15 * 60, healthInterval = 10, connectivity = "required", maximumBoots = 5 } = trial;
  const check = await healthCheck(trial, clock);
  return {
    timeLimit: seconds(timeLimit),
    healthInterval: seconds(healthInterval),
    connectivity,
    maximumBoots,
    ...(check && { health: (signal) => check.health(signal) }),
  };
}
