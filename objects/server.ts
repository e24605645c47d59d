import {
  defineObject,
  type Handlers,
  multipleInstances,
  type ObjectImplementation,
} from "../agent/model/definition.js";
import { ConfigError, DecodeError, RequestError } from "../agent/model/errors.js";
import type { ObjectLink } from "../agent/model/value.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import {
  boolean,
  integer,
  nullable,
  optional,
  type Parser,
  shape,
  text,
} from "../agent/persistence/record-format.js";
import type { Log, Store } from "../agent/ports.js";

/** Largest 32-bit number. The registry gives no ranges here; negative times and counts mean nothing. */
const MAX_UINT32 = 4294967295;

/** OMA registry, Object 1 version 1.1. */
export const Server = defineObject({
  id: 1,
  name: "LwM2M Server",
  version: "1.1",
  instances: "multiple",
  resources: {
    shortServerId: { id: 0, operations: "R", type: "integer", mandatory: true, range: [1, 65534] },
    lifetime: {
      id: 1,
      operations: "RW",
      type: "integer",
      mandatory: true,
      range: [0, MAX_UINT32],
      units: "s",
    },
    defaultMinimumPeriod: { id: 2, operations: "RW", type: "integer", range: [0, MAX_UINT32], units: "s" },
    defaultMaximumPeriod: { id: 3, operations: "RW", type: "integer", range: [0, MAX_UINT32], units: "s" },
    disable: { id: 4, operations: "E" },
    disableTimeout: { id: 5, operations: "RW", type: "integer", range: [0, MAX_UINT32], units: "s" },
    notificationStoring: { id: 6, operations: "RW", type: "boolean", mandatory: true },
    binding: { id: 7, operations: "RW", type: "string", mandatory: true },
    registrationUpdateTrigger: { id: 8, operations: "E", mandatory: true },
    bootstrapRequestTrigger: { id: 9, operations: "E" },
    apnLink: { id: 10, operations: "RW", type: "objlnk" },
    tlsAlertCode: { id: 11, operations: "R", type: "unsigned", range: [0, 255] },
    lastBootstrapped: { id: 12, operations: "R", type: "time" },
    registrationPriorityOrder: { id: 13, operations: "R", type: "unsigned", range: [0, MAX_UINT32] },
    initialRegistrationDelay: {
      id: 14,
      operations: "RW",
      type: "unsigned",
      range: [0, MAX_UINT32],
      units: "s",
    },
    registrationFailureBlock: { id: 15, operations: "R", type: "boolean" },
    bootstrapOnRegistrationFailure: { id: 16, operations: "R", type: "boolean" },
    retryCount: { id: 17, operations: "RW", type: "unsigned", range: [0, MAX_UINT32] },
    retryTimer: { id: 18, operations: "RW", type: "unsigned", range: [0, MAX_UINT32], units: "s" },
    sequenceDelayTimer: { id: 19, operations: "RW", type: "unsigned", range: [0, MAX_UINT32], units: "s" },
    sequenceRetryCount: { id: 20, operations: "RW", type: "unsigned", range: [0, MAX_UINT32] },
    trigger: { id: 21, operations: "RW", type: "boolean" },
    preferredTransport: { id: 22, operations: "RW", type: "string", range: [1, 1] },
    muteSend: { id: 23, operations: "RW", type: "boolean" },
  },
});

/**
 * What a Server may change about its account. Names and meanings are those of the Object; durations are in seconds. An
 * absent value means that the Resource is not instantiated.
 */
export interface ServerPreferences {
  readonly lifetime: number;
  readonly notificationStoring: boolean;
  /** Letters of the bindings that the server accepts, such as `U`. */
  readonly binding: string;
  readonly defaultMinimumPeriod?: number | undefined;
  readonly defaultMaximumPeriod?: number | undefined;
  readonly disableTimeout?: number | undefined;
  readonly apnLink?: ObjectLink | undefined;
  readonly initialRegistrationDelay?: number | undefined;
  readonly retryCount?: number | undefined;
  readonly retryTimer?: number | undefined;
  readonly sequenceDelayTimer?: number | undefined;
  readonly sequenceRetryCount?: number | undefined;
  readonly trigger?: boolean | undefined;
  readonly preferredTransport?: string | undefined;
  readonly muteSend?: boolean | undefined;
}

