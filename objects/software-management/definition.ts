import { defineObject } from "../../agent/model/definition.js";

/** OMA registry, Object 9 version 1.0. */
export const SoftwareManagement = defineObject({
  id: 9,
  name: "LWM2M Software Management",
  version: "1.0",
  instances: "multiple",
  resources: {
    pkgName: { id: 0, operations: "R", type: "string", mandatory: true, range: [0, 255] },
    pkgVersion: { id: 1, operations: "R", type: "string", mandatory: true, range: [0, 255] },
    package: { id: 2, operations: "W", type: "opaque" },
    packageUri: { id: 3, operations: "W", type: "string", range: [0, 255] },
    install: { id: 4, operations: "E", mandatory: true },
    checkpoint: { id: 5, operations: "R", type: "objlnk" },
    uninstall: { id: 6, operations: "E", mandatory: true },
    updateState: { id: 7, operations: "R", type: "integer", mandatory: true, range: [0, 4] },
    updateSupportedObjects: { id: 8, operations: "RW", type: "boolean" },
    updateResult: { id: 9, operations: "R", type: "integer", mandatory: true, range: [0, 200] },
    activate: { id: 10, operations: "E", mandatory: true },
    deactivate: { id: 11, operations: "E", mandatory: true },
    activationState: { id: 12, operations: "R", type: "boolean", mandatory: true },
    packageSettings: { id: 13, operations: "RW", type: "objlnk" },
    userName: { id: 14, operations: "W", type: "string", range: [0, 255] },
    password: { id: 15, operations: "W", type: "string", range: [0, 255] },
    statusReason: { id: 16, operations: "R", type: "string" },
    softwareComponentLink: { id: 17, operations: "R", type: "objlnk", multiple: true },
    softwareComponentTreeLength: { id: 18, operations: "R", type: "integer", range: [0, 255] },
  },
});
