/** The configuration of the service in the words of `createAgent`. */
import type { ServiceConfig } from "../config/service-config.js";
import type { AgentOptions, VerificationOptions, VersionPolicy } from "../main.js";
import { seconds, type UpdateGate } from "../ports.js";

type Configured = Omit<AgentOptions, "board" | "log" | "plugins">;

export function agentOptions(config: ServiceConfig, gates: readonly UpdateGate[]): Configured {
  const { stated, directories, servers, endpointName, objects } = config;
  const { profile, coap } = stated;
  return {
    endpointName,
    servers,
    objects,
    stateDirectory: directories.state,
    cacheDirectory: directories.cache,
    firmware: { gates, verification: verificationOptions(config), versions: versionPolicy(config) },
    ...given({
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
      localPort: stated.localPort,
      configurationObjectId: stated.configurationObjectId,
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

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without what was not said: options that are absent have defaults of their own. */
export const given = <T extends object>(value: T): Given<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Given<T>;
