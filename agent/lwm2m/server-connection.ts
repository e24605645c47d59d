import type { LwM2mVersion } from "./operations.js";
import type { Observer } from "./outbox.js";

/**
 * What the registration needs of a transport. `agent/binding` implements it over CoAP. An aborted `signal` ends the
 * exchange as failed: its answer would interest nobody.
 */
export interface ServerConnection {
  register(request: RegisterRequest, options: ExchangeOptions): Promise<RegistrationAnswer>;
  update(
    location: readonly string[],
    request: UpdateRequest,
    options: ExchangeOptions,
  ): Promise<RegistrationAnswer>;
  deregister(location: readonly string[], options: ExchangeOptions): Promise<RegistrationAnswer>;
  /** Absent: the transport has no Send. */
  send?(message: SendMessage, options: ExchangeOptions): Promise<RegistrationAnswer>;
  /**
   * The other end of an observation of an earlier run, from what its `record` said; undefined when the Server is not where
   * it was. Absent: the transport ends observations with the program.
   */
  restoreObserver?(record: string): Observer | undefined;
  /** Opens the way to the Server, and says by what it knows us. Rejects with TransportError. */
  localSocket(): Promise<LocalSocket>;
}

/** A Server without security knows its client by address and port (LwM2M Transport 1.2 §6.4). */
export interface LocalSocket {
  /** `udp4`, `udp6` … */
  readonly transport: string;
  /** Numeric: where our datagrams to that Server come from. */
  readonly address: string;
  readonly port: number;
}

/** LwM2M Core 1.2 §6.4.4 */
export interface SendMessage {
  readonly contentFormat: number;
  readonly payload: Uint8Array;
}

export interface ExchangeOptions {
  readonly signal: AbortSignal;
}

/** LwM2M Core 1.2 §6.2.1, table 6.2.1-1: the parameters as the version in `version` writes them. */
export interface RegisterRequest {
  readonly endpointName: string;
  readonly version: LwM2mVersion;
  /** Seconds. */
  readonly lifetime: number;
  /** The value of `b`; version 1.0 says here that queue mode is used. */
  readonly binding: string;
  /** The parameter `Q` of version 1.1 and later. */
  readonly queueMode: boolean;
  readonly profileId?: string;
  /** The Objects and Object Instances, as link-format; absent when a Profile ID says it all. */
  readonly objects?: string | undefined;
}

/** Only what changed. */
export interface UpdateRequest {
  readonly lifetime?: number;
  readonly binding?: string;
  /** Together with `binding`. */
  readonly queueMode?: boolean;
  readonly objects?: string;
}

export type RegistrationAnswer =
  | { readonly kind: "accepted"; readonly location: readonly string[] }
  | { readonly kind: "failed"; readonly failure: RegistrationFailure };

/** Refused, not answered, or not even sent. */
export interface RegistrationFailure {
  readonly reason: string;
  /** What the Server refused with; absent when there was no answer. */
  readonly code?: string;
  /** Seconds, when the Server asked for patience. */
  readonly retryAfter?: number;
}
