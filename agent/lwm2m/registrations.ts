/**
 * The registrations with all Servers: a session for each account, in the order that `registration-order.ts` decides, and
 * the Bootstrap-Server when that says so.
 */
import { type Clock, type Log, type Millis, millis, seconds, type Timer } from "../ports.js";
import type { Accounts, ServerAccount } from "./accounts.js";
import type { BootstrapRunner } from "./bootstrap/bootstrap-runner.js";
import { objectLinks } from "./object-links.js";
import type { ObjectTree, TreeChange } from "./object-tree.js";
import type { LwM2mVersion } from "./operations.js";
import type { RegistrationSettings, RegistrationState } from "./registration.js";
import type { RegistrationMemory, RememberedRegistration } from "./registration-memory.js";
import { firstOffer } from "./registration-offer.js";
import {
  type OrderEffect,
  type OrderEvent,
  type OrderState,
  orderTable,
  type Turn,
} from "./registration-order.js";
import type { RegistrationPolicy } from "./registration-policy.js";
import { bindingTerms } from "./registration-terms.js";
import type { ServerConnection } from "./server-connection.js";
import { ServerSession, type SessionListener } from "./server-session.js";
import { step } from "./state-machine.js";

/** The way to the Server of an account. It is not used before it has to be. */
export type ConnectServer = (account: ServerAccount) => ServerConnection;

export interface RegistrationsOptions {
  readonly policy: RegistrationPolicy;
  readonly accounts: Accounts;
  readonly tree: ObjectTree;
  /** Absent: every start of the program registers anew. */
  readonly memory: RegistrationMemory | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly on: RegistrationsListener;
}

export interface RegistrationsListener {
  stateChanged(shortServerId: number, state: RegistrationState): void;
  forgetObservations(shortServerId: number): void;
  online(shortServerId: number): void;
  /** Saves what Servers observe, to go on where their registrations do. Resolves with whether it is on disk. */
  observationsSaved(): Promise<boolean>;
  /** The account is gone, and with it whatever was kept for that Server. */
  accountGone(shortServerId: number): void;
}

interface Entry {
  readonly account: ServerAccount;
  readonly session: ServerSession;
}

