import type { LwM2mVersion } from "./operations.js";

/** What the registration needs of a transport. `agent/binding` implements it over CoAP. */
export interface ServerConnection {
  register(request: RegisterRequest): Promise<RegistrationAnswer>;
  update(location: readonly string[], request: UpdateRequest): Promise<RegistrationAnswer>;
  deregister(location: readonly string[]): Promise<RegistrationAnswer>;
}

/** LwM2M Core 1.2 §6.2.1, table 6.2.1-1. */
export interface RegisterRequest {
  readonly endpointName: string;
  /** Seconds. */
  readonly lifetime: number;
  readonly version: LwM2mVersion;
  readonly binding: string;
  /** The Objects and Object Instances, as link-format. */
  readonly objects: string;
}

/** Only what changed. */
export interface UpdateRequest {
  readonly lifetime?: number;
  readonly objects?: string;
}

export type RegistrationAnswer =
  | { readonly kind: "accepted"; readonly location: readonly string[] }
  /** Refused, not answered, or not even sent. `retryAfter` in seconds, when the Server said so. */
  | { readonly kind: "failed"; readonly reason: string; readonly retryAfter?: number };
