/** Register and Update as a server reads them (LwM2M Core 1.2 §6.2, Transport 1.2 §6.4.3): strictly, before anything changes. */
import { contentFormats } from "../../agent/codec/content-format.js";
import { type Link, parseLinks } from "../../agent/codec/link-format.js";
import { RequestError } from "../../agent/model/errors.js";
import { parsePath } from "../../agent/model/path.js";
import type { RegisteredObject } from "../device-gateway.js";
import type { ServerRequest } from "./request-listener.js";

/** What a Register says, the defaults filled in. */
export interface Registration {
  readonly endpointName: string;
  readonly lwm2mVersion: LwM2mVersion;
  /** 0: never expires. */
  readonly lifetimeSeconds: number;
  readonly queueMode: boolean;
  readonly objects: ReadonlyMap<number, RegisteredObject>;
}

/** What an Update changes. */
export type RegistrationUpdate = Partial<Pick<Registration, "lifetimeSeconds" | "queueMode" | "objects">>;

export const lwm2mVersions = ["1.0", "1.1", "1.2"] as const;
export type LwM2mVersion = (typeof lwm2mVersions)[number];

/** LwM2M 1.0 §5.3.1: for a client that does not say. */
const defaultLifetimeSeconds = 86400;
const maxLifetimeSeconds = 4294967295;
const maxEndpointNameBytes = 255;

/** @throws RequestError 4.00, 4.12 or 4.15; DecodeError for links that are none */
export function parseRegister(request: ServerRequest): Registration {
  const parameters = parseQuery(request.query);
  const endpointName = parseEndpointName(parameters.get("ep"));
  const lwm2mVersion = parseVersion(parameters.get("lwm2m"));
  const objects = parseObjects(request);
  if (objects === undefined) throw badRequest("a Register lists Objects");
  return {
    endpointName,
    lwm2mVersion,
    objects,
    lifetimeSeconds: parseLifetime(parameters.get("lt")) ?? defaultLifetimeSeconds,
    queueMode: parseQueueMode(parameters, lwm2mVersion) ?? false,
  };
}

/** @throws as `parseRegister` */
export function parseUpdate(request: ServerRequest, lwm2mVersion: LwM2mVersion): RegistrationUpdate {
  const parameters = parseQuery(request.query);
  const lifetimeSeconds = parseLifetime(parameters.get("lt"));
  const queueMode = parseQueueMode(parameters, lwm2mVersion);
  const objects = parseObjects(request);
  return {
    ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    ...(queueMode !== undefined && { queueMode }),
    ...(objects !== undefined && { objects }),
  };
}

const badRequest = (reason: string) => new RequestError("4.00", reason);

/** Names and values; a name alone, such as `Q`, has the value "". */
function parseQuery(query: readonly string[]): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query) {
    const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(part) ?? [];
    if (parameters.has(name)) throw badRequest(`${name} is given twice`);
    parameters.set(name, value);
  }
  return parameters;
}

/** The name goes to logs and terminals: a control character in it would be a trap. */
function parseEndpointName(value: string | undefined): string {
  if (value === undefined || value === "") throw badRequest("ep is missing");
  if (Buffer.byteLength(value) > maxEndpointNameBytes || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]/u.test(value)) {
    throw badRequest("ep is no endpoint name");
  }
  return value;
}

function parseVersion(value = "1.0"): LwM2mVersion {
  const version = lwm2mVersions.find((known) => known === value);
  if (version === undefined) throw new RequestError("4.12", `LwM2M ${value} is not served`);
  return version;
}

function parseLifetime(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const lifetime = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(lifetime <= maxLifetimeSeconds)) throw badRequest(`lt=${value} is no lifetime`);
  return lifetime;
}

/** Version 1.0 says it in the binding, later ones in a parameter of its own. undefined when nothing is said. */
function parseQueueMode(parameters: ReadonlyMap<string, string>, version: LwM2mVersion): boolean | undefined {
  const binding = parameters.get("b");
  if (binding !== undefined && !bindings[version].test(binding)) {
    throw badRequest(`b=${binding} is no binding of LwM2M ${version}`);
  }
  if (version === "1.0") return binding?.includes("Q");
  return parameters.has("Q") ? true : undefined;
}

const bindings: Readonly<Record<LwM2mVersion, RegExp>> = {
  "1.0": /^(U|UQ|S|SQ|US|UQS)$/,
  "1.1": /^(?!.*(.).*\1)[UTSN]+$/,
  "1.2": /^(?!.*(.).*\1)[UTSNMH]+$/,
};

/** undefined when there is no payload. */
function parseObjects({
  payload,
  contentFormat,
}: ServerRequest): ReadonlyMap<number, RegisteredObject> | undefined {
  if (payload.length === 0) return undefined;
  if (contentFormat !== undefined && contentFormat !== contentFormats.linkFormat) {
    throw new RequestError("4.15", `Objects are listed in link-format, not in ${contentFormat}`);
  }
  return objectsOf(parseLinks(new TextDecoder().decode(payload)));
}

/** Links that name no Object or Object Instance, such as the root, are none of our business. */
function objectsOf(links: readonly Link[]): ReadonlyMap<number, RegisteredObject> {
  const objects = new Map<number, { version: string | undefined; instances: number[] }>();
  for (const { path: text, attributes } of links) {
    const path = parsePath(text);
    if (path === undefined || path.length > 2) continue;
    const [objectId, objectInstanceId] = path;
    const object = objects.get(objectId) ?? { version: undefined, instances: [] };
    objects.set(objectId, object);
    const version = attributes.get("ver");
    if (version !== undefined) object.version = String(version);
    if (objectInstanceId !== undefined) object.instances.push(objectInstanceId);
  }
  return objects;
}
