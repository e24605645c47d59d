/** What a client must find in its accounts to work with them: the checks of a Bootstrap-Finish (LwM2M Core 1.2 §6.1.7.6). */
import { type ObjectDefinition, resourceById } from "../../agent/model/definition.js";
import { formatPath, MAX_ID } from "../../agent/model/path.js";
import type { InstanceContent, ObjectLink } from "../../agent/model/value.js";
import { AccessControl } from "../access-control.js";
import { Oscore } from "../oscore.js";
import { Security } from "../security.js";
import { Server } from "../server.js";
import { accessControlIn, realLink } from "./accounts.js";
import { type AccountContent, instancesOf, namedValues } from "./content.js";

/** What the client can do, which the Objects do not know. */
export interface Abilities {
  /** Why this client cannot speak to a Server at `uri` with this Security Mode; undefined when it can. */
  unsupported(uri: string, securityMode: number): string | undefined;
  readonly oscore: boolean;
}

/** A sentence for each thing that is wrong; empty when the accounts are consistent. */
export const problemsOf = (content: AccountContent, abilities: Abilities): string[] => [
  ...securityProblems(content, abilities),
  ...serverProblems(content),
  ...oscoreProblems(content, abilities),
  ...accessControlProblems(content),
];

type SecurityValues = ReturnType<typeof namedValues<typeof Security>>;

const securitiesIn = (content: AccountContent): [path: string, values: SecurityValues][] =>
  instancesOf(content, Security.id).map(([id, resources]) => [
    formatPath([Security.id, id]),
    namedValues(Security, resources),
  ]);

// ---- Security --------------------------------------------------------------------------------------------------

function securityProblems(content: AccountContent, abilities: Abilities): string[] {
  const securities = securitiesIn(content);
  const bootstrapServers = securities.filter(([, { bootstrapServer }]) => bootstrapServer === true);
  const servers = securities.filter(([, { bootstrapServer }]) => bootstrapServer === false);
  return [
    ...(servers.length === 0 ? ["there is no Server account"] : []),
    ...(bootstrapServers.length > 1 ? ["there is more than one Bootstrap-Server account"] : []),
    ...securities.flatMap(([path, values]) => instanceProblems(path, values, abilities)),
    ...repeated(servers.map(([, { shortServerId }]) => shortServerId)).map(
      (id) => `two accounts have the Short Server ID ${id}`,
    ),
  ];
}

function instanceProblems(path: string, values: SecurityValues, { unsupported }: Abilities): string[] {
  const { serverUri, bootstrapServer, securityMode, shortServerId, mqttServer, coseSecurity } = values;
  if (serverUri === undefined || bootstrapServer === undefined || securityMode === undefined) {
    return [`${path} lacks its Server URI, Bootstrap-Server flag or Security Mode`];
  }
  const problem = unsupported(serverUri, securityMode);
  const links = [mqttServer, ...(coseSecurity?.values() ?? [])];
  return [
    ...(problem === undefined ? [] : [`${path}: ${problem}`]),
    ...keyProblems(path, securityMode, values),
    ...(bootstrapServer || shortServerId !== undefined ? [] : [`${path} lacks its Short Server ID`]),
    // Neither Object 24 nor 23 is one of this client's.
    ...(links.some((link) => realLink(link))
      ? [`${path} leads to an MQTT or COSE Object that is not there`]
      : []),
  ];
}

/** LwM2M Core 1.2 appendix E.1: Security Modes. NoSec and EST (4) need no keys. */
export const noSec = 3;
const psk = 0;
const rawPublicKey = 1;
const certificate = 2;
const longestIdentity = 128;
const longestPsk = 64;

