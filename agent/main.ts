/**
 * The agent as a library: `createAgent` wires Objects, engine, transport, board and plugins together. It is the one
 * file that knows all parts; each part knows only its neighbours below.
 */
import { join } from "node:path";
import { createAccessControl } from "../objects/access-control.js";
import { removeAccountInTime } from "../objects/accounts/account-timeout.js";
import { createAccessControlEntries, createAccounts } from "../objects/accounts/accounts.js";
import {
  type AccessControlOptions,
  type BootstrapServerOptions,
  factoryContent,
  type ServerAccountOptions,
} from "../objects/accounts/factory.js";
import { openAccountStore } from "../objects/accounts/store.js";
import { createAccountTransactions } from "../objects/accounts/transaction.js";
import { type Abilities, noSec } from "../objects/accounts/validation.js";
import {
  type AdvancedFirmwareUpdateObject,
  type ComponentStatus,
  createAdvancedFirmwareUpdate,
} from "../objects/advanced-firmware-update/object.js";
import { createAgentStatus } from "../objects/agent-status.js";
import { createConfiguration } from "../objects/configuration.js";
import { createDevice } from "../objects/device.js";
import type { FirmwareUpdateProgress, Waiting } from "../objects/firmware-update/effect-options.js";
import { composeGates } from "../objects/firmware-update/gates.js";
import { createFirmwareUpdate, type FirmwareUpdateObject } from "../objects/firmware-update/object.js";
import type { UpdateOutcome } from "../objects/firmware-update/outcome.js";
import { type StateNumber, stateNumbers } from "../objects/firmware-update/state.js";
import type { Connectivity, TrialOptions, TrialStatus } from "../objects/firmware-update/trial.js";
import type { VersionPolicy } from "../objects/firmware-update/version-rule.js";
import { createOscore } from "../objects/oscore.js";
import { createRestartReasons, type RestartReason } from "../objects/restart-reason.js";
import { createSecurity } from "../objects/security.js";
import { createServerObject } from "../objects/server.js";
import { createSystemClock } from "../platform/clock.js";
import { createFileStore } from "../platform/files/store.js";
import { createLinuxReadings } from "../platform/linux/readings.js";
import { openLastingSocket } from "../platform/net/lasting-socket.js";
import { createNetworkWatcher } from "../platform/net/network-watcher.js";
import { resolvePeer } from "../platform/net/resolve.js";
import { sourceAddress } from "../platform/net/source-address.js";
import { openUdpSocket } from "../platform/net/udp.js";
import { systemRandom } from "../platform/random.js";
import { type AddressFamily, CoapBinding, type CoapSettings } from "./binding/coap.js";
import { parseServerUri } from "./binding/server-uri.js";
import type { DownloadOptions } from "./download/options.js";
import { createDownloads } from "./downloads.js";
import type { Accounts } from "./lwm2m/accounts.js";
import { isUsable } from "./lwm2m/binding-choice.js";
import { Bootstrap } from "./lwm2m/bootstrap/bootstrap.js";
import { performDeletions } from "./lwm2m/bootstrap/deletions.js";
import type { BootstrapState } from "./lwm2m/bootstrap/table.js";
import { Client } from "./lwm2m/client.js";
import { ObjectTree } from "./lwm2m/object-tree.js";
import type { RegistrationState } from "./lwm2m/registration.js";
import { RegistrationMemory } from "./lwm2m/registration-memory.js";
import { type RegistrationOptions, registrationPolicy } from "./lwm2m/registration-policy.js";
import type { StructuredFormat } from "./lwm2m/versions.js";
import { ConfigError, RequestError } from "./model/errors.js";
import type { ObjectHandle } from "./model/object-handle.js";
import type { DeviceReadings } from "./model/readings.js";
import type { SendItem, SendOptions, SendReport } from "./model/send.js";
import {
  addOptionalObjects,
  addSoftwareManagement,
  type ManagedSoftware,
  type ObjectHandles,
  type OptionalObject,
} from "./optional-objects.js";
import type { Plugin } from "./plugin.js";
import { type PluginHealth, PluginHost, type PluginTimeLimits } from "./plugin-host.js";
import {
  type Board,
  type BoardDescription,
  type DatagramHandlers,
  type DatagramSocket,
  type Downloader,
  type Log,
  type PackageInfo,
  type PackageVerifier,
  type PluginContainment,
  seconds,
  type UpdateGate,
} from "./ports.js";
import {
  acceptanceOf,
  createVerification,
  signatureDownloads,
  type VerificationOptions,
} from "./verification.js";

