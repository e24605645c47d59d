/**
 * The LwM2M Client: its Objects, its Servers, and what goes on between them. Transports bring operations to `perform`
 * and `observe`, and carry registrations and notifications away; this folder never says how.
 */
import type { ValueSink } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type ResourcePath } from "../model/path.js";
import type { SendItem, SendOptions, SendReport } from "../model/send.js";
import type { VirtualObserving } from "../model/virtual-observe.js";
import type { Clock, Log, Millis, Store } from "../ports.js";
import { AccessControl, type AccessControlEntries, noAccessControl } from "./access-control.js";
import type { Accounts, ServerAccount } from "./accounts.js";
import { AttributeStore } from "./attribute-store.js";
import type { Awaitable } from "./awaitable.js";
import type { BootstrapRunner } from "./bootstrap/bootstrap-runner.js";
import { Dispatcher } from "./dispatcher.js";
import type { ObjectTree } from "./object-tree.js";
import type { ObservedOperation } from "./observation.js";
import { ObservationMemory } from "./observation-memory.js";
import type { NotificationDefaults } from "./observation-rules.js";
import { Observations, type ObserveOptions } from "./observations.js";
import type { CompositeOperation, Operation, Origin, Reply } from "./operations.js";
import type { RegistrationState } from "./registration.js";
import type { RegistrationMemory } from "./registration-memory.js";
import type { RegistrationPolicy } from "./registration-policy.js";
import { type ConnectServer, Registrations } from "./registrations.js";
import { Sender, type SendTarget } from "./send.js";
import type { RegistrationStatus, ServerSession } from "./server-session.js";
import type { StructuredFormat } from "./versions.js";
import { VirtualObservations } from "./virtual-observe/observations.js";

export interface ClientOptions extends RegistrationPolicy {
  readonly tree: ObjectTree;
  readonly accounts: Accounts;
  /** What Object 2 holds; absent: this client has no such Object. */
  readonly accessControl?: AccessControlEntries;
  readonly clock: Clock;
  readonly log: Log;
  /** Where registrations survive a restart of the program. Absent: each start registers anew. */
  readonly registrationMemory?: RegistrationMemory;
  /** Of what a Server asks for without saying a format. SenML CBOR when absent. */
  readonly structuredFormat?: StructuredFormat;
  /** Where attributes and observations survive a restart of the program. Absent: they end with it. */
  readonly store?: Store;
  readonly onRegistrationChange?: (shortServerId: number, state: RegistrationState) => void;
}

const firmwareUpdateObject = 5;

export class Client {
  readonly #tree: ObjectTree;
  readonly #log: Log;
  readonly #usesQueueMode: boolean;
  readonly #registrations: Registrations;
  readonly #attributes = new AttributeStore(() => this.#memory?.attributesChanged());
  readonly #memory: ObservationMemory | undefined;
  readonly #observations: Observations;
  readonly #virtualObservations: VirtualObservations;
  readonly #access: AccessControl;
  readonly #dispatcher: Dispatcher;
  readonly #sender: Sender;
  readonly #onlineListeners = new Set<(shortServerId: number) => void>();
  readonly #ending = new AbortController();
  #stopListening: () => void = () => undefined;

