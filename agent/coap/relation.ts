/** One observation by one peer: at most one confirmable notification on its way, and the newest waiting (RFC 7641 §4.5). */
import type { Peer } from "../ports.js";
import { type Channel, tokenKey } from "./channel.js";
import { isSuccess, type Method } from "./code.js";
import type { Confirmable, ConfirmableFate, Confirmables } from "./confirmable.js";
import type { NotificationFate, Relation, Response } from "./exchange-types.js";
import { afterSent } from "./fault.js";
import type { Interaction, Interactions } from "./interactions.js";
import type { MessageType } from "./message.js";
import type { Probing } from "./probing.js";
import type { Asked, Representations } from "./representation.js";
import { encodeResponse } from "./response-message.js";

/** What was asked to be observed, as far as notifications need to know. */
export interface ObservedRequest extends Asked {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** `observedTarget` of the request. */
  readonly target: () => string;
}

/** What is observed; how it is to be written down may change from a registration to its cancellation. */
export const observedTarget = (method: Method, path: readonly string[]): string =>
  JSON.stringify([method, path]);

export interface RelationContext {
  readonly channel: Channel;
  readonly confirmables: Confirmables;
  readonly representations: Representations;
  /** Who may have a confirmable notification on its way. */
  readonly turns: Interactions;
  readonly probing: Probing;
  /** A RST with this Message ID is about this relation. */
  remember(messageId: number, relation: ObserveRelation): void;
  /** Nothing more will be sent. */
  forget(relation: ObserveRelation): void;
  /** The layer above has to hear of it. */
  endedByPeer(relation: ObserveRelation): void;
}

interface Notification {
  readonly response: Response;
  readonly confirmable: boolean;
  readonly resolve: (fate: NotificationFate) => void;
}

export class ObserveRelation implements Relation, Interaction {
  readonly key: string;
  readonly peer: Peer;
  readonly token: Uint8Array;
  readonly target: string;
  readonly #context: RelationContext;
  readonly #asked: Asked;
  /** `opening`: the first response has not arrived as far as we know, and notifications wait for it. */
  #state: "opening" | "open" | "ended" = "opening";
  #sequence: number;
  #unacknowledged: { notification: Notification; readonly confirmable: Confirmable } | undefined;
  #waiting: Notification | undefined;
  /** What is waiting waits for its turn with the peer. */
  #queued = false;

  /** @param sequence of the last notification with the same token, if there was one before */
  constructor(context: RelationContext, request: ObservedRequest, sequence: number) {
    const { peer, token, target, block2, transferKey, body } = request;
    this.key = tokenKey(peer, token);
    this.peer = peer;
    // Views of a datagram, which need not live as long as this.
    this.token = token.slice();
    this.target = target();
    this.#asked = { block2, transferKey, body: body.slice() };
    this.#context = context;
    this.#sequence = sequence;
  }

  get active(): boolean {
    return this.#state !== "ended";
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** The value of the next Observe option. */
  nextSequence(): number {
    this.#sequence = sequenceAfter(this.#sequence);
    return this.#sequence;
  }

  /** The first response has arrived, or will not; notifications may follow it. */
  open(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#sendWaiting();
  }

  notify(response: Response, { confirmable }: { readonly confirmable: boolean }): Promise<NotificationFate> {
    return new Promise((resolve) => {
      if (this.#state === "ended") return resolve("ended");
      const older = this.#waiting;
      older?.resolve("superseded");
      // What was to be acknowledged would have said less than this, so this is to be acknowledged too.
      this.#waiting = { response, confirmable: confirmable || older?.confirmable === true, resolve };
      this.#sendWaiting();
    });
  }

  /** The turn to send what is waiting, confirmably. */
  start(): void {
    this.#queued = false;
    const notification = this.#takeWaiting();
    if (notification === undefined) {
      this.#context.turns.end(this);
      return;
    }
    const { messageId, datagram } = this.#encode(notification, "CON");
    const confirmable = this.#context.confirmables.send(this.peer, {
      messageId,
      datagram,
      settled: (fate) => this.#settled(fate),
      successor: () => this.#successor(),
    });
    this.#unacknowledged = { notification, confirmable };
    this.#sent(notification);
  }