// What whoever calls `createAgent` implements or gets to see.
export type { DownloadOptions } from "./download/options.js";
export { ConfigError } from "./model/errors.js";
export type { ObjectHandle, ResourceValues } from "./model/object-handle.js";
export type {
  ConnectivityReadings,
  DeviceReadings,
  IdentityReadings,
  InterfaceCounters,
  MemoryReadings,
  NetworkBearer,
  PlaceReadings,
  PowerReadings,
  PowerSource,
} from "./model/readings.js";
export type { Sample, SendItem, SendOptions, SendReport } from "./model/send.js";
export type { ManagedSoftware, OptionalObject, OptionalObjectId } from "./optional-objects.js";
export {
  type Board,
  type BoardDescription,
  BusyError,
  type Downloader,
  type ImageFile,
  type Log,
  PackageError,
  type PackageFailure,
  type PackageInfo,
  type PackageVerifier,
  type PluginContainment,
  type SoftwareInstaller,
  type StageContext,
  TransportError,
  type UpdateAttempt,
  type UpdateGate,
  type UpdateStage,
} from "./ports.js";
export type { VerificationOptions } from "./verification.js";
export type {
  FirmwareUpdateProgress,
  PluginHealth,
  PluginTimeLimits,
  RestartReason,
  TrialOptions,
  TrialStatus,
  UpdateOutcome,
  VersionPolicy,
};

/** A Server as the operator describes it: `coap://host[:port]`, and where its account starts from. */
export type AgentServer = ServerAccountOptions;

/** The Bootstrap-Server as the operator describes it, at `coap://host[:port]`. */
export type AgentBootstrapServer = BootstrapServerOptions;

/** How firmware updates go: Firmware Update (5). */
export interface FirmwareOptions {
  /** How packages may come: `both` unless told. A Write of what is left out answers 4.05. */
  readonly delivery?: "pull" | "push" | "both";
  /** URI schemes by which packages may be fetched, such as `https` alone; all that are served unless told. */
  readonly schemes?: readonly string[];
  /** Whose packages are installed, and for which names. Without keys nobody is asked who made a package. */
  readonly verification?: VerificationOptions;
  /** Takes the place of `verification`: sees each package before the board does. */
  readonly verifier?: PackageVerifier;
  /** Which version may take the place of the one that runs: none that is older, unless told. */
  readonly versions?: VersionPolicy;
  /**
   * Takes the place of `versions`: may this package take the place of what runs? Asked when a package is verified.
   * @throws PackageError when it may not
   */
  readonly acceptance?: (offered: PackageInfo, running: BoardDescription) => void;
  /**
   * The operator's say before each stage: hooks, locks, maintenance hours. The first that says `later` is heard. A Server
   * finds State 2 and Result 11 while an update is put off, which Maximum Defer Period (/5/0/13) ends.
   */
  readonly gates?: readonly UpdateGate[];
  /** What a new image has to show before it is to stay. Absent: that the agent starts in it is proof enough. */
  readonly trial?: TrialOptions;
  /** How often an update that is interrupted, or booted into the old image, is taken up again; 2 unless told. */
  readonly maxResumes?: number;
}

