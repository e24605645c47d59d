import { defineObject, type ObjectImplementation } from "../agent/model/definition.js";
import { accountObject, hiddenHandlers } from "./accounts/account-object.js";
import type { AccountStore } from "./accounts/store.js";

/** OMA registry, Object 21 version 2.0. No Server ever sees it; only a Bootstrap-Server has business here. */
export const Oscore = defineObject({
  id: 21,
  name: "LwM2M OSCORE",
  version: "2.0",
  instances: "multiple",
  resources: {
    masterSecret: { id: 0, operations: "BS", type: "opaque", mandatory: true },
    senderId: { id: 1, operations: "BS", type: "opaque", mandatory: true },
    recipientId: { id: 2, operations: "BS", type: "opaque", mandatory: true },
    aeadAlgorithm: { id: 3, operations: "BS", type: "integer" },
    hmacAlgorithm: { id: 4, operations: "BS", type: "integer" },
    masterSalt: { id: 5, operations: "BS", type: "opaque" },
    idContext: { id: 6, operations: "BS", type: "opaque" },
  },
});

export const createOscore = (store: AccountStore): ObjectImplementation =>
  accountObject(Oscore, store, () => hiddenHandlers(Oscore));
