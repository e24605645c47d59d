/**
 * The Server Accounts of this client, as the engine needs them: what the Objects Security, Server, Access Control and
 * OSCORE hold together. The Objects implement it; a bootstrap changes them all at once or not at all.
 */
import type { ObjectLink } from "../model/value.js";

/** An instance of Security and the instance of Server with the same Short Server ID (LwM2M Core 1.2 §6.1). */
export interface ServerAccount {
  readonly shortServerId: number;
  readonly uri: string;
  readonly securityInstanceId: number;
  readonly serverInstanceId: number;
  /** Read anew whenever it is needed: the Server may write any of them at any time. */
  settings(): ServerSettings;
}

/** What /1/x holds, with the defaults of Core 1.2 §6.2.1.1 filled in. */
export interface ServerSettings {
  /** /1/x/1; 0 means that the registration never expires. */
  readonly lifetimeSeconds: number;
  /** /1/x/7: letters of the bindings that the Server accepts. */
  readonly binding: string;
  /** /1/x/6 */
  readonly notificationStoring: boolean;
  /** /1/x/2 */
  readonly defaultMinimumPeriodSeconds: number;
  /** /1/x/3; undefined: no maximum. */
  readonly defaultMaximumPeriodSeconds: number | undefined;
  /** /1/x/5 */
  readonly disableTimeoutSeconds: number;
  /** /1/x/13; undefined: not ordered, registers independently of the others. */
  readonly priorityOrder: number | undefined;
  /** /1/x/14 */
  readonly initialDelaySeconds: number;
  /** /1/x/15 */
  readonly failureBlock: boolean;
  /** /1/x/16 */
  readonly bootstrapOnFailure: boolean;
  /** /1/x/17 */
  readonly retryCount: number;
  /** /1/x/18 */
  readonly retryTimerSeconds: number;
  /** /1/x/19; undefined: no further sequence. */
  readonly sequenceDelaySeconds: number | undefined;
  /** /1/x/20 */
  readonly sequenceRetryCount: number;
  /** /1/x/22: the letter of the binding to prefer. */
  readonly preferredTransport: string | undefined;
  /** /1/x/23 */
  readonly muteSend: boolean;
  /** /1/x/25: what the Server says it speaks, such as `1.1` or `1.2.1`; empty: it does not say. */
  readonly supportedVersions: readonly string[];
  /** /1/x/26: are notifications confirmable where no attribute says it? */
  readonly confirmableByDefault: boolean;
}

export interface BootstrapAccount {
  readonly uri: string;
  readonly securityInstanceId: number;
  /** /0/x/11: how long to wait for the Bootstrap-Server to begin by itself. */
  readonly holdOffSeconds: number;
  /** /0/x/12: after a bootstrap the account is removed when so much time has passed; 0: never. */
  readonly accountTimeoutSeconds: number;
  readonly oscore: ObjectLink | undefined;
}

export interface Accounts {
  /** In ascending order of their Security instances. */
  servers(): readonly ServerAccount[];
  server(shortServerId: number): ServerAccount | undefined;
  bootstrapServer(): BootstrapAccount | undefined;
  /** Accounts came, went or changed by a bootstrap that has been committed. Call the result to stop listening. */
  onChange(listener: () => void): () => void;
}
