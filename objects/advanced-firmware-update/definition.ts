import { defineObject } from "../../agent/model/definition.js";

/** Advanced Firmware Update, a vendor's Object for devices of several components; version 1.0 as its clients ship it. */
export const AdvancedFirmwareUpdate = defineObject({
  id: 33629,
  name: "Advanced Firmware Update",
  version: "1.0",
  instances: "multiple",
  resources: {
    package: { id: 0, operations: "W", type: "opaque", mandatory: true },
    packageUri: { id: 1, operations: "RW", type: "string", mandatory: true, range: [0, 255] },
    update: { id: 2, operations: "E", mandatory: true },
    state: { id: 3, operations: "R", type: "integer", mandatory: true, range: [0, 3] },
    updateResult: { id: 5, operations: "R", type: "integer", mandatory: true, range: [0, 13] },
    pkgName: { id: 6, operations: "R", type: "string", range: [0, 255] },
    pkgVersion: { id: 7, operations: "R", type: "string", range: [0, 255] },
    protocolSupport: { id: 8, operations: "R", type: "integer", multiple: true, range: [0, 5] },
    deliveryMethod: { id: 9, operations: "R", type: "integer", mandatory: true, range: [0, 2] },
    cancel: { id: 10, operations: "E" },
    severity: { id: 11, operations: "RW", type: "integer", range: [0, 2] },
    lastStateChangeTime: { id: 12, operations: "R", type: "time" },
    maximumDeferPeriod: { id: 13, operations: "RW", type: "unsigned", range: [0, 4294967295], units: "s" },
    componentName: { id: 14, operations: "R", type: "string" },
    currentVersion: { id: 15, operations: "R", type: "string" },
    linkedInstances: { id: 16, operations: "R", type: "objlnk", multiple: true },
    conflictingInstances: { id: 17, operations: "R", type: "objlnk", multiple: true },
  },
});