  end(): void {
    this.#state = "ended";
    this.#unacknowledged?.confirmable.stop();
    this.#unacknowledged?.notification.resolve("ended");
    this.#waiting?.resolve("ended");
    this.#unacknowledged = undefined;
    this.#waiting = undefined;
    this.#context.turns.end(this);
    this.#context.forget(this);
  }

  /** By RST, by Observe 1, or by a new registration with the same token. */
  endByPeer(): void {
    const wasActive = this.active;
    this.end();
    if (wasActive) this.#context.endedByPeer(this);
  }

  #sendWaiting(): void {
    if (this.#state !== "open" || this.#queued || this.#unacknowledged || this.#waiting === undefined) return;
    const { channel, probing, turns } = this.#context;
    if (!this.#waiting.confirmable && probing.allows(this.peer, channel.clock.now())) {
      this.#sendUnconfirmed(this.#waiting);
    } else {
      this.#queued = true;
      turns.begin(this);
    }
  }

  #sendUnconfirmed(notification: Notification): void {
    const { channel, probing } = this.#context;
    this.#waiting = undefined;
    const { datagram } = this.#encode(notification, "NON");
    probing.sent(this.peer, datagram.length, channel.clock.now());
    channel.send(datagram, this.peer);
    notification.resolve("sent");
    this.#sent(notification);
  }

  #takeWaiting(): Notification | undefined {
    const notification = this.#waiting;
    this.#waiting = undefined;
    return notification;
  }

  /**
   * RFC 7641 §4.5.2: the newer state goes out in place of the older one, as the next attempt of the same series. It is
   * confirmable whatever was asked for, because the series has to end in an ACK.
   */
  #successor(): { readonly messageId: number; readonly datagram: Uint8Array } | undefined {
    if (this.#unacknowledged === undefined) return undefined;
    const newer = this.#takeWaiting();
    if (newer === undefined) return undefined;
    this.#unacknowledged.notification.resolve("superseded");
    this.#unacknowledged.notification = newer;
    const message = this.#encode(newer, "CON");
    this.#sent(newer);
    return message;
  }

  #settled(fate: ConfirmableFate): void {
    // A peer that does not answer may only be asleep: what to make of it is for the layer above to say.
    const said = { acknowledged: "acknowledged", timeout: "unanswered", reset: "ended" } as const;
    this.#unacknowledged?.notification.resolve(said[fate]);
    this.#unacknowledged = undefined;
    this.#context.turns.end(this);
    if (fate === "reset") this.endByPeer();
    else if (this.active) this.#sendWaiting();
    else this.#context.forget(this);
  }

  #encode({ response }: Notification, type: MessageType) {
    const { channel, representations } = this.#context;
    const messageId = channel.nextMessageId();
    const part = representations.firstPart(response, this.#asked, channel.clock.now());
    const observe = isSuccess(response.code) ? this.nextSequence() : undefined;
    const datagram = encodeResponse({ type, messageId, token: this.token }, part.response, {
      ...part.extras,
      observe,
    });
    this.#context.remember(messageId, this);
    return { messageId, datagram };
  }

  #sent({ response }: Notification): void {
    afterSent(response, this.#context.channel.log);
    if (isSuccess(response.code)) return;
    // RFC 7641 §4.2: an error is the last notification.
    this.#state = "ended";
    if (this.#unacknowledged === undefined) this.#context.forget(this);
  }
}

/** 24 bits that begin anew at their end; the observer knows how to compare them (RFC 7641 §3.4, §4.4). */
export const sequenceAfter = (sequence: number): number => (sequence + 1) & 0xffffff;
