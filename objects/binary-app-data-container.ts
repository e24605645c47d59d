import { defineObject } from "../agent/model/definition.js";

/** OMA registry, Object 19 version 1.0: data of applications that the device and a Server share. */
export const BinaryAppDataContainer = defineObject({
  id: 19,
  name: "BinaryAppDataContainer",
  version: "1.0",
  instances: "multiple",
  resources: {
    data: { id: 0, operations: "RW", type: "opaque", multiple: true, mandatory: true },
    /** 0 immediate, 1 best effort, 2 latest; 101 to 254 are proprietary. */
    dataPriority: { id: 1, operations: "RW", type: "integer", range: [0, 255] },
    dataCreationTime: { id: 2, operations: "RW", type: "time" },
    dataDescription: { id: 3, operations: "RW", type: "string", range: [0, 32] },
    dataFormat: { id: 4, operations: "RW", type: "string", range: [0, 32] },
    appId: { id: 5, operations: "RW", type: "integer", range: [0, 65535] },
  },
});
