/** A bootstrap at work on the accounts: a copy that becomes what is durable, or is forgotten. */
import { instanceSize } from "../../agent/model/content-size.js";
import { RequestError } from "../../agent/model/errors.js";
import { formatPath, type InstancePath, MAX_ID } from "../../agent/model/path.js";
import type { ObjectContent, ObjectLink } from "../../agent/model/value.js";
import type { Clock } from "../../agent/ports.js";
import { Oscore } from "../oscore.js";
import { Security } from "../security.js";
import { Server } from "../server.js";
import { realLink } from "./accounts.js";
import {
  type AccountContent,
  instancesOf,
  lowestFreeId,
  namedValues,
  valueAt,
  withInstance,
  withoutInstance,
  withValue,
} from "./content.js";
import { accountDefinitions } from "./definitions.js";
import type { AccountStore } from "./store.js";
import { type Unbootstrapped, unbootstrap } from "./unbootstrap.js";
import { type Abilities, problemsOf } from "./validation.js";

/** Bootstraps of these accounts. */
export const createAccountTransactions = (store: AccountStore, clock: Clock, abilities: Abilities) => ({
  async begin(): Promise<AccountTransaction> {
    await store.begin();
    return new AccountTransaction(store, clock, abilities);
  },
  get deletions(): readonly InstancePath[] {
    return store.deletions;
  },
  deletionsDone: () => store.deletionsDone(),
});

/** Of each Object: more than any device needs, and no way to fill its memory. */
const maximumInstances = 256;

/** Of all values together: room for the certificates of dozens of Servers. */
const maximumBytes = 256 * 1024;

const noContent: ObjectContent = new Map();

export class AccountTransaction {
  readonly #store: AccountStore;
  readonly #clock: Clock;
  readonly #abilities: Abilities;
  readonly #before: AccountContent;
  #content: AccountContent;
  /** Instances that the Bootstrap-Server wrote, as `/0/1`. */
  readonly #written = new Set<string>();

  constructor(store: AccountStore, clock: Clock, abilities: Abilities) {
    this.#store = store;
    this.#clock = clock;
    this.#abilities = abilities;
    this.#before = store.content;
    this.#content = store.content;
  }

  includes(objectId: number): boolean {
    return accountDefinitions.has(objectId);
  }

  content(objectId: number): ObjectContent {
    return this.#content.get(objectId) ?? noContent;
  }

  write(objectId: number, content: ObjectContent): void {
    let changed = this.#content;
    const written: number[] = [];
    for (const [wanted, resources] of content) {
      const id = wanted === MAX_ID ? lowestFreeId(changed, objectId) : wanted;
      const present = changed.get(objectId)?.get(id);
      changed = withInstance(changed, objectId, id, new Map([...(present ?? []), ...resources]));
      written.push(id);
    }
    if ((changed.get(objectId)?.size ?? 0) > maximumInstances || sizeOf(changed) > maximumBytes) {
      throw new RequestError("5.00", `there is no room for this in Object ${objectId}`);
    }
    this.#content = changed;
    for (const id of written) this.#written.add(formatPath([objectId, id]));
  }

  replace(objectId: number, content: ObjectContent): void {
    this.delete(objectId);
    this.write(objectId, content);
  }

