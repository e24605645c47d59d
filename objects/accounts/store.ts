/**
 * The one record of the Server Accounts: Security, Server, Access Control and OSCORE in a single write, so that after a
 * power cut all of them are as they were before a change, or all as after it.
 */
import { RequestError } from "../../agent/model/errors.js";
import { formatPath, type InstancePath, type ResourcePath } from "../../agent/model/path.js";
import type { ResourceContent } from "../../agent/model/value.js";
import { PersistentRecord } from "../../agent/persistence/persistent-record.js";
import type { Clock, Log, Store } from "../../agent/ports.js";
import { type AccountContent, withValue } from "./content.js";
import { mergeFactory } from "./factory.js";
import { type AccountRecord, equalAccounts, formatAccountRecord, parseAccountRecord } from "./record.js";

export interface AccountStoreOptions {
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
  /** What the operator configured. */
  readonly factory: AccountContent;
}

/** Called with what was there and what is there now; the new content is durable. */
export type ContentListener = (before: AccountContent, after: AccountContent) => void;

/**
 * Opens the record. An account that the operator added, changed or took away since it was written is as configured now;
 * every other is as Servers and the Bootstrap-Server left it.
 */
export async function openAccountStore(options: AccountStoreOptions): Promise<AccountStore> {
  const { store, log, factory } = options;
  const record = new PersistentRecord<AccountRecord>({
    store,
    log,
    name: "accounts",
    version: 1,
    initial: { content: factory, factory },
    parse: parseAccountRecord,
    format: formatAccountRecord,
  });
  await record.load();
  if (!equalAccounts(record.value.factory, factory)) {
    log.info("accounts follow the changed configuration");
    await record.update(({ content, factory: before, ...rest }) => ({
      ...rest,
      content: mergeFactory(content, before, factory),
      factory,
    }));
  }
  return new AccountStore(record, options.clock);
}

export class AccountStore {
  readonly #record: PersistentRecord<AccountRecord>;
  readonly #clock: Clock;
  readonly #listeners = new Set<ContentListener>();
  #inBootstrap = false;
  #lastUpdate: Promise<void> = Promise.resolve();

  constructor(record: PersistentRecord<AccountRecord>, clock: Clock) {
    this.#record = record;
    this.#clock = clock;
  }

  get content(): AccountContent {
    return this.#record.value.content;
  }

  /** Seconds since 1970; undefined when no bootstrap ever changed the accounts. */
  get bootstrappedAt(): number | undefined {
    return this.#record.value.bootstrappedAt;
  }

  /** Object Instances that the last bootstrap wants deleted, and that may still be there. */
  get deletions(): readonly InstancePath[] {
    return this.#record.value.deletions ?? [];
  }

  /** Hears of every change but the Writes of Servers. Call the result to stop listening. */
  onChange(listener: ContentListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * A Server writes a Resource; undefined takes it away.
   * @throws RequestError 5.03 during a bootstrap, which would undo it; 4.04 when the instance has gone
   */
  write(path: ResourcePath, value: ResourceContent | undefined): Promise<void> {
    return this.#update((content) => {
      if (content.get(path[0])?.has(path[1]) !== true) {
        throw new RequestError("4.04", `${formatPath(path)} does not exist`);
      }
      return withValue(content, path, value);
    });
  }

  /** The client itself changes something. */
  async change(change: (content: AccountContent) => AccountContent): Promise<void> {
    const before = this.content;
    await this.#update(change);
    this.#emit(before);
  }

  #update(change: (content: AccountContent) => AccountContent): Promise<void> {
    const update = this.#record.update((record) => {
      if (this.#inBootstrap) throw new RequestError("5.03", "a bootstrap is changing the accounts");
      return { ...record, content: change(record.content) };
    });
    this.#lastUpdate = update.catch(() => undefined); // whoever asked hears of it
    return update;
  }

  /**
   * A bootstrap begins: until `commit` or `end` nobody else changes the content.
   * @throws Error when one is going on
   */
  async begin(): Promise<void> {
    if (this.#inBootstrap) throw new Error("a bootstrap is going on already");
    this.#inBootstrap = true;
    await this.#lastUpdate; // a Write that is under way is in the content afterwards
  }

  /** Makes the outcome of a bootstrap durable, all of it or nothing. The bootstrap goes on until `end`. */
  async commit(content: AccountContent, deletions: readonly InstancePath[]): Promise<void> {
    const before = this.content;
    const bootstrappedAt = Math.floor(this.#clock.date().getTime() / 1000);
    await this.#record.update((record) => ({ ...record, content, bootstrappedAt, deletions }));
    this.#emit(before);
  }

  deletionsDone(): Promise<void> {
    return this.#record.update(({ deletions: _, ...record }) => record);
  }

  /** Harmless when no bootstrap is going on. */
  end(): void {
    this.#inBootstrap = false;
  }

  #emit(before: AccountContent): void {
    for (const listener of this.#listeners) listener(before, this.content);
  }
}
