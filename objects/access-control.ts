import { defineObject, type Handlers, type ObjectImplementation } from "../agent/model/definition.js";
import { MAX_ID } from "../agent/model/path.js";
import { accountObject, storedHandlers } from "./accounts/account-object.js";
import type { AccountStore } from "./accounts/store.js";

/** OMA registry, Object 2 version 1.1. Who may change it is decided above; instances come and go with what they guard. */
export const AccessControl = defineObject({
  id: 2,
  name: "LwM2M Access Control",
  version: "1.1",
  instances: "multiple",
  resources: {
    objectId: { id: 0, operations: "R", type: "integer", mandatory: true, range: [1, 65534] },
    objectInstanceId: { id: 1, operations: "R", type: "integer", mandatory: true, range: [0, MAX_ID] },
    acl: { id: 2, operations: "RW", type: "integer", multiple: true, range: [0, 31] },
    owner: { id: 3, operations: "RW", type: "integer", mandatory: true, range: [0, MAX_ID] },
  },
});

export const createAccessControl = (store: AccountStore): ObjectImplementation =>
  accountObject(
    AccessControl,
    store,
    (objectInstanceId): Handlers<typeof AccessControl> =>
      storedHandlers(AccessControl, store, objectInstanceId),
  );
