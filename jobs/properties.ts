/** The device properties that jobs know by name, and where on the device they live. */
import { type ResourceDefinition, resourceById } from "../agent/model/definition.js";
import { DecodeError } from "../agent/model/errors.js";
import { formatPath, parsePath, type ResourcePath } from "../agent/model/path.js";
import {
  integerValue,
  isObjectLink,
  isResourceInstances,
  type ResourceContent,
  type ResourceType,
  type ResourceValue,
} from "../agent/model/value.js";
import { defineConfiguration } from "../objects/configuration.js";
import { Device } from "../objects/device.js";
import { FirmwareUpdate } from "../objects/firmware-update/definition.js";
import { Server } from "../objects/server.js";
import type { JsonValue } from "./job.js";

/** One property of a device: a Resource with the name that jobs give it. */
export interface DeviceProperty {
  /** From the table below; the path itself for a Resource outside it. */
  readonly name: string;
  readonly path: ResourcePath;
  /** Undefined for a Resource that we have no definition of: its value is text then. */
  readonly definition: ResourceDefinition | undefined;
}

export interface PropertyMap {
  /**
   * Finds a property by its name, by an older spelling of it, or by a path such as `/3303/0/5700`.
   * @returns undefined when it is none of these
   */
  find(name: string): DeviceProperty | undefined;
  /** What can be read or written, for messages. */
  readonly names: readonly string[];
}

/** Two keys of the original property map differed from the names in its API. */
const aliases: Readonly<Record<string, string>> = {
  UTCOffset: "UtcOffset",
  FirmwarePackageURI: "FirmwarePackageUri",
};

/** @param configurationObjectId the number that the devices gave their Configuration Object */
export function createPropertyMap(configurationObjectId: number): PropertyMap {
  const configuration = defineConfiguration(configurationObjectId);
  const definitions = new Map(
    [Server, Device, FirmwareUpdate, configuration].map((definition) => [definition.id, definition]),
  );
  const server = (resource: ResourceDefinition) => [Server.id, 0, resource.id] as const;
  const device = (resource: ResourceDefinition) => [Device.id, 0, resource.id] as const;
  const firmware = (resource: ResourceDefinition) => [FirmwareUpdate.id, 0, resource.id] as const;
  const config = (resource: ResourceDefinition) => [configuration.id, 0, resource.id] as const;
  const paths: Readonly<Record<string, ResourcePath>> = {
    RegistrationLifetime: server(Server.resources.lifetime),
    DefaultMinPeriod: server(Server.resources.defaultMinimumPeriod),
    DefaultMaxPeriod: server(Server.resources.defaultMaximumPeriod),
    Manufacturer: device(Device.resources.manufacturer),
    ModelNumber: device(Device.resources.modelNumber),
    SerialNumber: device(Device.resources.serialNumber),
    FirmwareVersion: device(Device.resources.firmwareVersion),
    RebootDevice: device(Device.resources.reboot),
    FactoryResetDevice: device(Device.resources.factoryReset),
    BatteryLevel: device(Device.resources.batteryLevel),
    MemoryFree: device(Device.resources.memoryFree),
    CurrentTime: device(Device.resources.currentTime),
    UtcOffset: device(Device.resources.utcOffset),
    Timezone: device(Device.resources.timezone),
    DeviceDescription: device(Device.resources.deviceType),
    HardwareVersion: device(Device.resources.hardwareVersion),
    BatteryStatus: device(Device.resources.batteryStatus),
    MemoryTotal: device(Device.resources.memoryTotal),
    FirmwarePackage: firmware(FirmwareUpdate.resources.package),
    FirmwarePackageUri: firmware(FirmwareUpdate.resources.packageUri),
    UpdateFirmware: firmware(FirmwareUpdate.resources.update),
    FirmwareUpdateState: firmware(FirmwareUpdate.resources.state),
    FirmwareUpdateResult: firmware(FirmwareUpdate.resources.updateResult),
    FirmwarePackageName: firmware(FirmwareUpdate.resources.pkgName),
    FirmwarePackageVersion: firmware(FirmwareUpdate.resources.pkgVersion),
    ConfigName: config(configuration.resources.name),
    ConfigValue: config(configuration.resources.value),
    ConfigApply: config(configuration.resources.apply),
  };
  const definitionAt = ([objectId, , resourceId]: ResourcePath) => {
    const definition = definitions.get(objectId);
    return definition && resourceById(definition, resourceId);
  };
  const at = (name: string, path: ResourcePath) => ({ name, path, definition: definitionAt(path) });
  const byName = new Map(Object.entries(paths).map(([name, path]) => [name, at(name, path)]));
  return {
    names: [...byName.values()].filter((one) => one.definition?.operations !== "E").map(({ name }) => name),
    find(name) {
      const named = byName.get(Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name);
      if (named !== undefined) return named;
      const path = parsePath(name);
      return path?.length === 3 ? at(formatPath(path), path) : undefined;
    },
  };
}