/** A Server as the operator describes it: where its account starts from. */
export interface ServerAccount extends Partial<ServerPreferences> {
  readonly shortServerId: number;
  readonly lifetime: number;
  readonly registrationPriorityOrder?: number | undefined;
  readonly registrationFailureBlock?: boolean | undefined;
  readonly bootstrapOnRegistrationFailure?: boolean | undefined;
}

/** What is in force for one Server: its account with the defaults of LwM2M Core 1.1 §6.2.1.1 filled in. */
export interface ServerSettings {
  readonly shortServerId: number;
  /** 0 means that the registration never expires. */
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly notificationStoring: boolean;
  readonly defaultMinimumPeriodSeconds: number;
  /** undefined: no maximum. */
  readonly defaultMaximumPeriodSeconds: number | undefined;
  readonly disableTimeoutSeconds: number;
  /** undefined: not ordered; registers independently of the others. */
  readonly priorityOrder: number | undefined;
  readonly initialDelaySeconds: number;
  readonly failureBlock: boolean;
  readonly bootstrapOnFailure: boolean;
  readonly retryCount: number;
  readonly retryTimerSeconds: number;
  /** undefined: no further sequence. */
  readonly sequenceDelaySeconds: number | undefined;
  readonly sequenceRetryCount: number;
  readonly muteSend: boolean;
}

export interface ServerOptions {
  readonly store: Store;
  readonly log: Log;
  readonly servers: readonly ServerAccount[];
  /** Orders of a Server. Each is called after its Execute has been answered. */
  readonly on: {
    disable(shortServerId: number, timeoutSeconds: number): void;
    updateTrigger(shortServerId: number): void;
    /** Absent when there is no Bootstrap-Server account: the Resource is not there then. */
    bootstrapTrigger?(shortServerId: number): void;
  };
}

export interface ServerObject extends ObjectImplementation {
  /**
   * What is in force now. What a Server wrote in an earlier run counts from `start` on.
   * @throws Error when there is no such account
   */
  settings(shortServerId: number): ServerSettings;
}

/**
 * The Server Object: one instance per account, in their order. What a Server writes wins over what the operator set,
 * and survives a restart.
 */
export function createServerObject(options: ServerOptions): ServerObject {
  const accounts = new Map<number, LiveAccount>();
  for (const account of options.servers) {
    if (accounts.has(account.shortServerId)) {
      throw new ConfigError(`two servers have the Short Server ID ${account.shortServerId}; make it unique`);
    }
    accounts.set(account.shortServerId, liveAccount(account, options));
  }
  return {
    ...multipleInstances(Server, {
      instances: new Map(
        [...accounts.values()].map((live, index) => [index, serverInstance(live, options.on)]),
      ),
      start: async () => {
        for (const { written } of accounts.values()) await written.load();
      },
    }),
    settings(shortServerId) {
      const live = accounts.get(shortServerId);
      if (live === undefined) throw new Error(`there is no server with the Short Server ID ${shortServerId}`);
      return settingsOf(live.account, live.preferences());
    },
  };
}

/** The Resources that a Server wrote; null for one that it took away. */
type WrittenPreferences = { readonly [Name in keyof ServerPreferences]?: ServerPreferences[Name] | null };

interface LiveAccount {
  readonly account: ServerAccount;
  readonly written: PersistentRecord<WrittenPreferences>;
  preferences(): ServerPreferences;
}

function liveAccount(account: ServerAccount, { store, log }: ServerOptions): LiveAccount {
  const written = new PersistentRecord<WrittenPreferences>({
    store,
    log,
    name: `server-${account.shortServerId}`,
    version: 1,
    initial: {},
    parse: parseWritten,
  });
  const preferences = (): ServerPreferences => ({
    notificationStoring: true,
    binding: "U",
    ...account,
    ...(Object.fromEntries(
      Object.entries(written.value).map(([name, value]) => [name, value ?? undefined]),
    ) as Partial<ServerPreferences>), // parseWritten and the handlers let in nothing else
  });
  return { account, written, preferences };
}

