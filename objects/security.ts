import {
  defineObject,
  type Handlers,
  multipleInstances,
  type ObjectImplementation,
} from "../agent/model/definition.js";
import { ConfigError, RequestError } from "../agent/model/errors.js";
import type { ObjectLink } from "../agent/model/value.js";

/** The largest 32-bit number of seconds: 136 years. The registry gives these Resources no range of their own. */
const MAX_SECONDS = 4294967295;

/** OMA registry, Object 0 version 1.1. No Server ever sees it; only a Bootstrap-Server has business here. */
export const Security = defineObject({
  id: 0,
  name: "LWM2M Security",
  version: "1.1",
  instances: "multiple",
  resources: {
    serverUri: { id: 0, operations: "BS", type: "string", mandatory: true, range: [0, 255] },
    bootstrapServer: { id: 1, operations: "BS", type: "boolean", mandatory: true },
    securityMode: { id: 2, operations: "BS", type: "integer", mandatory: true, range: [0, 4] },
    publicKeyOrIdentity: { id: 3, operations: "BS", type: "opaque", mandatory: true },
    serverPublicKey: { id: 4, operations: "BS", type: "opaque", mandatory: true },
    secretKey: { id: 5, operations: "BS", type: "opaque", mandatory: true },
    smsSecurityMode: { id: 6, operations: "BS", type: "integer", range: [0, 255] },
    smsBindingKeyParameters: { id: 7, operations: "BS", type: "opaque", range: [6, 6] },
    smsBindingSecretKeys: { id: 8, operations: "BS", type: "opaque", range: [16, 48] },
    serverSmsNumber: { id: 9, operations: "BS", type: "string" },
    shortServerId: { id: 10, operations: "BS", type: "integer", range: [1, 65534] },
    clientHoldOffTime: { id: 11, operations: "BS", type: "integer", range: [0, MAX_SECONDS], units: "s" },
    accountTimeout: { id: 12, operations: "BS", type: "integer", range: [0, MAX_SECONDS], units: "s" },
    matchingType: { id: 13, operations: "BS", type: "unsigned", range: [0, 3] },
    sni: { id: 14, operations: "BS", type: "string" },
    certificateUsage: { id: 15, operations: "BS", type: "unsigned", range: [0, 3] },
    ciphersuites: { id: 16, operations: "BS", type: "unsigned", multiple: true, range: [0, 65535] },
    oscoreSecurityMode: { id: 17, operations: "BS", type: "objlnk" },
  },
});

/** What proves the two ends to each other. */
export type Credentials =
  | { readonly mode: "noSec" }
  | { readonly mode: "psk"; readonly identity: Uint8Array; readonly key: Uint8Array }
  | {
      /** Raw public keys: SubjectPublicKeyInfo and PKCS#8, DER. */
      readonly mode: "rpk";
      readonly publicKey: Uint8Array;
      readonly privateKey: Uint8Array;
      readonly serverPublicKey: Uint8Array;
    }
  | {
      /** X.509, DER. `serverCertificate` is what the server's is compared with as `certificateUsage` says. */
      readonly mode: "certificate";
      readonly certificate: Uint8Array;
      readonly privateKey: Uint8Array;
      readonly serverCertificate: Uint8Array;
    };

interface CommonAccount {
  /** `coap://…` or `coaps://…`, at most 255 bytes. */
  readonly uri: string;
  readonly credentials: Credentials;
  /** 0 exact, 1 SHA-256, 2 SHA-384, 3 SHA-512 of what `serverCertificate` holds. */
  readonly matchingType?: number;
  readonly sni?: string;
  /** 0 CA constraint, 1 service certificate, 2 trust anchor, 3 domain-issued (when absent). */
  readonly certificateUsage?: number;
  /** IANA numbers in order of preference. */
  readonly ciphersuites?: readonly number[];
  readonly oscore?: ObjectLink;
}

/** How one Server or Bootstrap-Server is reached and trusted. */
export type SecurityAccount = CommonAccount &
  (
    | { readonly bootstrapServer: false; readonly shortServerId: number }
    | {
        readonly bootstrapServer: true;
        readonly clientHoldOffSeconds?: number;
        readonly accountTimeoutSeconds?: number;
      }
  );

/**
 * The Security Object: one instance per account, in their order.
 * @throws ConfigError for two accounts with one Short Server ID, or two of Bootstrap-Servers
 */
export function createSecurity(accounts: readonly SecurityAccount[]): ObjectImplementation {
  checkAccounts(accounts);
  return multipleInstances(Security, {
    instances: new Map(accounts.map((account, index) => [index, securityInstance(account)])),
  });
}

function checkAccounts(accounts: readonly SecurityAccount[]): void {
  if (accounts.filter((account) => account.bootstrapServer).length > 1) {
    throw new ConfigError("there is more than one Bootstrap-Server account; keep one");
  }
  const seen = new Set<number>();
  for (const account of accounts) {
    if (account.bootstrapServer) continue;
    if (seen.has(account.shortServerId)) {
      throw new ConfigError(`two servers have the Short Server ID ${account.shortServerId}; make it unique`);
    }
    seen.add(account.shortServerId);
  }
}

function securityInstance(account: SecurityAccount): Handlers<typeof Security> {
  const { credentials } = account;
  const { identity, serverKey } = publicPart(credentials);
  return {
    serverUri: fixed(account.uri),
    bootstrapServer: fixed(account.bootstrapServer),
    securityMode: fixed(securityModes[credentials.mode]),
    publicKeyOrIdentity: fixed(identity),
    serverPublicKey: fixed(serverKey),
    // The transport takes the key from the account. Nothing reads it here, so a slip above this line cannot show it.
    secretKey: { read: refuse, write: refuse },
    shortServerId: fixed(account.bootstrapServer ? undefined : account.shortServerId),
    clientHoldOffTime: fixed(account.bootstrapServer ? account.clientHoldOffSeconds : undefined),
    accountTimeout: fixed(account.bootstrapServer ? account.accountTimeoutSeconds : undefined),
    matchingType: fixed(account.matchingType),
    sni: fixed(account.sni),
    certificateUsage: fixed(account.certificateUsage),
    ciphersuites: fixed(account.ciphersuites && new Map(account.ciphersuites.entries())),
    oscoreSecurityMode: fixed(account.oscore),
  };
}

/** LwM2M Core 1.1, Security Mode (/0/x/2). */
const securityModes = { psk: 0, rpk: 1, certificate: 2, noSec: 3 } as const;

function publicPart(credentials: Credentials): { identity: Uint8Array; serverKey: Uint8Array } {
  switch (credentials.mode) {
    case "noSec":
      return { identity: new Uint8Array(), serverKey: new Uint8Array() };
    case "psk":
      return { identity: credentials.identity, serverKey: new Uint8Array() };
    case "rpk":
      return { identity: credentials.publicKey, serverKey: credentials.serverPublicKey };
    case "certificate":
      return { identity: credentials.certificate, serverKey: credentials.serverCertificate };
  }
}

const fixed = <T>(value: T) => ({ read: () => value, write: refuse });

const refuse = (): never => {
  throw new RequestError("4.01", "the Security Object belongs to the operator");
};
