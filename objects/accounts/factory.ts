/** Accounts as the operator configures them, and how they meet what Servers and a Bootstrap-Server wrote since. */
import { ConfigError } from "../../agent/model/errors.js";
import { MAX_ID } from "../../agent/model/path.js";
import type { InstanceContent, ObjectLink } from "../../agent/model/value.js";
import { AccessControl } from "../access-control.js";
import { Security } from "../security.js";
import { Server } from "../server.js";
import {
  type AccountContent,
  instanceContent,
  instancesOf,
  lowestFreeId,
  namedValues,
  withInstance,
  withoutInstance,
} from "./content.js";
import { equalAccounts } from "./record.js";
import { noSec } from "./validation.js";

/** Where the account of a Server starts from. Names and meanings are those of Object 1; durations are in seconds. */
export interface ServerAccountOptions {
  /** At most 255 bytes. */
  readonly uri: string;
  /** 1 to 65534, different for each Server. */
  readonly shortServerId: number;
  readonly lifetime: number;
  /** True when absent. */
  readonly notificationStoring?: boolean | undefined;
  /** Letters of the bindings that the Server accepts; `U` when absent. */
  readonly binding?: string | undefined;
  readonly defaultMinimumPeriod?: number | undefined;
  readonly defaultMaximumPeriod?: number | undefined;
  readonly disableTimeout?: number | undefined;
  readonly apnLink?: ObjectLink | undefined;
  readonly registrationPriorityOrder?: number | undefined;
  readonly initialRegistrationDelay?: number | undefined;
  readonly registrationFailureBlock?: boolean | undefined;
  readonly bootstrapOnRegistrationFailure?: boolean | undefined;
  readonly retryCount?: number | undefined;
  readonly retryTimer?: number | undefined;
  readonly sequenceDelayTimer?: number | undefined;
  readonly sequenceRetryCount?: number | undefined;
  readonly trigger?: boolean | undefined;
  readonly preferredTransport?: string | undefined;
  readonly muteSend?: boolean | undefined;
  readonly alternateApnLinks?: readonly ObjectLink[] | undefined;
  /** Such as `1.1` or `1.2.1`. */
  readonly supportedServerVersions?: readonly string[] | undefined;
  /** 0 non-confirmable, 1 confirmable. */
  readonly defaultNotificationMode?: number | undefined;
  readonly profileIdHashAlgorithm?: number | undefined;
}

/** How the Bootstrap-Server is reached. */
export interface BootstrapServerOptions {
  readonly uri: string;
  /** /0/x/11: seconds to wait before a Bootstrap-Request. */
  readonly holdOff?: number | undefined;
  /** /0/x/12: seconds after a bootstrap when the account is removed; 0 or absent: never. */
  readonly accountTimeout?: number | undefined;
}

/** An instance of Object 2. */
export interface AccessControlOptions {
  readonly objectId: number;
  /** Absent: this is about creating instances of the Object. */
  readonly objectInstanceId?: number | undefined;
  /** Short Server ID; absent: the Bootstrap-Server alone. */
  readonly owner?: number | undefined;
  /** Sums of 1 Read, 2 Write, 4 Execute, 8 Delete, 16 Create by Short Server ID; 0 stands for all others. */
  readonly acl: Readonly<Record<number, number>>;
}

export interface FactoryAccounts {
  readonly servers?: readonly ServerAccountOptions[] | undefined;
  readonly bootstrapServer?: BootstrapServerOptions | undefined;
  readonly accessControl?: readonly AccessControlOptions[] | undefined;
}

/**
 * The content that these options stand for: Servers in their order, then the Bootstrap-Server.
 * @throws ConfigError for two Servers with one Short Server ID
 */
export function factoryContent({
  servers = [],
  bootstrapServer,
  accessControl = [],
}: FactoryAccounts): AccountContent {
  let content: AccountContent = new Map();
  const seen = new Set<number>();
  for (const [id, account] of servers.entries()) {
    const { shortServerId } = account;
    if (seen.has(shortServerId)) {
      throw new ConfigError(`two servers have the Short Server ID ${shortServerId}; make it unique`);
    }
    seen.add(shortServerId);
    content = withInstance(content, Security.id, id, securityOf(account.uri, shortServerId));
    content = withInstance(content, Server.id, id, serverOf(account));
  }
  if (bootstrapServer) {
    content = withInstance(content, Security.id, servers.length, bootstrapSecurityOf(bootstrapServer));
  }
  for (const [id, entry] of accessControl.entries()) {
    content = withInstance(content, AccessControl.id, id, accessControlOf(entry));
  }
  return content;
}

const nothing = new Uint8Array();

