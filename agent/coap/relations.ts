/** All observations by all peers (RFC 7641 §4.1): found by token, ended by RST, bounded per peer. */
import type { Peer } from "../ports.js";
import { type Channel, messageKey, tokenKey } from "./channel.js";
import type { Confirmables } from "./confirmable.js";
import type { Relation, RelationRecord } from "./exchange-types.js";
import { Interactions } from "./interactions.js";
import { noBytes } from "./message.js";
import { Probing } from "./probing.js";
import { type ObservedRequest, ObserveRelation, observedTarget, type RelationContext } from "./relation.js";
import type { Representations } from "./representation.js";
import { transferKey } from "./request-message.js";

/** Notifications that a RST can still be matched with after they were sent. */
const rememberedNotifications = 256;

export interface RelationsOptions {
  readonly channel: Channel;
  readonly confirmables: Confirmables;
  readonly representations: Representations;
  readonly relationsPerPeer: number;
  /** A peer ended a relation. */
  readonly ended: (relation: Relation) => void;
}

export class Relations {
  readonly #limit: number;
  readonly #context: RelationContext;
  readonly #relations = new Map<string, ObserveRelation>();
  readonly #notifications = new Map<string, ObserveRelation>();

  constructor({ channel, confirmables, representations, relationsPerPeer, ended }: RelationsOptions) {
    this.#limit = relationsPerPeer;
    this.#context = {
      channel,
      confirmables,
      representations,
      // RFC 7641 §4.5.1: NSTART holds for notifications too, all that go to one peer taken together.
      turns: new Interactions(channel.transmission.nstart),
      probing: new Probing(channel.transmission.probingRate),
      remember: (messageId, relation) => this.remember(messageId, relation),
      forget: (relation) => this.#forget(relation),
      endedByPeer: ended,
    };
  }

  get size(): number {
    return this.#relations.size;
  }

  /**
   * A relation that waits for its first response; undefined when the peer has as many as it may have. An older one with
   * the same token ends here, before anyone above can mistake the new one for it.
   * @param sequence to go on from, unless an older one with the same token says it
   */
  begin(request: ObservedRequest, sequence = 0): ObserveRelation | undefined {
    const old = this.#endByPeer(request);
    if (this.#countOf(request.peer) >= this.#limit) return undefined;
    const relation = new ObserveRelation(this.#context, request, old?.sequence ?? sequence);
    this.#relations.set(relation.key, relation);
    return relation;
  }

  /**
   * The peer wants no more notifications with this token. The relation that is returned has ended; undefined when what
   * goes on with this token is the observation of something else (RFC 7641 §4.1).
   */
  cancel(request: ObservedRequest): Relation | undefined {
    const known = this.#relations.get(tokenKey(request.peer, request.token));
    if (known && known.target !== request.target()) return undefined;
    const relation = this.#endByPeer(request) ?? new ObserveRelation(this.#context, request, 0);
    relation.end();
    return relation;
  }

  /** A relation of an earlier run: its first response went out then. undefined when the peer has as many as it may have. */
  restore({ peer, token, sequence, request, blockSize }: RelationRecord): Relation | undefined {
    const { method, path, query = [], accept, payload = noBytes } = request;
    const relation = this.begin(
      {
        peer,
        token,
        target: () => observedTarget(method, path),
        transferKey: () => transferKey(peer, { method, path, query, accept, requestTag: "" }),
        block2: blockSize === undefined ? undefined : { number: 0, more: false, size: blockSize },
        body: payload,
      },
      sequence,
    );
    relation?.open();
    return relation;
  }

  /** A message of that peer has come. */
  heard(peer: Peer): void {
    this.#context.probing.heard(peer);
  }

  /** From now on a RST with this Message ID ends the relation. */
  remember(messageId: number, relation: ObserveRelation): void {
    const key = messageKey(relation.peer, messageId);
    this.#notifications.delete(key);
    this.#notifications.set(key, relation);
    if (this.#notifications.size <= rememberedNotifications) return;
    for (const oldest of this.#notifications.keys()) {
      this.#notifications.delete(oldest);
      return;
    }
  }

  /** A RST has come that no confirmable message was waiting for. */
  reset(peer: Peer, messageId: number): void {
    this.#notifications.get(messageKey(peer, messageId))?.endByPeer();
  }

  close(): void {
    for (const relation of this.#relations.values()) relation.end();
    this.#notifications.clear();
  }

  #endByPeer({ peer, token }: ObservedRequest): ObserveRelation | undefined {
    const relation = this.#relations.get(tokenKey(peer, token));
    relation?.endByPeer();
    return relation;
  }

  #forget(relation: ObserveRelation): void {
    if (this.#relations.get(relation.key) === relation) this.#relations.delete(relation.key);
  }

  #countOf(peer: Peer): number {
    let count = 0;
    for (const relation of this.#relations.values()) if (relation.peer.key === peer.key) count++;
    return count;
  }
}