function keyProblems(path: string, mode: number, values: SecurityValues): string[] {
  const length = (key: Uint8Array | undefined) => key?.length ?? 0;
  const own = length(values.publicKeyOrIdentity);
  const secret = length(values.secretKey);
  if (mode === psk) {
    const fits = own > 0 && own <= longestIdentity && secret > 0 && secret <= longestPsk;
    return fits ? [] : [`${path} lacks a PSK identity or key, or one is too long`];
  }
  if (mode === rawPublicKey || mode === certificate) {
    const isComplete = own > 0 && secret > 0 && length(values.serverPublicKey) > 0;
    return isComplete ? [] : [`${path} lacks a key of its own or of the Server`];
  }
  return [];
}

// ---- Server ----------------------------------------------------------------------------------------------------

function serverProblems(content: AccountContent): string[] {
  const servers = instancesOf(content, Server.id);
  const paired = new Set(
    securitiesIn(content).flatMap(([, { bootstrapServer, shortServerId }]) =>
      bootstrapServer === false && shortServerId !== undefined ? [shortServerId] : [],
    ),
  );
  const ids = servers.map(([, resources]) => namedValues(Server, resources).shortServerId);
  return [
    ...servers.flatMap(([id, resources]) => missing(Server, id, resources)),
    ...repeated(ids).map((id) => `two instances of Server have the Short Server ID ${id}`),
    ...[...paired].filter((id) => !ids.includes(id)).map((id) => `Server ${id} has no instance of Server`),
    ...ids
      .filter((id) => id !== undefined && !paired.has(id))
      .map((id) => `Server ${id} has no instance of Security`),
  ];
}

// ---- OSCORE and Access Control ---------------------------------------------------------------------------------

function oscoreProblems(content: AccountContent, abilities: Abilities): string[] {
  const contexts = instancesOf(content, Oscore.id);
  const links = securitiesIn(content).flatMap(([path, { oscoreSecurityMode }]) => {
    const link = realLink(oscoreSecurityMode);
    return link === undefined ? [] : [{ path, link }];
  });
  const leadsTo = ({ objectId, objectInstanceId }: ObjectLink) =>
    objectId === Oscore.id && contexts.some(([id]) => id === objectInstanceId);
  return [
    ...contexts.flatMap(([id, resources]) => missing(Oscore, id, resources)),
    ...links.filter(({ link }) => !leadsTo(link)).map(({ path }) => `${path} leads to no instance of OSCORE`),
    ...repeated(links.map(({ link }) => link.objectInstanceId)).map((id) => `two accounts share /21/${id}`),
    ...(abilities.oscore ? [] : links.map(({ path }) => `${path} needs OSCORE, which this client cannot do`)),
  ];
}

function accessControlProblems(content: AccountContent): string[] {
  const entries = accessControlIn(content).map(([, entry]) => entry);
  const servers = new Set(securitiesIn(content).map(([, { shortServerId }]) => shortServerId));
  const targets = entries.map(({ objectId, objectInstanceId }) => `/${objectId}/${objectInstanceId}`);
  return [
    ...instancesOf(content, AccessControl.id).flatMap(([id, resources]) =>
      missing(AccessControl, id, resources),
    ),
    ...repeated(targets).map((target) => `two instances of Access Control are about ${target}`),
    ...entries
      .filter(({ owner }) => owner !== MAX_ID && !servers.has(owner))
      .map(({ owner }) => `Access Control has the owner ${owner}, who is no Server`),
  ];
}

/** Mandatory Resources that are not there. */
function missing(definition: ObjectDefinition, instanceId: number, resources: InstanceContent): string[] {
  return Object.values(definition.resources).flatMap(({ id, mandatory }) => {
    const holdsValue = resourceById(definition, id)?.type !== undefined;
    if (!mandatory || !holdsValue || resources.has(id)) return [];
    return [`${formatPath([definition.id, instanceId, id])} is missing`];
  });
}

/** What occurs more than once. */
const repeated = <T>(values: readonly T[]): T[] => [
  ...new Set(values.filter((value, index) => value !== undefined && values.indexOf(value) !== index)),
];
