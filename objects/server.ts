import { defineObject, type Handlers, type ObjectImplementation } from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import type { ResourceInstances } from "../agent/model/value.js";
import { accountObject, storedHandlers } from "./accounts/account-object.js";
import { valueAt } from "./accounts/content.js";
import type { AccountStore } from "./accounts/store.js";

/** Largest 32-bit number. The registry gives no ranges here; negative times and counts mean nothing. */
export const MAX_UINT32 = 4294967295;

/** OMA registry, Object 1 version 1.2. */
export const Server = defineObject({
  id: 1,
  name: "LwM2M Server",
  version: "1.2",
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
    alternateApnLinks: { id: 24, operations: "RW", type: "objlnk", multiple: true },
    supportedServerVersions: { id: 25, operations: "RW", type: "string", multiple: true },
    defaultNotificationMode: { id: 26, operations: "RW", type: "integer", range: [0, 1] },
    profileIdHashAlgorithm: { id: 27, operations: "RW", type: "unsigned", range: [0, 255] },
  },
});

/** Orders of a Server. Each is called after its Execute has been answered. */
export interface ServerOrders {
  disable(shortServerId: number): void;
  updateTrigger(shortServerId: number): void;
  /** May this Server ask to be reached over the binding of this letter? */
  canUseBinding?(shortServerId: number, letter: string): boolean;
  bootstrapTrigger(shortServerId: number): void;
  /** Without a Bootstrap-Server account a Bootstrap-Request Trigger is refused. */
  canBootstrap(): boolean;
}

/** The Server Object over the accounts. What a Server writes survives a restart. */
export const createServerObject = (store: AccountStore, on: ServerOrders): ObjectImplementation =>
  accountObject(Server, store, (objectInstanceId) => serverInstance(store, objectInstanceId, on));

function serverInstance(
  store: AccountStore,
  objectInstanceId: number,
  on: ServerOrders,
): Handlers<typeof Server> {
  const stored = storedHandlers(Server, store, objectInstanceId);
  const shortServerId = () =>
    Number(valueAt(store.content, Server.id, objectInstanceId, Server.resources.shortServerId.id));
  return {
    ...stored,
    binding: { ...stored.binding, check: checkBinding },
    ...(stored.preferredTransport && {
      preferredTransport: { ...stored.preferredTransport, check: checkTransport },
    }),
    ...(stored.supportedServerVersions && {
      supportedServerVersions: { ...stored.supportedServerVersions, check: checkVersions },
    }),
    disable: { execute: () => () => on.disable(shortServerId()) },
    registrationUpdateTrigger: {
      execute: (args) => {
        // Argument 0 names a binding (Core 1.2 §6.2.2.3). Of those that we have the connection uses one already.
        const binding = args.get(0);
        if (binding !== undefined && on.canUseBinding?.(shortServerId(), binding) === false) {
          throw new RequestError("4.00", `the binding ${binding} cannot be used`);
        }
        return () => on.updateTrigger(shortServerId());
      },
    },
    bootstrapRequestTrigger: {
      execute: () => {
        if (!on.canBootstrap()) throw new RequestError("4.05", "there is no Bootstrap-Server account");
        return () => on.bootstrapTrigger(shortServerId());
      },
    },
  };
}

/** LwM2M Core 1.2 §6.2.1.2: one letter per binding, none twice. `Q` is a flag of version 1.0 that servers still send. */
export function checkBinding(value: string): void {
  if (!/^[UMHTSNQ]+$/.test(value) || new Set(value).size !== value.length || value === "Q") {
    throw new RequestError("4.00", `${JSON.stringify(value)} is not a binding`);
  }
}

function checkTransport(value: string): void {
  if (!/^[UMHTSN]$/.test(value))
    throw new RequestError("4.00", `${JSON.stringify(value)} is not a transport`);
}

function checkVersions(versions: ResourceInstances): void {
  for (const version of versions.values()) {
    if (!/^\d+\.\d+(\.\d+)?$/.test(String(version))) {
      throw new RequestError("4.00", `${JSON.stringify(version)} is not a version of LwM2M`);
    }
  }
}
