/** The accounts as the engine asks for them, read off the content whenever it is needed. */
import type { ObjectLink } from "../../agent/model/value.js";
import { AccessControl } from "../access-control.js";
import { Security } from "../security.js";
import { MAX_UINT32, Server } from "../server.js";
import {
  type AccountContent,
  instanceContent,
  instancesOf,
  lowestFreeId,
  namedValues,
  withInstance,
  withoutInstance,
} from "./content.js";
import type { AccountStore } from "./store.js";

/** The Server and Bootstrap-Server accounts; an instance of Security without its instance of Server is none. */
export const createAccounts = (store: AccountStore) => ({
  servers: () => serversIn(store),
  server: (shortServerId: number) =>
    serversIn(store).find((account) => account.shortServerId === shortServerId),
  bootstrapServer: () => bootstrapServerIn(store.content),
  onChange: (listener: () => void) =>
    store.onChange((before, after) => {
      const changed = [Security.id, Server.id].some(
        (objectId) => before.get(objectId) !== after.get(objectId),
      );
      if (changed) listener();
    }),
});

function serversIn(store: AccountStore) {
  const { content } = store;
  const servers = instancesOf(content, Server.id).map(([id, resources]) => ({
    id,
    shortServerId: namedValues(Server, resources).shortServerId,
  }));
  return instancesOf(content, Security.id).flatMap(([securityInstanceId, resources]) => {
    const { bootstrapServer, shortServerId, serverUri: uri } = namedValues(Security, resources);
    if (bootstrapServer !== false || shortServerId === undefined || uri === undefined) return [];
    const server = servers.find((one) => one.shortServerId === shortServerId);
    if (server === undefined) return [];
    const settings = () => settingsOf(store.content, server.id);
    return [{ shortServerId, uri, securityInstanceId, serverInstanceId: server.id, settings }];
  });
}

export function bootstrapServerIn(content: AccountContent) {
  for (const [securityInstanceId, resources] of instancesOf(content, Security.id)) {
    const values = namedValues(Security, resources);
    if (values.bootstrapServer !== true || values.serverUri === undefined) continue;
    return {
      uri: values.serverUri,
      securityInstanceId,
      holdOffSeconds: values.clientHoldOffTime ?? 0,
      accountTimeoutSeconds: values.accountTimeout ?? 0,
      oscore: realLink(values.oscoreSecurityMode),
    };
  }
  return undefined;
}

/** Absent and null mean the same. */
export const realLink = (link: ObjectLink | undefined): ObjectLink | undefined =>
  link === undefined || link.objectId === 65535 ? undefined : link;

/** LwM2M Core 1.2 §6.2.1.1 and appendix E.2. An instance that has gone answers with the defaults. */
function settingsOf(content: AccountContent, serverInstanceId: number) {
  const values = namedValues(Server, content.get(Server.id)?.get(serverInstanceId) ?? new Map());
  return {
    lifetimeSeconds: values.lifetime ?? 86400,
    binding: values.binding ?? "U",
    notificationStoring: values.notificationStoring ?? true,
    defaultMinimumPeriodSeconds: values.defaultMinimumPeriod ?? 0,
    defaultMaximumPeriodSeconds: values.defaultMaximumPeriod || undefined, // 0 means none as well
    disableTimeoutSeconds: values.disableTimeout ?? 86400,
    priorityOrder: values.registrationPriorityOrder,
    initialDelaySeconds: values.initialRegistrationDelay ?? 0,
    failureBlock: values.registrationFailureBlock ?? false,
    bootstrapOnFailure: values.bootstrapOnRegistrationFailure ?? true,
    retryCount: values.retryCount ?? 5,
    retryTimerSeconds: values.retryTimer ?? 60,
    sequenceDelaySeconds:
      values.sequenceDelayTimer === MAX_UINT32 ? undefined : (values.sequenceDelayTimer ?? 86400),
    sequenceRetryCount: values.sequenceRetryCount ?? 1,
    preferredTransport: values.preferredTransport,
    muteSend: values.muteSend ?? true,
    supportedVersions: [...(values.supportedServerVersions?.values() ?? [])],
    confirmableByDefault: values.defaultNotificationMode === 1,
  };
}

// ---- Access Control --------------------------------------------------------------------------------------------

/** An instance of Object 2 that has all it needs. */
export interface AccessControlEntry {
  readonly objectId: number;
  /** 65535: about creating instances. */
  readonly objectInstanceId: number;
  readonly owner: number;
  readonly acl: ReadonlyMap<number, number>;
}

/** Object 2 as entries. They come and go with the Object Instances that they are about. */
export const createAccessControlEntries = (store: AccountStore) => ({
  entries: entriesOf(store),
  entry: (id: number) => accessControlIn(store.content).find(([instanceId]) => instanceId === id)?.[1],
  create: (entry: AccessControlEntry) =>
    store.change((content) =>
      withInstance(
        content,
        AccessControl.id,
        lowestFreeId(content, AccessControl.id),
        instanceContent(AccessControl, { ...entry }),
      ),
    ),
  async remove(objectId: number, objectInstanceId: number): Promise<void> {
    const isAbout = ([, entry]: readonly [number, AccessControlEntry]) =>
      entry.objectId === objectId && entry.objectInstanceId === objectInstanceId;
    if (!accessControlIn(store.content).some(isAbout)) return;
    await store.change((content) =>
      accessControlIn(content)
        .filter(isAbout)
        .reduce((rest, [id]) => withoutInstance(rest, AccessControl.id, id), content),
    );
  },
});

/** They are asked for with each request, and change seldom. */
function entriesOf(store: AccountStore): () => readonly AccessControlEntry[] {
  let seen: { readonly content: AccountContent; readonly entries: readonly AccessControlEntry[] } | undefined;
  return () => {
    const { content } = store;
    if (seen?.content !== content) {
      seen = { content, entries: accessControlIn(content).map(([, entry]) => entry) };
    }
    return seen.entries;
  };
}

/** Entries that lack what every instance has control nothing. */
export const accessControlIn = (content: AccountContent): [id: number, entry: AccessControlEntry][] =>
  instancesOf(content, AccessControl.id).flatMap(([id, resources]) => {
    const { objectId, objectInstanceId, owner, acl = new Map() } = namedValues(AccessControl, resources);
    if (objectId === undefined || objectInstanceId === undefined || owner === undefined) return [];
    return [[id, { objectId, objectInstanceId, owner, acl }]];
  });
