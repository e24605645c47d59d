/**
 * The registrations that are in force, on disk: after a restart of the program an Update takes them up and says what
 * changed meanwhile.
 *
 * A Server without security knows us by address and port (LwM2M Transport 1.2 §6.4), so the port is kept with the
 * registration and asked for again; where it is taken, or any of account, endpoint name and Profile ID is another one, the
 * client registers anew. The end of the lifetime is not kept, which would be a write with each refresh: a Server that let the
 * registration end says 4.04 to the Update, and a Register follows.
 */

import { PersistentRecord } from "../persistence/persistent-record.js";
import {
  boolean,
  integer,
  list,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
} from "../persistence/record-format.js";
import type { Log, Store } from "../ports.js";
import type { ServerAccount } from "./accounts.js";
import type { LwM2mVersion } from "./operations.js";
import type { Registration } from "./registration.js";
import type { RegistrationPolicy } from "./registration-policy.js";
import type { RegistrationTerms } from "./registration-terms.js";
import type { LocalSocket } from "./server-connection.js";

/** A registration with all that its Server was told. */
export interface RememberedRegistration extends Registration {
  readonly told: RegistrationTerms;
  readonly local: LocalSocket;
}

/** Which registration it is: another account or another name makes another one. */
interface RegistrationKey {
  readonly shortServerId: number;
  readonly uri: string;
  readonly endpointName: string;
  /** Profile ID: what its Server was told of the Objects. */
  readonly profileId?: string | undefined;
}

/** How this client presents itself. */
type Presentation = Pick<RegistrationPolicy, "endpointName" | "profile">;

type Entry = RegistrationKey & RememberedRegistration;

export class RegistrationMemory {
  readonly #record: PersistentRecord<readonly Entry[]>;
  readonly #log: Log;

  constructor({ store, log }: { readonly store: Store; readonly log: Log }) {
    this.#log = log;
    this.#record = new PersistentRecord<readonly Entry[]>({
      store,
      log,
      name: "registrations",
      version: 2,
      initial: [],
      parse: list(parseEntry),
    });
  }

  load(): Promise<void> {
    return this.#record.load();
  }

  find(
    { shortServerId, uri }: ServerAccount,
    { endpointName, profile }: Presentation,
  ): RememberedRegistration | undefined {
    const entry = this.#record.value.find((each) => each.shortServerId === shortServerId);
    const isSame =
      entry?.uri === uri && entry.endpointName === endpointName && entry.profileId === profile?.id;
    return isSame ? entry : undefined;
  }

  /** The port by which Servers know us, for the socket that is opened now; undefined: any. */
  portFor(transport: string): number | undefined {
    return this.#record.value.find(({ local }) => local.transport === transport)?.local.port;
  }

  /** Keeps the registration with one Server, or forgets it. Failing that, which it logs, the next start registers anew. */
  async remember(
    { shortServerId, uri }: ServerAccount,
    { endpointName, profile }: Presentation,
    registration: RememberedRegistration | undefined,
  ): Promise<void> {
    const entry = registration && {
      ...{ ...registration, shortServerId, uri, endpointName },
      ...(profile && { profileId: profile.id }),
    };
    await this.#record
      .update((entries) => [
        ...entries.filter((each) => each.shortServerId !== shortServerId),
        ...(entry ? [entry] : []),
      ])
      .catch((error: unknown) => this.#log.warn("registration not remembered", { shortServerId, error }));
  }
}

const parseEntry: Parser<Entry> = shape({
  shortServerId: integer(1, 65534),
  uri: text,
  endpointName: text,
  profileId: optional(text),
  location: list(text),
  version: oneOf<LwM2mVersion>("1.0", "1.1", "1.2"),
  told: shape({
    lifetime: integer(0, 4294967295),
    binding: text,
    queueMode: boolean,
    objects: text,
  }),
  local: shape({ transport: text, address: text, port: integer(1, 65535) }),
});