/** A part of the device with firmware of its own: an instance of Advanced Firmware Update (33629). */
export interface FirmwareComponent {
  /** What Servers read as Component Name. */
  readonly name: string;
  /** Takes the packages of this component. */
  readonly board: Board;
  /** Names of other components that a package changes as well: they must not be in the middle of an update. */
  readonly affects?: (offered: PackageInfo) => readonly string[];
  /** Names by which a package may say that it is for this component; what its board says of itself unless told. */
  readonly compatible?: readonly string[];
}

export interface AgentOptions extends RegistrationOptions {
  /** Endpoint Client Name: what Servers know this device by. */
  readonly endpointName: string;
  /** May be empty when there is a Bootstrap-Server. */
  readonly servers: readonly AgentServer[];
  /** Whom to ask for Servers when there are none, or when they fail. */
  readonly bootstrapServer?: AgentBootstrapServer;
  /** What each of several Servers may do. Without any entry all of them may do everything. */
  readonly accessControl?: readonly AccessControlOptions[];
  readonly board: Board;
  /** Durable records. Made if it does not exist. */
  readonly stateDirectory: string;
  /** Packages on their way to the board. Made if it does not exist. */
  readonly cacheDirectory: string;
  readonly log: Log;
  /** One that throws or hangs is named in the log, and in `status()`; the agent goes on. */
  readonly plugins?: readonly Plugin[];
  /** How long their callbacks may take. */
  readonly pluginTimeLimits?: PluginTimeLimits;
  /** Tells what plugins do from what the agent does. */
  readonly pluginContainment?: PluginContainment;
  readonly firmware?: FirmwareOptions;
  /**
   * Parts of the device that are updated each by itself, or together. Their places are the Object Instance IDs of 33629 and
   * the names of their records: new ones come at the end. All that `firmware` says holds for them, too.
   */
  readonly components?: readonly FirmwareComponent[];
  /** Bytes; a larger package is refused with Result 2. */
  readonly maximumPackageSize?: number;
  /** How packages are fetched. */
  readonly downloads?: DownloadOptions;
  readonly configurationObjectId?: number;
  /** Of Agent Status, our own Object: 42770 unless told. */
  readonly agentStatusObjectId?: number;
  /**
   * Objects beside those that are always there. Plugins, and `object` below, feed them with values; what Servers write to them
   * comes back after a restart.
   */
  readonly objects?: readonly OptionalObject[];
  /** Software beside the firmware that Servers may install, activate and remove: Software Management (9). */
  readonly software?: readonly ManagedSoftware[];
  /**
   * Where live values of the device come from: battery, memory, time zone, connection, traffic. What this Linux says of
   * itself when not given. Connectivity Monitoring (4) and Connectivity Statistics (7) are there where it has values for them.
   */
  readonly readings?: DeviceReadings;
  readonly coap?: CoapSettings;
  /**
   * Take up the registrations of an earlier run with an Update, where their port is still to be had, and go on with what
   * Servers observe; unless it is false, which makes each start a new Register, the end of all observations.
   */
  readonly resumesRegistrations?: boolean;
  /**
   * What a Read or Observe without Accept is answered in, above single values: 112 (SenML CBOR) when not given, or 11544
   * (LwM2M CBOR), which is smaller; Servers before LwM2M 1.2 do not know it, and get what they know.
   */
  readonly defaultContentFormat?: StructuredFormat;
  /** UDP port of this device; a free one when it is not given. */
  readonly localPort?: number;
  /** Stands between a Package URI and the network, for those who simulate one. */
  readonly wrapDownloader?: (downloader: Downloader) => Downloader;
}