const securityOf = (serverUri: string, shortServerId: number): InstanceContent =>
  instanceContent(Security, {
    serverUri,
    bootstrapServer: false,
    securityMode: noSec,
    publicKeyOrIdentity: nothing,
    serverPublicKey: nothing,
    secretKey: nothing,
    shortServerId,
  });

const bootstrapSecurityOf = ({ uri, holdOff, accountTimeout }: BootstrapServerOptions): InstanceContent =>
  instanceContent(Security, {
    serverUri: uri,
    bootstrapServer: true,
    securityMode: noSec,
    publicKeyOrIdentity: nothing,
    serverPublicKey: nothing,
    secretKey: nothing,
    clientHoldOffTime: holdOff,
    accountTimeout,
  });

const serverOf = ({
  uri: _, // of Security
  alternateApnLinks,
  supportedServerVersions,
  ...account
}: ServerAccountOptions): InstanceContent =>
  instanceContent(Server, {
    notificationStoring: true,
    binding: "U",
    ...account,
    alternateApnLinks: alternateApnLinks && new Map(alternateApnLinks.entries()),
    supportedServerVersions: supportedServerVersions && new Map(supportedServerVersions.entries()),
  });

const accessControlOf = ({
  objectId,
  objectInstanceId = MAX_ID,
  owner = MAX_ID,
  acl,
}: AccessControlOptions): InstanceContent =>
  instanceContent(AccessControl, {
    objectId,
    objectInstanceId,
    owner,
    acl: new Map(Object.entries(acl).map(([shortServerId, sum]) => [Number(shortServerId), sum])),
  });

// ---- A configuration that has changed --------------------------------------------------------------------------

/** Instances of Security and Server that belong together; the Bootstrap-Server has none of the latter. */
interface Account {
  readonly security: readonly [id: number, content: InstanceContent] | undefined;
  readonly server: readonly [id: number, content: InstanceContent] | undefined;
}

const bootstrapKey = "bootstrap";

/**
 * What to go on with when the configuration was `before` and is `after` now: per account, whoever spoke last is heard.
 * One that the operator added or changed is as configured, one that is no longer configured is gone, and all others
 * stay as Servers and the Bootstrap-Server left them. Access Control is taken as a whole in the same way.
 */
export function mergeFactory(
  present: AccountContent,
  before: AccountContent,
  after: AccountContent,
): AccountContent {
  const known = accountsIn(before);
  const configured = accountsIn(after);
  let content = present;
  for (const key of new Set([...known.keys(), ...configured.keys()])) {
    const wanted = configured.get(key);
    if (!equalAccount(known.get(key), wanted)) content = withAccount(content, key, wanted);
  }
  const [entriesBefore, entriesAfter] = [before, after].map((one) => only(one, AccessControl.id));
  if (entriesBefore && entriesAfter && !equalAccounts(entriesBefore, entriesAfter)) {
    content = new Map(content).set(AccessControl.id, after.get(AccessControl.id) ?? new Map());
  }
  return content;
}

function accountsIn(content: AccountContent): Map<number | typeof bootstrapKey, Account> {
  const accounts = new Map<number | typeof bootstrapKey, Account>();
  for (const instance of instancesOf(content, Security.id)) {
    const { bootstrapServer, shortServerId } = namedValues(Security, instance[1]);
    const key = bootstrapServer === true ? bootstrapKey : shortServerId;
    if (key === undefined) continue;
    const server = instancesOf(content, Server.id).find(
      ([, resources]) => namedValues(Server, resources).shortServerId === key,
    );
    accounts.set(key, { security: instance, server });
  }
  return accounts;
}

/** The numbers of the instances do not count: they follow from the order of the configuration. */
const equalAccount = (a: Account | undefined, b: Account | undefined) => equalAccounts(bare(a), bare(b));

const bare = (account: Account | undefined): AccountContent => {
  const { security, server } = account ?? {};
  return new Map([
    [Security.id, new Map(security && [[0, security[1]]])],
    [Server.id, new Map(server && [[0, server[1]]])],
  ]);
};

const only = (content: AccountContent, objectId: number): AccountContent =>
  new Map([[objectId, content.get(objectId) ?? new Map<number, InstanceContent>()]]);

/** Puts an account in the place of the one with the same key, or where there is room; undefined takes it away. */
function withAccount(
  content: AccountContent,
  key: number | typeof bootstrapKey,
  wanted: Account | undefined,
): AccountContent {
  const present = accountsIn(content).get(key);
  let result = content;
  for (const [objectId, part] of [
    [Security.id, "security"],
    [Server.id, "server"],
  ] as const) {
    const place = present?.[part]?.[0] ?? lowestFreeId(result, objectId);
    const resources = wanted?.[part]?.[1];
    result = resources
      ? withInstance(result, objectId, place, resources)
      : withoutInstance(result, objectId, place);
  }
  return result;
}