  /**
   * A Server account that is deleted and written anew in the same bootstrap was never gone, so what follows for Access
   * Control and the instance of Server waits for `commit`.
   */
  delete(objectId: number, objectInstanceId?: number): void {
    const kept = this.#bootstrapInstances();
    if (objectInstanceId === undefined) {
      for (const [id] of instancesOf(this.#content, objectId)) {
        if (!kept.has(formatPath([objectId, id])))
          this.#content = withoutInstance(this.#content, objectId, id);
      }
      return;
    }
    const path = formatPath([objectId, objectInstanceId]);
    if (kept.has(path)) throw new RequestError("4.00", `${path} belongs to the Bootstrap-Server account`);
    if (this.#content.get(objectId)?.has(objectInstanceId) !== true) {
      throw new RequestError("4.00", `${path} does not exist`);
    }
    this.#content = withoutInstance(this.#content, objectId, objectInstanceId);
  }

  describe(objectId: number, objectInstanceId: number) {
    const nothing = { shortServerId: undefined, uri: undefined };
    const resources = this.#content.get(objectId)?.get(objectInstanceId);
    if (resources === undefined) return nothing;
    if (objectId === Server.id) {
      return { ...nothing, shortServerId: namedValues(Server, resources).shortServerId };
    }
    const security = objectId === Security.id ? resources : this.#securityFor({ objectId, objectInstanceId });
    if (security === undefined) return nothing;
    const { bootstrapServer, shortServerId, serverUri } = namedValues(Security, security);
    if (bootstrapServer !== false) return nothing;
    return { shortServerId, uri: objectId === Security.id ? serverUri : undefined };
  }

  problems(): readonly string[] {
    return problemsOf(this.#outcome(() => true).content, this.#abilities);
  }

  commit(canDelete: (objectId: number) => boolean, deletions: readonly InstancePath[]): Promise<void> {
    const { content, orphans } = this.#outcome(canDelete);
    return this.#store.commit(this.#withLastBootstrapped(content), [...deletions, ...orphans]);
  }

  /** What the changes come to, with what follows for Servers that have gone. */
  #outcome(canDelete: (objectId: number) => boolean): Unbootstrapped {
    const remaining = shortServerIds(this.#content);
    const gone = new Set([...shortServerIds(this.#before)].filter((id) => !remaining.has(id)));
    return unbootstrap(this.#withoutServers(gone), gone, canDelete);
  }

  end(): void {
    this.#store.end();
  }

  /** With an instance of Security goes its instance of Server, as far as the Bootstrap-Server left it alone. */
  #withoutServers(gone: ReadonlySet<number>): AccountContent {
    return instancesOf(this.#content, Server.id).reduce((content, [id, resources]) => {
      const { shortServerId } = namedValues(Server, resources);
      const isWritten = this.#written.has(formatPath([Server.id, id]));
      const goes = shortServerId !== undefined && gone.has(shortServerId) && !isWritten;
      return goes ? withoutInstance(content, Server.id, id) : content;
    }, this.#content);
  }

  /** /1/x/12, for the accounts of which the Bootstrap-Server wrote a part. */
  #withLastBootstrapped(accounts: AccountContent): AccountContent {
    const now = Math.floor(this.#clock.date().getTime() / 1000);
    const touched = new Set(
      [Security, Server].flatMap(({ id: objectId, resources: { shortServerId } }) =>
        instancesOf(accounts, objectId)
          .filter(([id]) => this.#written.has(formatPath([objectId, id])))
          .map(([id]) => valueAt(accounts, objectId, id, shortServerId.id)),
      ),
    );
    return instancesOf(accounts, Server.id)
      .filter(([, resources]) => touched.has(namedValues(Server, resources).shortServerId))
      .reduce(
        (content, [id]) => withValue(content, [Server.id, id, Server.resources.lastBootstrapped.id], now),
        accounts,
      );
  }

  /** The instance of Security that leads to this instance of OSCORE. */
  #securityFor({ objectId, objectInstanceId }: ObjectLink) {
    return instancesOf(this.#content, Security.id).find(([, resources]) => {
      const link = realLink(namedValues(Security, resources).oscoreSecurityMode);
      return link?.objectId === objectId && link.objectInstanceId === objectInstanceId;
    })?.[1];
  }

  /** The paths of the Bootstrap-Server account, with its OSCORE context. */
  #bootstrapInstances(): ReadonlySet<string> {
    const paths = new Set<string>();
    for (const [id, resources] of instancesOf(this.#content, Security.id)) {
      const { bootstrapServer, oscoreSecurityMode } = namedValues(Security, resources);
      if (bootstrapServer !== true) continue;
      paths.add(formatPath([Security.id, id]));
      const link = realLink(oscoreSecurityMode);
      if (link?.objectId === Oscore.id) paths.add(formatPath([Oscore.id, link.objectInstanceId]));
    }
    return paths;
  }
}

const sizeOf = (content: AccountContent): number =>
  [...content.values()]
    .flatMap((instances) => [...instances.values()])
    .reduce((sum, resources) => sum + instanceSize(resources), 0);

/** Of the Servers that have an instance of Security. */
function shortServerIds(content: AccountContent): ReadonlySet<number> {
  return new Set(
    instancesOf(content, Security.id).flatMap(([, resources]) => {
      const { bootstrapServer, shortServerId } = namedValues(Security, resources);
      return bootstrapServer === false && shortServerId !== undefined ? [shortServerId] : [];
    }),
  );
}