/** Has a job of its own: the executables, and both ways to hand over a package. */
export function hasOwnJob({ path, definition }: DeviceProperty, operation: "read" | "write"): boolean {
  if (definition?.operations === "E") return true;
  const { package: pushed, packageUri } = FirmwareUpdate.resources;
  return (
    operation === "write" &&
    path[0] === FirmwareUpdate.id &&
    (path[2] === pushed.id || path[2] === packageUri.id)
  );
}

/**
 * A Resource's content as JSON: Opaque in Base64, links as `3:0`, Time in ISO 8601, 64-bit integers that a number cannot
 * hold as decimal text, Resource Instances as an object by their IDs.
 */
export function toJson(content: ResourceContent, type: ResourceType | undefined): JsonValue {
  if (isResourceInstances(content)) {
    return Object.fromEntries([...content].map(([id, value]) => [String(id), toJson(value, type)]));
  }
  if (typeof content === "bigint") return String(content);
  if (content instanceof Uint8Array) return Buffer.from(content).toString("base64");
  if (isObjectLink(content)) return `${content.objectId}:${content.objectInstanceId}`;
  if (type === "time" && typeof content === "number" && Math.abs(content) <= lastDate) {
    return new Date(content * 1000).toISOString();
  }
  return content;
}
/** Seconds to the last moment that a Date can hold. */
const lastDate = 8.64e12;

/**
 * The reverse of `toJson`. Text stands for any type, because command lines have nothing else.
 * @throws DecodeError saying what was expected
 */
export function fromJson(json: JsonValue, definition: ResourceDefinition | undefined): ResourceContent {
  const type = definition?.type ?? "string";
  if (definition?.multiple !== true) return scalarFromJson(json, type);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new DecodeError("expected an object with a value for each Resource Instance ID");
  }
  return new Map(
    Object.entries(json).map(([id, value]) => {
      if (!/^\d{1,5}$/.test(id) || Number(id) > 65534) {
        throw new DecodeError(`${JSON.stringify(id)} is no Resource Instance ID`);
      }
      return [Number(id), scalarFromJson(value, type)];
    }),
  );
}

function scalarFromJson(json: JsonValue, type: ResourceType): ResourceValue {
  const value = typeof json === "object" ? undefined : scalarParsers[type](json);
  if (value === undefined)
    throw new DecodeError(`expected ${expectations[type]}, found ${JSON.stringify(json)}`);
  return value;
}

type Scalar = string | number | boolean;

function parseInteger(json: Scalar): number | bigint | undefined {
  if (typeof json === "number") return Number.isSafeInteger(json) ? json : undefined;
  if (typeof json !== "string" || !/^-?\d{1,20}$/.test(json)) return undefined;
  return integerValue(BigInt(json));
}

function parseUnsigned(json: Scalar): number | bigint | undefined {
  const value = parseInteger(json);
  return value !== undefined && value >= 0 ? value : undefined;
}

function parseFloat64(json: Scalar): number | undefined {
  if (typeof json === "boolean" || json === "") return undefined;
  const value = Number(json);
  return Number.isFinite(value) ? value : undefined;
}

function parseTime(json: Scalar): number | undefined {
  const value = parseInteger(json);
  if (typeof value === "number") return value;
  if (typeof json !== "string" || !/^\d{4}-\d\d-\d\dT/.test(json)) return undefined;
  const date = Date.parse(json);
  return Number.isNaN(date) ? undefined : Math.floor(date / 1000);
}

function parseObjectLink(json: Scalar): ResourceValue | undefined {
  const [, objectId, objectInstanceId] = /^(\d{1,5}):(\d{1,5})$/.exec(String(json)) ?? [];
  const link = { objectId: Number(objectId), objectInstanceId: Number(objectInstanceId) };
  return link.objectId <= 65535 && link.objectInstanceId <= 65535 ? link : undefined;
}

function parseBase64(json: Scalar): Uint8Array | undefined {
  if (typeof json !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(json) || json.length % 4 !== 0)
    return undefined;
  return new Uint8Array(Buffer.from(json, "base64"));
}

const scalarParsers: Readonly<Record<ResourceType, (json: Scalar) => ResourceValue | undefined>> = {
  // A version such as 2.0 is a number in JSON and text on the device.
  string: (json) => String(json),
  corelnk: (json) => String(json),
  integer: parseInteger,
  unsigned: parseUnsigned,
  float: parseFloat64,
  boolean: (json) => ({ true: true, false: false })[String(json)],
  opaque: parseBase64,
  time: parseTime,
  objlnk: parseObjectLink,
};

const expectations: Readonly<Record<ResourceType, string>> = {
  string: "text",
  corelnk: "text",
  integer: "an integer",
  unsigned: "an integer that is not negative",
  float: "a number",
  boolean: "true or false",
  opaque: "Base64",
  time: "a time such as 2026-01-31T12:00:00Z, or seconds since 1970",
  objlnk: "a link such as 3:0",
};