export interface AgentStatus {
  readonly endpointName: string;
  readonly registrations: readonly {
    readonly shortServerId: number;
    readonly uri: string;
    readonly state: RegistrationState["name"];
    /** When the Server took the Register; only while registered. */
    readonly since?: Date;
    /** When the next Update, or the next attempt to register, is due. */
    readonly next?: Date;
    /** Why a Register or Update last came to nothing, also when one since went well. */
    readonly lastFailure?: { readonly at: Date; readonly reason: string };
  }[];
  readonly bootstrap: BootstrapState["name"];
  readonly observations: number;
  /** Notifications that are kept for Servers that cannot be reached. */
  readonly keptNotifications: number;
  readonly plugins: readonly PluginHealth[];
  /** Why the board started the last time; undefined before `start`, and where it cannot tell its boots apart. */
  readonly restartReason: RestartReason | undefined;
  readonly firmware: {
    readonly state: StateNumber;
    readonly result: number;
    readonly progress: FirmwareUpdateProgress | undefined;
    /** Of what is downloaded or being installed. */
    readonly package: PackageInfo | undefined;
    /** What the update waits for: the operator's word, a board that is busy. */
    readonly waiting: Waiting | undefined;
    /** While a new image has yet to prove itself. */
    readonly trial: TrialStatus | undefined;
    /** How the last update ended, and in whose words. */
    readonly lastOutcome: UpdateOutcome | undefined;
    /** Of Advanced Firmware Update. */
    readonly components: readonly ComponentStatus[];
  };
}

export interface Agent {
  /**
   * Finds out what happened before, then registers. Resolves when the Objects serve; the registration goes on behind.
   * @throws ConfigError when the options cannot be used
   */
  start(): Promise<void>;
  /** De-registers and ends; a Server that is gone delays it by some seconds. Calling it again is harmless. */
  stop(): Promise<void>;
  /** Ends without a word, as a board that restarts does: the Servers keep the registration. */
  abandon(): Promise<void>;
  status(): AgentStatus;
  /** Sends an Update at once to each Server that we are registered with, or to one of them. @returns their Short Server IDs */
  triggerUpdate(shortServerId?: number): readonly number[];
  /** A gate may think otherwise by now: an update that waits for it asks at once. */
  askGatesAgain(): void;
  /**
   * Sends values to the Servers that want them (Mute Send, /1/x/23, is false there): present ones by their path, or samples
   * of the past. Resolves when each Server has answered or will not.
   * @throws TypeError for a path that is none, and for a value that its Resource does not take
   */
  send(items: readonly SendItem[], options?: SendOptions): Promise<readonly SendReport[]>;
  /**
   * Feeds an Object of a definition file, or another one whose values the agent keeps.
   * @throws Error when `objects` of the options does not name it
   */
  object(objectId: number): ObjectHandle;
}

const defaultMaximumPackageSize = 1024 ** 3;

/** UDP. */
const supportedBinding = "U";