function serverInstance(live: LiveAccount, on: ServerOptions["on"]): Handlers<typeof Server> {
  const { account, written, preferences } = live;
  const { shortServerId } = account;
  const required = <Name extends keyof ServerPreferences>(name: Name) => ({
    read: () => preferences()[name],
    write: (value: NonNullable<ServerPreferences[Name]>) =>
      written.update((values) => ({ ...values, [name]: value })),
  });
  const preference = <Name extends keyof ServerPreferences>(name: Name) => ({
    ...required(name),
    remove: () => written.update((values) => ({ ...values, [name]: null })),
  });
  const { bootstrapTrigger } = on;
  return {
    shortServerId: { read: () => shortServerId },
    lifetime: required("lifetime"),
    defaultMinimumPeriod: preference("defaultMinimumPeriod"),
    defaultMaximumPeriod: preference("defaultMaximumPeriod"),
    disable: {
      execute: () => () =>
        on.disable(shortServerId, settingsOf(account, preferences()).disableTimeoutSeconds),
    },
    disableTimeout: preference("disableTimeout"),
    notificationStoring: required("notificationStoring"),
    binding: { ...required("binding"), check: checkBinding },
    registrationUpdateTrigger: { execute: () => () => on.updateTrigger(shortServerId) },
    ...(bootstrapTrigger && {
      bootstrapRequestTrigger: { execute: () => () => bootstrapTrigger(shortServerId) },
    }),
    apnLink: preference("apnLink"),
    registrationPriorityOrder: { read: () => account.registrationPriorityOrder },
    initialRegistrationDelay: preference("initialRegistrationDelay"),
    registrationFailureBlock: { read: () => account.registrationFailureBlock },
    bootstrapOnRegistrationFailure: { read: () => account.bootstrapOnRegistrationFailure },
    retryCount: preference("retryCount"),
    retryTimer: preference("retryTimer"),
    sequenceDelayTimer: preference("sequenceDelayTimer"),
    sequenceRetryCount: preference("sequenceRetryCount"),
    trigger: preference("trigger"),
    preferredTransport: { ...preference("preferredTransport"), check: checkBinding },
    muteSend: preference("muteSend"),
  };
}

/** LwM2M Core 1.1 §6.2.1.2: one letter per binding, none twice. `Q` is a flag of version 1.0 that servers still send. */
function checkBinding(value: string): void {
  if (!/^[UTSNQ]+$/.test(value) || new Set(value).size !== value.length || value === "Q") {
    throw new RequestError("4.00", `${JSON.stringify(value)} is not a binding`);
  }
}

const settingsOf = (account: ServerAccount, now: ServerPreferences): ServerSettings => ({
  shortServerId: account.shortServerId,
  lifetimeSeconds: now.lifetime,
  binding: now.binding,
  notificationStoring: now.notificationStoring,
  defaultMinimumPeriodSeconds: now.defaultMinimumPeriod ?? 0,
  defaultMaximumPeriodSeconds: now.defaultMaximumPeriod || undefined, // 0 means none as well
  disableTimeoutSeconds: now.disableTimeout ?? 86400,
  priorityOrder: account.registrationPriorityOrder,
  initialDelaySeconds: now.initialRegistrationDelay ?? 0,
  failureBlock: account.registrationFailureBlock ?? false,
  bootstrapOnFailure: account.bootstrapOnRegistrationFailure ?? true,
  retryCount: now.retryCount ?? 5,
  retryTimerSeconds: now.retryTimer ?? 60,
  sequenceDelaySeconds: now.sequenceDelayTimer === MAX_UINT32 ? undefined : (now.sequenceDelayTimer ?? 86400),
  sequenceRetryCount: now.sequenceRetryCount ?? 1,
  muteSend: now.muteSend ?? true,
});

const uint32 = integer(0, MAX_UINT32);
const objectLink: Parser<ObjectLink> = shape({
  objectId: integer(0, 65535),
  objectInstanceId: integer(0, 65535),
});
const binding: Parser<string> = (json) => {
  try {
    checkBinding(text(json));
  } catch (cause) {
    throw new DecodeError("not a binding", { cause });
  }
  return text(json);
};

const parseWritten: Parser<WrittenPreferences> = shape({
  // A Server cannot take the mandatory ones away, so they are never null.
  lifetime: optional(uint32),
  notificationStoring: optional(boolean),
  binding: optional(binding),
  defaultMinimumPeriod: optional(nullable(uint32)),
  defaultMaximumPeriod: optional(nullable(uint32)),
  disableTimeout: optional(nullable(uint32)),
  apnLink: optional(nullable(objectLink)),
  initialRegistrationDelay: optional(nullable(uint32)),
  retryCount: optional(nullable(uint32)),
  retryTimer: optional(nullable(uint32)),
  sequenceDelayTimer: optional(nullable(uint32)),
  sequenceRetryCount: optional(nullable(uint32)),
  trigger: optional(nullable(boolean)),
  preferredTransport: optional(nullable(binding)),
  muteSend: optional(nullable(boolean)),
});