export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #entries = new Map<number, Entry>();
  #connect: ConnectServer | undefined;
  /** May registrations of an earlier run go on? */
  #resumes = true;
  #bootstrap: BootstrapRunner | undefined;
  #order: OrderState = { name: "idle" };
  #timer: Timer | undefined;
  #bootstrapping = new AbortController();
  #bootstrapEnded: Promise<void> = Promise.resolve();
  #remembering: Promise<void> = Promise.resolve();
  #stopListening: () => void = () => undefined;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
  }

  /** @param resumes whether registrations of an earlier run may go on, as far as they are remembered */
  async start(connect: ConnectServer, bootstrap?: BootstrapRunner, resumes = true): Promise<void> {
    const { accounts, memory } = this.#options;
    this.#resumes = resumes;
    this.#connect = connect;
    this.#bootstrap = bootstrap;
    await memory?.load();
    this.#stopListening = accounts.onChange(() => {
      // In the middle of a bootstrap that we began, its end is what counts.
      if (this.#order.name !== "bootstrapping") this.#accountsReady();
    });
    this.#accountsReady();
  }

  session(shortServerId: number): ServerSession | undefined {
    return this.#entries.get(shortServerId)?.session;
  }

  /** Our address changed, or the network came back: without security it is what Servers know us by. */
  networkChanged(): void {
    for (const { session } of this.#entries.values()) session.networkChanged();
  }

  /** By Execute of /1/x/9. */
  triggerBootstrap(): void {
    this.#handle({ type: "bootstrapTriggered" });
  }

  /** No registration goes on after a restart: what Servers observe cannot be saved. */
  forget(): void {
    for (const { account } of this.#entries.values()) this.#remember(account, undefined);
  }

  /** What Servers should know of the Objects, or of their own accounts, may have changed. */
  follow(change: TreeChange): void {
    for (const { account, session } of this.#entries.values()) {
      if (change.kind === "instances" || change.paths.some((path) => isRegistered(path, account))) {
        session.changed();
      }
    }
  }

  /** De-registers from every Server. */
  async stop(): Promise<void> {
    this.#stopListening();
    this.#handle({ type: "stop" });
    await Promise.all([this.#bootstrapEnded, ...this.#sessions().map((session) => session.stop())]);
    await this.#remembering;
  }

  /** Falls silent at once, as a board does that restarts: the Servers keep the registration. */
  async abandon(): Promise<void> {
    this.#stopListening();
    this.#handle({ type: "stop" });
    for (const session of this.#sessions()) session.abandon();
    await this.#remembering;
  }

  #sessions(): ServerSession[] {
    return [...this.#entries.values()].map(({ session }) => session);
  }

  // ---- Order ----------------------------------------------------------------------------------------------------

  #handle(event: OrderEvent): void {
    const before = this.#order.name;
    const [state, ...effects] = step(orderTable, this.#order, event);
    this.#order = state;
    if (state.name !== before) this.#timer?.cancel();
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: OrderEffect): void {
    const { clock, log } = this.#options;
    switch (effect.do) {
      case "start":
        this.session(effect.shortServerId)?.start(effect.delay);
        return;
      case "wait":
        this.#timer = clock.after(effect.duration, () => this.#handle({ type: "timerFired" }));
        return;
      case "bootstrap":
        this.#bootstrapEnded = this.#runBootstrap();
        return;
      case "endBootstrap":
        this.#bootstrapping.abort();
        return;
      case "reportNoServer":
        log.error("no server", { advice: "configure a Server, or a Bootstrap-Server that names one" });
        return;
    }
  }

  async #runBootstrap(): Promise<void> {
    this.#bootstrapping = new AbortController();
    const { signal } = this.#bootstrapping;
    const outcome = await this.#bootstrap?.run(signal).catch((error: unknown) => {
      this.#options.log.error("bootstrap failed", { error });
      return "failed" as const;
    });
    if (signal.aborted) return;
    if (outcome === "done") this.#accountsReady();
    else
      this.#handle({ type: "bootstrapFailed", connected: this.#sessions().some(({ isOnline }) => isOnline) });
  }

  #failed({ account: { shortServerId, settings } }: Entry, outcome: "sequenceFailed" | "exhausted"): void {
    const { failureBlock: block, bootstrapOnFailure } = settings();
    const bootstrap = bootstrapOnFailure && this.#canBootstrap;
    this.#handle(
      outcome === "exhausted"
        ? { type: outcome, shortServerId, block, bootstrap }
        : { type: outcome, shortServerId, block },
    );
  }

  get #canBootstrap(): boolean {
    return this.#bootstrap?.available ?? false;
  }

  // ---- Accounts -------------------------------------------------------------------------------------------------

  /** Makes the sessions those of the accounts, and gives a turn to each that is not registered. */
  #accountsReady(): void {
    const { accounts, on } = this.#options;
    for (const [shortServerId, { account, session }] of this.#entries) {
      const now = accounts.server(shortServerId);
      if (now !== undefined && isSame(now, account)) continue;
      session.abandon();
      on.forgetObservations(shortServerId);
      this.#remember(account, undefined); // should it come back, it is another registration
      this.#entries.delete(shortServerId);
      if (now === undefined) on.accountGone(shortServerId);
    }
    const turns = accounts.servers().flatMap((account) => this.#turnOf(account));
    this.#handle(
      accounts.servers().length === 0
        ? { type: "noAccounts", canBootstrap: this.#canBootstrap }
        : { type: "accountsReady", turns },
    );
  }

  /** None for a Server that needs none: that knows us, or will. */
  #turnOf(account: ServerAccount): Turn[] {
    const { policy, memory } = this.#options;
    const { shortServerId } = account;
    const known = this.#entries.get(shortServerId);
    if (known !== undefined) {
      known.session.changed();
      const { name } = known.session.state;
      return name === "unregistered" || name === "backingOff" ? [turnOf(account, millis(0))] : [];
    }
    const { session } = this.#add(account);
    const startDelay = policy.startDelay ?? millis(0);
    const remembered = this.#resumes ? memory?.find(account, policy) : undefined;
    if (remembered === undefined) return [turnOf(account, startDelay)];
    session.resume(remembered, startDelay);
    return [];
  }

  #add(account: ServerAccount): Entry {
    const { accounts, clock, log, policy } = this.#options;
    const connect = this.#connect;
    if (connect === undefined) throw new Error("registrations have not been started");
    const { shortServerId } = account;
    // Settings count as they are now, also those of an account that a bootstrap has written anew.
    const settings = () => (accounts.server(shortServerId) ?? account).settings();
    const session = new ServerSession({
      shortServerId,
      connection: connect(account),
      settings: () => this.#settingsOf(settings()),
      terms: (version) => ({
        lifetime: settings().lifetimeSeconds,
        ...bindingTerms(version, policy.binding, policy.queueMode !== undefined),
        objects: objectLinks(this.#options.tree, version),
      }),
      registerRequest: ({ version, profile }, terms) => ({
        ...terms,
        endpointName: policy.endpointName,
        version,
        ...(profile && this.#profileTerms(version)),
      }),
      awakeTime: policy.queueMode?.awakeTime,
      clock,
      log: log.child({ shortServerId }),
      on: this.#listenerOf(() => entry),
    });
    const entry: Entry = { account, session };
    this.#entries.set(shortServerId, entry);
    return entry;
  }

  #settingsOf(settings: ReturnType<ServerAccount["settings"]>): RegistrationSettings {
    const { version, minimumVersion = version, profile, keepAliveSeconds } = this.#options.policy;
    const { supportedVersions } = settings;
    return {
      lifetime: settings.lifetimeSeconds,
      retryCount: settings.retryCount,
      retryTimer: settings.retryTimerSeconds,
      sequenceDelay: settings.sequenceDelaySeconds,
      sequenceRetryCount: settings.sequenceRetryCount,
      firstOffer: firstOffer({ version, minimumVersion, supportedVersions, profile: profile !== undefined }),
      minimumVersion,
      keepAlive: keepAliveSeconds,
    };
  }

  /** The Profile ID, and a list only of what it does not cover. */
  #profileTerms(version: LwM2mVersion) {
    const { policy, tree } = this.#options;
    const uncovered = new Set(policy.profile?.uncovered ?? []);
    const objects =
      uncovered.size === 0 ? undefined : objectLinks(tree, version, (objectId) => uncovered.has(objectId));
    return { objects, ...(policy.profile && { profileId: policy.profile.id }) };
  }

  #listenerOf(entry: () => Entry): SessionListener {
    const { on } = this.#options;
    return {
      stateChanged: (state) => {
        const { shortServerId } = entry().account;
        on.stateChanged(shortServerId, state);
        if (state.name === "registered") this.#handle({ type: "registered", shortServerId });
      },
      failed: (outcome) => this.#failed(entry(), outcome),
      forgetObservations: () => on.forgetObservations(entry().account.shortServerId),
      online: () => on.online(entry().account.shortServerId),
      remember: (registration) => this.#remember(entry().account, registration),
    };
  }

  /** In the order in which it happens. A registration whose observations are not on disk must not go on. */
  #remember(account: ServerAccount, registration: RememberedRegistration | undefined): void {
    const { on, memory, policy } = this.#options;
    if (memory === undefined) return;
    this.#remembering = this.#remembering.then(async () => {
      const goesOn = registration !== undefined && (await on.observationsSaved());
      await memory.remember(account, policy, goesOn ? registration : undefined);
    });
  }
}

const turnOf = (account: ServerAccount, startDelay: Millis): Turn => {
  const { priorityOrder, initialDelaySeconds } = account.settings();
  return {
    shortServerId: account.shortServerId,
    priorityOrder,
    delay: millis(seconds(initialDelaySeconds) + startDelay),
  };
};

const isSame = (a: ServerAccount, b: ServerAccount): boolean =>
  a.uri === b.uri &&
  a.securityInstanceId === b.securityInstanceId &&
  a.serverInstanceId === b.serverInstanceId;

const serverObjectId = 1;
/** Lifetime and Binding: what a Register says of /1/x. */
const registeredResources: readonly (number | undefined)[] = [1, 7];

const isRegistered = (
  [objectId, objectInstanceId, resourceId]: TreePath,
  { serverInstanceId }: ServerAccount,
): boolean =>
  objectId === serverObjectId &&
  objectInstanceId === serverInstanceId &&
  registeredResources.includes(resourceId);

type TreePath = Extract<TreeChange, { kind: "values" }>["paths"][number];
