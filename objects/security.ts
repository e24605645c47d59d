import { defineObject, type ObjectImplementation } from "../agent/model/definition.js";
import { accountObject, hiddenHandlers } from "./accounts/account-object.js";
import type { AccountStore } from "./accounts/store.js";

/** The largest 32-bit number of seconds: 136 years. The registry gives these Resources no range of their own. */
const MAX_SECONDS = 4294967295;

/** OMA registry, Object 0 version 1.2. No Server ever sees it; only a Bootstrap-Server has business here. */
export const Security = defineObject({
  id: 0,
  name: "LWM2M Security",
  version: "1.2",
  instances: "multiple",
  resources: {
    serverUri: { id: 0, operations: "BS", type: "string", mandatory: true, range: [0, 255] },
    bootstrapServer: { id: 1, operations: "BS", type: "boolean", mandatory: true },
    securityMode: { id: 2, operations: "BS", type: "integer", mandatory: true, range: [0, 4] },
    publicKeyOrIdentity: { id: 3, operations: "BS", type: "opaque", mandatory: true },
    serverPublicKey: { id: 4, operations: "BS", type: "opaque", mandatory: true },
    secretKey: { id: 5, operations: "BS", type: "opaque", mandatory: true },
    smsSecurityMode: { id: 6, operations: "BS", type: "integer", range: [0, 255] },
    // 6 bytes, and 16 to 48. Leshan writes both empty into every account, so none is a length too.
    smsBindingKeyParameters: { id: 7, operations: "BS", type: "opaque", range: [0, 6] },
    smsBindingSecretKeys: { id: 8, operations: "BS", type: "opaque", range: [0, 48] },
    serverSmsNumber: { id: 9, operations: "BS", type: "string" },
    shortServerId: { id: 10, operations: "BS", type: "integer", range: [1, 65534] },
    clientHoldOffTime: { id: 11, operations: "BS", type: "integer", range: [0, MAX_SECONDS], units: "s" },
    accountTimeout: { id: 12, operations: "BS", type: "integer", range: [0, MAX_SECONDS], units: "s" },
    matchingType: { id: 13, operations: "BS", type: "unsigned", range: [0, 3] },
    sni: { id: 14, operations: "BS", type: "string" },
    certificateUsage: { id: 15, operations: "BS", type: "unsigned", range: [0, 3] },
    ciphersuites: { id: 16, operations: "BS", type: "unsigned", multiple: true, range: [0, 65535] },
    oscoreSecurityMode: { id: 17, operations: "BS", type: "objlnk" },
    groups: { id: 18, operations: "BS", type: "unsigned", multiple: true, range: [0, 65535] },
    serverSignatureAlgorithms: {
      id: 19,
      operations: "BS",
      type: "unsigned",
      multiple: true,
      range: [0, 65535],
    },
    clientSignatureAlgorithms: {
      id: 20,
      operations: "BS",
      type: "unsigned",
      multiple: true,
      range: [0, 65535],
    },
    serverSignatureAlgorithmCerts: {
      id: 21,
      operations: "BS",
      type: "unsigned",
      multiple: true,
      range: [0, 65535],
    },
    tls13Features: { id: 22, operations: "BS", type: "unsigned", range: [0, 65535] },
    serverTlsExtensions: { id: 23, operations: "BS", type: "unsigned", range: [0, 65535] },
    clientTlsExtensions: { id: 24, operations: "BS", type: "unsigned", range: [0, 65535] },
    secondaryServerUri: { id: 25, operations: "BS", type: "string", multiple: true, range: [0, 255] },
    mqttServer: { id: 26, operations: "BS", type: "objlnk" },
    coseSecurity: { id: 27, operations: "BS", type: "objlnk", multiple: true },
    rdsDestinationPort: { id: 28, operations: "BS", type: "integer", range: [0, 15] },
    rdsSourcePort: { id: 29, operations: "BS", type: "integer", range: [0, 15] },
    rdsApplicationId: { id: 30, operations: "BS", type: "string" },
  },
});

export const createSecurity = (store: AccountStore): ObjectImplementation =>
  accountObject(Security, store, () => hiddenHandlers(Security));
