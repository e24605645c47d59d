import { defineObject } from "../../../agent/model/definition.js";

/** OMA registry, Object 3 version 1.1, as far as the specification's examples go. */
export const Device = defineObject({
  id: 3,
  name: "Device",
  version: "1.1",
  instances: "single",
  resources: {
    manufacturer: { id: 0, operations: "R", type: "string" },
    modelNumber: { id: 1, operations: "R", type: "string" },
    serialNumber: { id: 2, operations: "R", type: "string" },
    firmwareVersion: { id: 3, operations: "R", type: "string" },
    reboot: { id: 4, operations: "E", mandatory: true },
    availablePowerSources: { id: 6, operations: "R", type: "integer", multiple: true, range: [0, 7] },
    powerSourceVoltage: { id: 7, operations: "R", type: "integer", multiple: true },
    powerSourceCurrent: { id: 8, operations: "R", type: "integer", multiple: true },
    batteryLevel: { id: 9, operations: "R", type: "integer", range: [0, 100] },
    memoryFree: { id: 10, operations: "R", type: "integer" },
    errorCode: { id: 11, operations: "R", type: "integer", multiple: true, mandatory: true, range: [0, 8] },
    currentTime: { id: 13, operations: "RW", type: "time" },
    utcOffset: { id: 14, operations: "RW", type: "string" },
    supportedBinding: { id: 16, operations: "R", type: "string", mandatory: true },
    extDevInfo: { id: 22, operations: "R", type: "objlnk", multiple: true },
  },
});

/** OMA registry, Object 0: the one opaque Resource that the examples use. */
export const Security = defineObject({
  id: 0,
  name: "LwM2M Security",
  version: "1.1",
  instances: "multiple",
  resources: { publicKeyOrIdentity: { id: 3, operations: "BS", type: "opaque", mandatory: true } },
});

/** OMA registry, Object 1 version 1.1. */
export const Server = defineObject({
  id: 1,
  name: "LwM2M Server",
  version: "1.1",
  instances: "multiple",
  resources: {
    shortServerId: { id: 0, operations: "R", type: "integer", mandatory: true, range: [1, 65534] },
    lifetime: { id: 1, operations: "RW", type: "integer", mandatory: true },
    defaultMinimumPeriod: { id: 2, operations: "RW", type: "integer" },
    defaultMaximumPeriod: { id: 3, operations: "RW", type: "integer" },
    disable: { id: 4, operations: "E" },
    disableTimeout: { id: 5, operations: "RW", type: "integer" },
    storing: { id: 6, operations: "RW", type: "boolean", mandatory: true },
    binding: { id: 7, operations: "RW", type: "string", mandatory: true },
  },
});

/** OMA registry, Object 2 version 1.0. */
export const AccessControl = defineObject({
  id: 2,
  name: "LwM2M Access Control",
  version: "1.0",
  instances: "multiple",
  resources: {
    objectId: { id: 0, operations: "R", type: "integer", mandatory: true, range: [1, 65534] },
    objectInstanceId: { id: 1, operations: "R", type: "integer", mandatory: true, range: [0, 65535] },
    acl: { id: 2, operations: "RW", type: "integer", multiple: true, range: [0, 31] },
    owner: { id: 3, operations: "RW", type: "integer", mandatory: true, range: [0, 65535] },
  },
});

/** OMA registry, Object 6: one float. */
export const Location = defineObject({
  id: 6,
  name: "Location",
  version: "1.0",
  instances: "single",
  resources: { latitude: { id: 0, operations: "R", type: "float", mandatory: true } },
});

/** OMA registry, Object 3303: its value. */
export const Temperature = defineObject({
  id: 3303,
  name: "Temperature",
  version: "1.0",
  instances: "multiple",
  resources: { sensorValue: { id: 5700, operations: "R", type: "float", mandatory: true } },
});

/** OMA registry, Object 16. */
export const Portfolio = defineObject({
  id: 16,
  name: "Portfolio",
  version: "1.0",
  instances: "multiple",
  resources: {
    identity: { id: 0, operations: "RW", type: "string", multiple: true, mandatory: true },
    getAuthData: { id: 1, operations: "E" },
    authData: { id: 2, operations: "R", type: "opaque", multiple: true },
    authStatus: { id: 3, operations: "R", type: "integer", range: [0, 2] },
  },
});

/** The Objects with links of the specification's TLV examples. */
export const Links65 = defineObject({
  id: 65,
  name: "Object 65",
  version: "1.0",
  instances: "multiple",
  resources: { links: { id: 0, operations: "R", type: "objlnk", multiple: true } },
});
export const Links66 = defineObject({
  id: 66,
  name: "Object 66",
  version: "1.0",
  instances: "multiple",
  resources: {
    name: { id: 0, operations: "R", type: "string" },
    address: { id: 1, operations: "R", type: "string" },
    link: { id: 2, operations: "R", type: "objlnk" },
  },
});

/** One Resource of each type, single at its number and multiple at 100 more. */
export const Types = defineObject({
  id: 42800,
  name: "Types",
  version: "1.0",
  instances: "multiple",
  resources: {
    string: { id: 0, operations: "RW", type: "string" },
    integer: { id: 1, operations: "RW", type: "integer" },
    unsigned: { id: 2, operations: "RW", type: "unsigned" },
    float: { id: 3, operations: "RW", type: "float" },
    boolean: { id: 4, operations: "RW", type: "boolean" },
    opaque: { id: 5, operations: "RW", type: "opaque" },
    time: { id: 6, operations: "RW", type: "time" },
    objlnk: { id: 7, operations: "RW", type: "objlnk" },
    corelnk: { id: 8, operations: "RW", type: "corelnk" },
    strings: { id: 100, operations: "RW", type: "string", multiple: true },
    integers: { id: 101, operations: "RW", type: "integer", multiple: true },
    unsigneds: { id: 102, operations: "RW", type: "unsigned", multiple: true },
    floats: { id: 103, operations: "RW", type: "float", multiple: true },
    booleans: { id: 104, operations: "RW", type: "boolean", multiple: true },
    opaques: { id: 105, operations: "RW", type: "opaque", multiple: true },
    times: { id: 106, operations: "RW", type: "time", multiple: true },
    objlnks: { id: 107, operations: "RW", type: "objlnk", multiple: true },
    corelnks: { id: 108, operations: "RW", type: "corelnk", multiple: true },
    execute: { id: 200, operations: "E" },
    shortText: { id: 300, operations: "RW", type: "string", range: [1, 4] },
    shortBytes: { id: 301, operations: "RW", type: "opaque", range: [0, 4] },
    fraction: { id: 302, operations: "RW", type: "float", range: [-1, 1] },
  },
});
