/**
 * The contents of the Objects Security, Server, Access Control and OSCORE while a bootstrap changes them. The Objects
 * implement it; nothing is durable, and nobody else sees a change, before `commit`.
 */
import type { InstancePath } from "../../model/path.js";
import type { ObjectContent } from "../../model/value.js";

export interface BootstrapAccounts {
  /** @throws Error when a bootstrap is going on */
  begin(): Promise<AccountTransaction>;
  /** What the last bootstrap wants deleted; durable together with it. */
  readonly deletions: readonly InstancePath[];
  /** It is done. */
  deletionsDone(): Promise<void>;
}

export interface AccountTransaction {
  /** Is the content of this Object part of the accounts? */
  includes(objectId: number): boolean;
  content(objectId: number): ObjectContent;
  /** Creates Object Instances and Resources, and overwrites those that are there. */
  write(objectId: number, content: ObjectContent): void;
  /** Takes what is there away, except for the Bootstrap-Server account, and puts the content in its place. */
  replace(objectId: number, content: ObjectContent): void;
  /**
   * Deletes one Object Instance, or all but those of the Bootstrap-Server account.
   * @throws RequestError for one that is not there, or that belongs to the Bootstrap-Server account
   */
  delete(objectId: number, objectInstanceId?: number): void;
  /** What Bootstrap-Discover says about an instance; nothing about the Bootstrap-Server account. */
  describe(
    objectId: number,
    objectInstanceId: number,
  ): { readonly shortServerId: number | undefined; readonly uri: string | undefined };
  /** What is wrong with the accounts as they are now; empty when they are consistent. */
  problems(): readonly string[];
  /**
   * Makes the changes durable, all of them or none, with what follows for Servers that have gone (LwM2M Core 1.2
   * §6.1.6, Unbootstrapping): Object Instances that only they could access are to be deleted.
   * @param canDelete can instances of this Object be deleted?
   * @param deletions Object Instances that are to be deleted anyway
   */
  commit(canDelete: (objectId: number) => boolean, deletions: readonly InstancePath[]): Promise<void>;
  /** Gives up what is not committed. Harmless afterwards. */
  end(): void;
}