/** @throws ConfigError when the options cannot be used */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { endpointName, board, log, plugins = [] } = options;
  checkEndpointName(endpointName);
  checkServers(options);
  const policy = registrationPolicy(options, { binding: supportedBinding, random: systemRandom });
  const clock = createSystemClock();
  const readings: DeviceReadings =
    options.readings ?? (process.platform === "linux" ? createLinuxReadings({ clock }) : noReadings);
  const store = createFileStore(options.stateDirectory);
  const downloads = {
    options: options.downloads ?? {},
    environment: process.env,
    ...(options.coap && { coap: options.coap }),
    clock,
    log,
    ...(options.wrapDownloader && { wrapDownloader: options.wrapDownloader }),
  };
  const packagesIn = createDownloads({
    ...downloads,
    maximumSize: options.maximumPackageSize ?? defaultMaximumPackageSize,
  });
  const tree = new ObjectTree();
  const pluginHost = new PluginHost({
    plugins,
    endpointName,
    log,
    clock,
    ...(options.pluginContainment && { containment: options.pluginContainment }),
    ...(options.pluginTimeLimits && { timeLimits: options.pluginTimeLimits }),
    hasObject: (objectId) => tree.definition(objectId) !== undefined,
    addObject: (implementation) => tree.add(implementation),
    send: (items, options) => client.send(items, options),
    firmwareUpdate: () => firmwareUpdate,
    object: (objectId) => handleOf(handles, objectId),
  });

  const accountStore = await openAccountStore({ store, log, clock, factory: factoryContent(options) });
  const accounts: Accounts = createAccounts(accountStore);
  const connectivity: Connectivity = {
    registered: () =>
      accounts
        .servers()
        .flatMap(({ shortServerId }) => (client.isOnline(shortServerId) ? shortServerId : [])),
    onRegistered: (listener) => client.onOnline(listener),
  };
  const { gates = [], verification = {}, versions = {}, ...firmware } = options.firmware ?? {};
  const gate = composeGates(gates);
  const restarts = createRestartReasons({ store, log, bootId: () => board.bootId() });
  const shared = {
    acceptance: acceptanceOf(versions),
    ...firmware,
    ...(gate && { gate }),
    connectivity,
    beforeRestart: (why: "firmware-update" | "rollback") => restarts.plan(why),
    ...{ store, clock, random: systemRandom, log },
  };
  /** Where packages for a board come to, and who looks at them before it. */
  const packagesFor = (board: Board, directory: string, rules: VerificationOptions) => ({
    board,
    ...packagesIn(directory),
    verifier:
      firmware.verifier ??
      createVerification(rules, {
        board,
        log,
        fetchSmall: signatureDownloads(
          // A signature follows its package at once, whatever the hour.
          (maximumSize) =>
            createDownloads({
              ...downloads,
              options: { ...downloads.options, windows: [], startDelay: seconds(0) },
              maximumSize,
            }),
          directory,
        ),
      }),
  });
  const firmwareUpdate: FirmwareUpdateObject = createFirmwareUpdate({
    ...shared,
    ...packagesFor(board, options.cacheDirectory, verification),
    admit: () => {
      if (!components.isBusy()) return;
      throw new RequestError("4.05", "an update by Advanced Firmware Update (/33629) is under way");
    },
    hooks: pluginHost.firmwareUpdateHooks(),
  });
  const { compatible: _, ...componentRules } = verification; // names the device, not its parts
  const components: AdvancedFirmwareUpdateObject = createAdvancedFirmwareUpdate({
    ...shared,
    components: (options.components ?? []).map(({ compatible, ...component }, index) => ({
      ...component,
      ...packagesFor(component.board, join(options.cacheDirectory, `component-${index}`), {
        ...componentRules,
        ...(compatible && { compatible }),
      }),
    })),
    isOtherBusy: () => firmwareUpdate.state().name !== "idle",
  });
  const objects = [
    createSecurity(accountStore),
    createServerObject(accountStore, {
      disable: (shortServerId) => {
        const timeout = accounts.server(shortServerId)?.settings().disableTimeoutSeconds;
        if (timeout !== undefined) client.disable(shortServerId, seconds(timeout));
      },
      updateTrigger: (shortServerId) => client.triggerUpdate(shortServerId),
      canUseBinding: (shortServerId, letter) =>
        isUsable(letter, {
          supported: supportedBinding,
          accepted: accounts.server(shortServerId)?.settings().binding ?? "",
        }),
      canBootstrap: () => bootstrap.available,
      bootstrapTrigger: () => client.triggerBootstrap(),
    }),
    createAccessControl(accountStore),
    createOscore(accountStore),
    createDevice({
      clock,
      log,
      store,
      describe: () => describe(board, readings),
      onReboot: () =>
        pluginHost.reboot(async () => {
          await restarts.plan("server-request");
          await board.restart();
        }),
      onFactoryReset: () =>
        pluginHost.factoryReset(async () => {
          await restarts.plan("factory-reset");
          await board.factoryReset();
        }),
      supportedBinding,
      ...(readings.power && { power: readings.power }),
      ...(readings.memory && { memory: readings.memory }),
      ...(readings.place && { place: readings.place }),
    }),
    firmwareUpdate,
    ...(options.components === undefined ? [] : [components]),
    createAgentStatus({
      clock,
      log,
      firmwareUpdate,
      restarts,
      ...(options.agentStatusObjectId !== undefined && { objectId: options.agentStatusObjectId }),
    }),
    await createConfiguration({
      store,
      log,
      ...(options.configurationObjectId !== undefined && { objectId: options.configurationObjectId }),
      applied: (objectInstanceId, { name, value }) =>
        pluginHost.configurationApplied({ objectInstanceId, name, value }),
    }),
  ];
  for (const object of objects) tree.add(object);
  const handles = await addOptionalObjects({
    objects: options.objects ?? [],
    readings,
    virtualObserving: () => client.virtualObserving,
    tree,
    clock,
    store,
    log,
  });
  await addSoftwareManagement({
    software: options.software ?? [],
    packagesFor: async (name) => packagesIn(join(options.cacheDirectory, `software-${name}`)),
    tree,
    clock,
    store,
    log,
  });

  const registrationMemory =
    options.resumesRegistrations === false ? undefined : new RegistrationMemory({ store, log });
  const client = new Client({
    ...policy,
    ...(registrationMemory && { registrationMemory }),
    ...(options.defaultContentFormat && { structuredFormat: options.defaultContentFormat }),
    tree,
    accounts,
    accessControl: createAccessControlEntries(accountStore),
    store,
    clock,
    log,
  });
  const accountTransactions = createAccountTransactions(accountStore, clock, abilities);
  const bootstrap = new Bootstrap({
    endpointName,
    version: policy.version,
    tree,
    accounts,
    accountTransactions,
    connect: ({ uri }) => binding.bootstrapConnection(parseServerUri(uri)),
    clock,
    random: systemRandom,
    log,
  });
  const binding = new CoapBinding({
    client,
    bootstrap,
    hasAccount: (shortServerId) => accounts.server(shortServerId) !== undefined,
    ...options.coap,
    openSocket: (family, handlers) =>
      openLastingSocket(
        {
          open: (port, given) => openSocket(family, port, registrationMemory?.portFor(family), given),
          ...(options.localPort !== undefined && { port: options.localPort }),
          clock,
          log,
        },
        handlers,
      ),
    resolve: resolvePeer,
    sourceAddress,
    clock,
    random: systemRandom,
    log,
  });

  const network = createNetworkWatcher({ clock });
  let stopWatching: () => void = () => undefined;
  const begin = async () => {
    await pluginHost.start();
    await tree.start();
    await performDeletions(tree, accountTransactions, log);
    stopAccountTimeout = removeAccountInTime(accountStore, { clock, log });
    await client.start(
      ({ shortServerId, uri }) => binding.connection(shortServerId, parseServerUri(uri)),
      bootstrap,
    );
    stopWatching = network.onChange(() => client.networkChanged());
  };
  let stopAccountTimeout = () => {};
  let beginning: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  /** Once, by whoever calls first, and never amid the beginning. */
  const end = (leave: () => void | Promise<void>): Promise<void> => {
    ending ??= (async () => {
      await beginning?.catch(() => undefined); // whoever called `start` hears of it
      stopWatching();
      await leave();
      stopAccountTimeout();
      bootstrap.close();
      await binding.close();
      await tree.close().finally(() => pluginHost.stop());
    })();
    return ending;
  };
  return {
    async start() {
      beginning = begin();
      try {
        await beginning;
      } catch (error) {
        await end(() => client.abandon()).catch((reason: unknown) => log.error("not ended", { reason }));
        throw error;
      }
    },
    stop: () => end(() => client.stop()),
    abandon: () => end(() => client.abandon()),
    object: (objectId) => handleOf(handles, objectId),
    send: (items, options) => client.send(items, options),
    askGatesAgain() {
      firmwareUpdate.askAgain();
      components.askAgain();
    },
    triggerUpdate: (wanted) => {
      const ids = accounts.servers().map(({ shortServerId }) => shortServerId);
      const told = ids.filter((id) => (wanted ?? id) === id && client.isOnline(id));
      for (const id of told) client.triggerUpdate(id);
      return told;
    },
    status: () => ({
      endpointName,
      registrations: accounts.servers().map(({ shortServerId, uri }) => ({
        shortServerId,
        uri,
        ...(client.registrationStatus(shortServerId) ?? { state: "unregistered" as const }),
      })),
      bootstrap: bootstrap.state.name,
      observations: client.observationCount,
      keptNotifications: client.keptCount,
      plugins: pluginHost.health(),
      restartReason: restarts.reason(),
      firmware: {
        state: stateNumbers[firmwareUpdate.state().name],
        result: firmwareUpdate.state().result,
        progress: firmwareUpdate.progress(),
        package: firmwareUpdate.package(),
        waiting: firmwareUpdate.waiting(),
        trial: firmwareUpdate.trial(),
        lastOutcome: firmwareUpdate.lastOutcome(),
        components: components.components(),
      },
    }),
  };
}

