/**
 * The LwM2M Client: its Objects, its Servers, and what goes on between them. Transports bring operations to `perform`
 * and `observe`, and carry registrations and notifications away; this folder never says how.
 */
import type { ValueSink } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type ResourcePath } from "../model/path.js";
import type { Clock, Log, Millis } from "../ports.js";
import { AccessControl, type AccessControlEntries, noAccessControl } from "./access-control.js";
import type { Accounts, ServerAccount } from "./accounts.js";
import { AttributeStore } from "./attribute-store.js";
import type { Awaitable } from "./awaitable.js";
import { Dispatcher } from "./dispatcher.js";
import { objectLinks } from "./object-links.js";
import type { ObjectTree } from "./object-tree.js";
import type { ObservedOperation } from "./observation.js";
import type { NotificationDefaults } from "./observation-rules.js";
import { Observations, type ObserveOptions } from "./observations.js";
import type { CompositeOperation, LwM2mVersion, Operation, Origin, Reply } from "./operations.js";
import type { RegistrationSettings, RegistrationState } from "./registration.js";
import type { ServerConnection } from "./server-connection.js";
import { ServerSession } from "./server-session.js";

export interface ClientOptions {
  readonly endpointName: string;
  readonly version: LwM2mVersion;
  /** As /3/0/16 says. */
  readonly binding: string;
  readonly tree: ObjectTree;
  readonly accounts: Accounts;
  /** What Object 2 holds; absent: this client has no such Object. */
  readonly accessControl?: AccessControlEntries;
  readonly clock: Clock;
  readonly log: Log;
  readonly onRegistrationChange?: (shortServerId: number, state: RegistrationState) => void;
}

/** The way to the Server of an account. It is not used before it has to be. */
export type ConnectServer = (account: ServerAccount) => ServerConnection;

const firmwareUpdateObject = 5;

export class Client {
  readonly #options: ClientOptions;
  readonly #sessions = new Map<number, ServerSession>();
  readonly #attributes = new AttributeStore();
  readonly #observations: Observations;
  readonly #access: AccessControl;
  readonly #dispatcher: Dispatcher;
  #stopListening: () => void = () => undefined;

  constructor(options: ClientOptions) {
    const { tree, clock, log, accounts, accessControl } = options;
    this.#options = options;
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
      defaults: (shortServerId) => notificationDefaults(accounts.server(shortServerId)),
      isReachable: (shortServerId) => this.origin(shortServerId) !== undefined,
      isStoring: (shortServerId) => accounts.server(shortServerId)?.settings().notificationStoring ?? false,
      // A lost report of an update would leave the Server waiting for the rest of its patience.
      confirmable: ([objectId]) => objectId === firmwareUpdateObject,
      watch: ([objectId]) => watchObjects(tree, objectId === undefined ? tree.objectIds() : [objectId]),
    });
    this.#dispatcher = new Dispatcher({
      tree,
      access: this.#access,
      attributes: this.#attributes,
      attributesChanged: () => this.#observations.rulesChanged(),
    });
  }

  /** Registers with the Server of each account, and stays registered. */
  start(connect: ConnectServer): void {
    this.#listen();
    for (const account of this.#options.accounts.servers()) this.#connect(account, connect(account));
  }

  #connect(account: ServerAccount, connection: ServerConnection): void {
    const { endpointName, version, binding, tree, clock, log, onRegistrationChange } = this.#options;
    const { shortServerId } = account;
    const session = new ServerSession({
      shortServerId,
      version,
      connection,
      clock,
      log: log.child({ shortServerId }),
      settings: () => registrationSettings(account),
      registerRequest: () => ({
        endpointName,
        version,
        binding,
        lifetime: account.settings().lifetimeSeconds,
        objects: objectLinks(tree),
      }),
      forgetObservations: () => this.#observations.endAllOf(shortServerId),
      onStateChange: (state) => onRegistrationChange?.(shortServerId, state),
    });
    this.#sessions.set(shortServerId, session);
    session.start();
  }

  #listen(): void {
    this.#stopListening = this.#options.tree.onChange((change) => {
      this.#observations.changed(change);
      if (change.kind === "values") void this.#forgetGoneAttributes(change.paths);
      if (change.kind !== "instances") return;
      for (const session of this.#sessions.values()) session.changed("objects");
    });
  }

  /** undefined unless that Server may speak to us: only while we are registered with it (Core §6.2). */
  origin(shortServerId: number): Origin | undefined {
    return this.#sessions.get(shortServerId)?.origin;
  }

  registrationState(shortServerId: number): RegistrationState | undefined {
    return this.#sessions.get(shortServerId)?.state;
  }

  get observationCount(): number {
    return this.#observations.count;
  }

  // ---- What Servers ask ------------------------------------------------------------------------------------------

  perform(origin: Origin, operation: Operation | CompositeOperation): Awaitable<Reply> {
    return this.#dispatcher.perform(origin, operation);
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

  /** The lifetime of a Server was written. */
  lifetimeChanged(shortServerId: number): void {
    this.#sessions.get(shortServerId)?.changed("lifetime");
  }

  /** The Default Periods or the Default Notification Mode of a Server were written. */
  notificationDefaultsChanged(): void {
    this.#observations.rulesChanged();
  }

  triggerUpdate(shortServerId: number): void {
    this.#session(shortServerId).triggerUpdate();
  }

  disable(shortServerId: number, duration: Millis): void {
    this.#session(shortServerId).disable(duration);
  }

  /** De-registers from every Server. */
  async stop(): Promise<void> {
    this.#stopListening();
    this.#observations.close();
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
  }

  /** Falls silent at once, as a board does that restarts: the Servers keep the registration. */
  abandon(): void {
    this.#stopListening();
    this.#observations.close();
    for (const session of this.#sessions.values()) session.abandon();
  }

  /** A Write may take Resource Instances away, and what was attached to them goes with them. */
  async #forgetGoneAttributes(paths: readonly ResourcePath[]): Promise<void> {
    for (const path of paths) {
      const ids = this.#attributes.resourceInstancesBelow(path);
      if (ids.length === 0) continue;
      const handler = this.#options.tree.resource(...path)?.handler;
      try {
        const present = await handler?.read?.();
        const isThere = (id: number) => present instanceof Map && present.has(id);
        for (const id of ids) if (!isThere(id)) this.#attributes.forget([...path, id]);
      } catch (error) {
        this.#options.log.debug("attributes not checked", { path: formatPath(path), error });
      }
    }
  }

  #session(shortServerId: number): ServerSession {
    const session = this.#sessions.get(shortServerId);
    if (session === undefined)
      throw new RequestError("5.00", `no Server has the Short Server ID ${shortServerId}`);
    return session;
  }
}

function registrationSettings(account: ServerAccount): RegistrationSettings {
  const settings = account.settings();
  return {
    lifetime: settings.lifetimeSeconds,
    retryCount: settings.retryCount,
    retryTimer: settings.retryTimerSeconds,
    sequenceDelay: settings.sequenceDelaySeconds,
    sequenceRetryCount: settings.sequenceRetryCount,
  };
}

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
