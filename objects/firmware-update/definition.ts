import { defineObject } from "../../agent/model/definition.js";

/** OMA registry, Object 5 version 1.2. */
export const FirmwareUpdate = defineObject({
  id: 5,
  name: "Firmware Update",
  version: "1.2",
  instances: "single",
  resources: {
    package: { id: 0, operations: "W", type: "opaque", mandatory: true },
    packageUri: { id: 1, operations: "RW", type: "string", mandatory: true, range: [0, 255] },
    update: { id: 2, operations: "E", mandatory: true },
    state: { id: 3, operations: "R", type: "integer", mandatory: true, range: [0, 3] },
    updateResult: { id: 5, operations: "R", type: "integer", mandatory: true, range: [0, 11] },
    pkgName: { id: 6, operations: "R", type: "string", range: [0, 255] },
    pkgVersion: { id: 7, operations: "R", type: "string", range: [0, 255] },
    protocolSupport: { id: 8, operations: "R", type: "integer", multiple: true, range: [0, 5] },
    deliveryMethod: { id: 9, operations: "R", type: "integer", mandatory: true, range: [0, 2] },
    cancel: { id: 10, operations: "E" },
    severity: { id: 11, operations: "RW", type: "integer", range: [0, 2] },
    lastStateChangeTime: { id: 12, operations: "R", type: "time" },
    maximumDeferPeriod: { id: 13, operations: "RW", type: "unsigned", range: [0, 4294967295], units: "s" },
    automaticUpgrade: { id: 14, operations: "RW", type: "boolean" },
  },
});

/** Firmware Update Delivery Method (/5/0/9). */
export const deliveryMethods = { pull: 0, push: 1, both: 2 } as const;

/** Firmware Update Protocol Support (/5/0/8), by URI scheme. */
export const protocolsByScheme: ReadonlyMap<string, number> = new Map([
  ["coap", 0],
  ["coaps", 1],
  ["http", 2],
  ["https", 3],
  ["coap+tcp", 4],
  ["coaps+tcp", 5],
]);