/** At the port that it has to be, or else at the one by which Servers know us, if that is free. */
async function openSocket(
  family: AddressFamily,
  port: number | undefined,
  knownPort: number | undefined,
  handlers: DatagramHandlers,
): Promise<DatagramSocket> {
  if (port !== undefined) return openUdpSocket({ family, port }, handlers);
  const anywhere = () => openUdpSocket({ family }, handlers);
  return knownPort === undefined
    ? anywhere()
    : openUdpSocket({ family, port: knownPort }, handlers).catch(anywhere);
}

/** RFC 7252 §5.10: an option of a query has at most 255 bytes, and `ep=` are three of them. */
const MAX_ENDPOINT_NAME_BYTES = 252;

function checkEndpointName(endpointName: string): void {
  if (endpointName === "") throw new ConfigError("the endpoint name is empty: give the device a name");
  if (Buffer.byteLength(endpointName) > MAX_ENDPOINT_NAME_BYTES) {
    throw new ConfigError(
      `the endpoint name has more than ${MAX_ENDPOINT_NAME_BYTES} bytes: give a shorter one`,
    );
  }
}

function checkServers({ servers, bootstrapServer }: AgentOptions): void {
  if (servers.length === 0 && bootstrapServer === undefined) {
    throw new ConfigError("there is neither a server nor a Bootstrap-Server: give at least one of them");
  }
  for (const { uri } of [...servers, ...(bootstrapServer ? [bootstrapServer] : [])]) parseServerUri(uri);
}

const noReadings: DeviceReadings = {};

/** The board knows best; what it does not know, its system may. */
async function describe(board: Board, { identity }: DeviceReadings): Promise<BoardDescription> {
  const description = await board.describe();
  const { modelNumber, serialNumber } = description;
  if (identity === undefined || (modelNumber !== "" && serialNumber !== "")) return description;
  const known = await identity();
  return {
    ...description,
    modelNumber: modelNumber || (known.modelNumber ?? ""),
    serialNumber: serialNumber || (known.serialNumber ?? ""),
  };
}

/** What an account may ask of this client. One that it cannot work with makes a bootstrap inconsistent. */
const abilities: Abilities = {
  unsupported(uri, securityMode) {
    try {
      parseServerUri(uri);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
    return securityMode === noSec ? undefined : `Security Mode ${securityMode} is not supported`;
  },
  oscore: false,
};

function handleOf(handles: ObjectHandles, objectId: number): ObjectHandle {
  const handle = handles.get(objectId);
  if (handle !== undefined) return handle;
  const known = [...handles.keys()].join(", ") || "none";
  throw new Error(
    `there is no Object ${objectId} to be fed: name its definition file in objects; known: ${known}`,
  );
}