  constructor(options: ClientOptions) {
    const { tree, clock, log, accounts, accessControl } = options;
    this.#tree = tree;
    this.#log = log;
    this.#usesQueueMode = options.queueMode !== undefined;
    this.#access =
      accessControl === undefined
        ? noAccessControl
        : new AccessControl({
            severalServers: () => accounts.servers().length > 1,
            entries: accessControl,
          });
    this.#observations = new Observations({
      clock,
      log,
      definitions: tree.definition,
      read: (origin, operation) => this.#dispatcher.perform(origin, operation),
      attributes: this.#attributes,
      changed: {
        observations: () => this.#memory?.observationsChanged(),
        kept: () => this.#memory?.keptChanged(),
        begun: () => this.#observationBegun(options.registrationMemory !== undefined),
      },
      defaults: (shortServerId) => notificationDefaults(accounts.server(shortServerId)),
      isReachable: (shortServerId) => this.isOnline(shortServerId),
      isStoring: (shortServerId) => accounts.server(shortServerId)?.settings().notificationStoring ?? false,
      // A lost report of an update would leave the Server waiting for the rest of its patience.
      confirmable: ([objectId]) => objectId === firmwareUpdateObject,
      watch: ([objectId]) => watchObjects(tree, objectId === undefined ? tree.objectIds() : [objectId]),
    });
    this.#memory =
      options.store &&
      new ObservationMemory({
        ...{ store: options.store, clock, log, definitions: tree.definition },
        attributes: () => this.#attributes.entries(),
        observations: () => this.#observations.entries(),
        kept: () => this.#observations.kept(),
      });
    this.#registrations = new Registrations({
      ...{ policy: options, accounts, tree, clock, log },
      memory: options.registrationMemory,
      on: {
        stateChanged: (shortServerId, state) => options.onRegistrationChange?.(shortServerId, state),
        forgetObservations: (shortServerId) => this.#observations.endAllOf(shortServerId),
        online: (shortServerId) => {
          this.#online(shortServerId);
          for (const listener of this.#onlineListeners) listener(shortServerId);
        },
        observationsSaved: async () => (await this.#memory?.observationsSaved()) ?? false,
        accountGone: (shortServerId) => this.#attributes.forgetServer(shortServerId),
      },
    });
    this.#dispatcher = new Dispatcher({
      tree,
      access: this.#access,
      attributes: this.#attributes,
      attributesChanged: () => this.#observations.rulesChanged(),
      ...(options.structuredFormat !== undefined && { structuredFormat: options.structuredFormat }),
    });
    this.#virtualObservations = new VirtualObservations({
      ...{ tree, access: this.#access, clock, log },
      servers: () => accounts.servers().map(({ shortServerId }) => shortServerId),
    });
    this.#sender = new Sender({
      definitions: tree.definition,
      targets: () => accounts.servers().map((account) => this.#sendTarget(account)),
      read: (origin, paths) => this.#dispatcher.readable(origin, paths),
      mayRead: (origin, path) => this.#dispatcher.mayRead(origin, path),
      signal: this.#ending.signal,
    });
  }

  /** Registers with the Server of each account, and stays registered; without any it asks the Bootstrap-Server. */
  async start(connect: ConnectServer, bootstrap?: BootstrapRunner): Promise<void> {
    this.#stopListening = this.#tree.onChange((change) => {
      this.#observations.changed(change);
      this.#virtualObservations.changed(change);
      this.#registrations.follow(change);
      if (change.kind !== "values") return;
      void this.#forgetGoneAttributes(change.paths);
      if (change.paths.some(isNotificationDefault)) this.#observations.rulesChanged();
    });
    const isComplete = await this.#recall();
    this.#virtualObservations.start();
    await this.#registrations.start(connect, bootstrap, isComplete);
  }

  get usesQueueMode(): boolean {
    return this.#usesQueueMode;
  }

  /** undefined unless that Server may speak to us: only while we are registered with it (Core §6.2), and awake. */
  origin(shortServerId: number): Origin | undefined {
    return this.#registrations.session(shortServerId)?.origin;
  }

  registrationState(shortServerId: number): RegistrationState | undefined {
    return this.#registrations.session(shortServerId)?.state;
  }

  /** undefined for a Server that we have no account of. */
  registrationStatus(shortServerId: number): RegistrationStatus | undefined {
    return this.#registrations.session(shortServerId)?.status();
  }

  /** Are we registered with that Server? Not while it does not answer, or has disabled us. */
  isOnline(shortServerId: number): boolean {
    return this.#registrations.session(shortServerId)?.isOnline ?? false;
  }

  /** In queue mode: do we listen to that Server? What is sent to it wakes us in any case. */
  isAwake(shortServerId: number): boolean {
    return this.#registrations.session(shortServerId)?.isAwake ?? false;
  }

  /** A Server has just answered a Register or an Update: what waited for it may go out. Call the result to stop. */
  onOnline(listener: (shortServerId: number) => void): () => void {
    this.#onlineListeners.add(listener);
    return () => void this.#onlineListeners.delete(listener);
  }

  /** For Virtual Observe Notify (Object 22). */
  get virtualObserving(): VirtualObserving {
    return this.#virtualObservations;
  }

  get observationCount(): number {
    return this.#observations.count;
  }

  /** Values that wait for a Server that cannot be reached. */
  get keptCount(): number {
    return this.#observations.kept().reduce((sum, { readings }) => sum + readings.length, 0);
  }

  // ---- What Servers ask ------------------------------------------------------------------------------------------

  perform(origin: Origin, operation: Operation | CompositeOperation): Awaitable<Reply> {
    return this.#dispatcher.perform(origin, operation);
  }

  /**
   * Sends values to Servers that want them.
   * @throws TypeError for a path that is none, and for a value that its Resource does not take
   */
  send(items: readonly SendItem[], options?: SendOptions): Promise<readonly SendReport[]> {
    return this.#sender.send(items, options);
  }

  /** A large Opaque value begins to arrive; undefined: collect it and `perform` the whole. */
  receive(
    origin: Origin,
    operation: Operation | CompositeOperation,
    size: number | undefined,
  ): Promise<ValueSink | undefined> {
    return this.#dispatcher.receive(origin, operation, size);
  }

  observe(origin: Origin, operation: ObservedOperation, options: ObserveOptions): Promise<Reply> {
    return this.#observations.observe(origin, operation, options);
  }

  endObservation(key: string): void {
    this.#observations.end(key);
  }

  // ---- What happens to the client -------------------------------------------------------------------------------

  /** By Execute of /1/x/8. */
  triggerUpdate(shortServerId: number): void {
    this.#session(shortServerId).triggerUpdate();
  }

  /** By Execute of /1/x/4. */
  disable(shortServerId: number, duration: Millis): void {
    this.#session(shortServerId).disable(duration);
  }

  /** By Execute of /1/x/9. */
  triggerBootstrap(): void {
    this.#registrations.triggerBootstrap();
  }

  /** A message went to a Server, or came from it: queue mode counts the time from there. */
  traffic(shortServerId: number, direction: "sent" | "received"): void {
    this.#registrations.session(shortServerId)?.traffic(direction);
  }

  /** Our address changed, or the network came back. */
  networkChanged(): void {
    this.#registrations.networkChanged();
  }

  /** De-registers from every Server. */
  async stop(): Promise<void> {
    this.#stopListening();
    this.#ending.abort();
    this.#virtualObservations.close();
    this.#observations.close();
    await this.#registrations.stop();
    await this.#memory?.close();
  }

  /** Falls silent at once, as a board does that restarts: the Servers keep the registration. */
  async abandon(): Promise<void> {
    this.#stopListening();
    this.#ending.abort();
    this.#virtualObservations.close();
    await this.#registrations.abandon();
    if (this.#memory) await this.#memory.close(); // as it is now, so that the next run goes on with it
    this.#observations.close();
  }

  /** What Servers attached and observed in an earlier run. Resolves with whether all of that is known. */
  async #recall(): Promise<boolean> {
    if (this.#memory === undefined) return true;
    const { attributes, observations, kept, isComplete } = await this.#memory.load();
    this.#attributes.restore(attributes);
    this.#observations.restore(observations, kept);
    return isComplete;
  }

  /**
   * Where registrations go on over a restart, so does what a Server was told that it observes: it must not be lost with the
   * power. What cannot be saved, as the log says, goes on all the same while the program runs, and then the registration ends.
   */
  async #observationBegun(resumes: boolean): Promise<void> {
    if (!resumes) this.#memory?.observationsChanged();
    else if (!(await this.#memory?.observationsSaved())) this.#registrations.forget();
  }

  /** The Server has answered a Register, which has ended its observations, or an Update. */
  #online(shortServerId: number): void {
    const session = this.#registrations.session(shortServerId);
    const observerOf = (record: string) => session?.connection.restoreObserver?.(record);
    if (this.#observations.resume(shortServerId, observerOf)) this.#observations.reachable(shortServerId);
    else session?.observationsLost();
  }

  /** A Write may take Resource Instances away, and what was attached to them goes with them. */
  async #forgetGoneAttributes(paths: readonly ResourcePath[]): Promise<void> {
    for (const path of paths) {
      const ids = this.#attributes.resourceInstancesBelow(path);
      if (ids.length === 0) continue;
      const handler = this.#tree.resource(...path)?.handler;
      try {
        const present = await handler?.read?.();
        const isThere = (id: number) => present instanceof Map && present.has(id);
        for (const id of ids) if (!isThere(id)) this.#attributes.forget([...path, id]);
      } catch (error) {
        this.#log.debug("attributes not checked", { path: formatPath(path), error });
      }
    }
  }

  #sendTarget({ shortServerId, settings }: ServerAccount): SendTarget {
    const session = this.#registrations.session(shortServerId);
    return {
      shortServerId,
      origin: session?.registeredOrigin,
      isMuted: settings().muteSend,
      connection: session?.connection,
    };
  }

  #session(shortServerId: number): ServerSession {
    const session = this.#registrations.session(shortServerId);
    if (session === undefined)
      throw new RequestError("5.00", `no Server has the Short Server ID ${shortServerId}`);
    return session;
  }
}

const serverObjectId = 1;
/** Default Minimum and Maximum Period, and Default Notification Mode. */
const notificationDefaultResources: readonly number[] = [2, 3, 26];

const isNotificationDefault = ([objectId, , resourceId]: ResourcePath): boolean =>
  objectId === serverObjectId && notificationDefaultResources.includes(resourceId);

/** Default Periods and Default Notification Mode; none for a Server whose account is gone. */
function notificationDefaults(account: ServerAccount | undefined): NotificationDefaults {
  if (account === undefined) return {};
  const { defaultMinimumPeriodSeconds, defaultMaximumPeriodSeconds, confirmableByDefault } =
    account.settings();
  return {
    minimumPeriod: defaultMinimumPeriodSeconds,
    confirmable: confirmableByDefault,
    ...(defaultMaximumPeriodSeconds !== undefined && { maximumPeriod: defaultMaximumPeriodSeconds }),
  };
}

function watchObjects(tree: ObjectTree, objectIds: readonly number[]): () => void {
  const unwatch = objectIds.map((objectId) => tree.watch(objectId));
  return () => {
    for (const end of unwatch) end();
  };
}
