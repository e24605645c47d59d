import { defineObject } from "../agent/model/definition.js";

/** OMA registry, Object 16 version 1.0: who the device is, in the words of other systems. */
export const Portfolio = defineObject({
  id: 16,
  name: "Portfolio",
  version: "1.0",
  instances: "multiple",
  resources: {
    /** By convention 0 host device ID, 1 manufacturer, 2 model, 3 software version. */
    identity: { id: 0, operations: "RW", type: "string", multiple: true, mandatory: true },
    getAuthData: { id: 1, operations: "E" },
    authData: { id: 2, operations: "R", type: "opaque", multiple: true },
    authStatus: { id: 3, operations: "R", type: "integer", range: [0, 2] },
  },
});
