/** One observation by one peer: at most one confirmable notification on its way, and the newest waiting (RFC 7641 §4.5). */
import type { Peer } from "../ports.js";
import type { Block } from "./block.js";
import { type Channel, tokenKey } from "./channel.js";
import { isSuccess } from "./code.js";
import type { Confirmable, ConfirmableFate, Confirmables } from "./confirmable.js";
import type { NotificationFate, Relation, Response } from "./exchange-types.js";
import { afterSent } from "./fault.js";
import type { MessageType } from "./message.js";
import type { Representations } from "./representation.js";
import { encodeResponse } from "./response-message.js";

/** What was asked to be observed, as far as notifications need to know. */
export interface ObservedRequest {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** What requests for later blocks of a notification will have in common. */
  readonly transferKey: () => string;
  readonly block2: Block | undefined;
}

export interface RelationContext {
  readonly channel: Channel;
  readonly confirmables: Confirmables;
  readonly representations: Representations;
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

export class ObserveRelation implements Relation {
  readonly key: string;
  readonly peer: Peer;
  readonly #context: RelationContext;
  readonly #request: ObservedRequest;
  /** `opening`: the first response has not arrived as far as we know, and notifications wait for it. */
  #state: "opening" | "open" | "ended" = "opening";
  #sequence: number;
  #unacknowledged: { notification: Notification; readonly confirmable: Confirmable } | undefined;
  #waiting: Notification | undefined;

  /** @param sequence of the last notification with the same token, if there was one before */
  constructor(context: RelationContext, request: ObservedRequest, sequence: number) {
    this.key = tokenKey(request.peer, request.token);
    this.peer = request.peer;
    this.#context = context;
    // The token is a view of a datagram, which need not live as long as this.
    this.#request = { ...request, token: request.token.slice() };
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
      const notification = { response, confirmable, resolve };
      if (this.#state === "ended") return resolve("ended");
      if (this.#state === "open" && this.#unacknowledged === undefined) return this.#transmit(notification);
      this.#waiting?.resolve("superseded");
      this.#waiting = notification;
    });
  }

  end(): void {
    this.#state = "ended";
    this.#unacknowledged?.confirmable.stop();
    this.#unacknowledged?.notification.resolve("ended");
    this.#waiting?.resolve("ended");
    this.#unacknowledged = undefined;
    this.#waiting = undefined;
    this.#context.forget(this);
  }

  /** By RST, by Observe 1, or by a new registration with the same token. */
  endByPeer(): void {
    const wasActive = this.active;
    this.end();
    if (wasActive) this.#context.endedByPeer(this);
  }

  #transmit(notification: Notification): void {
    const { channel, confirmables } = this.#context;
    const { messageId, datagram } = this.#encode(notification, notification.confirmable ? "CON" : "NON");
    if (notification.confirmable) {
      const confirmable = confirmables.send(this.peer, {
        messageId,
        datagram,
        settled: (fate) => this.#settled(fate),
        successor: () => this.#successor(),
      });
      this.#unacknowledged = { notification, confirmable };
    } else {
      channel.send(datagram, this.peer);
      notification.resolve("sent");
    }
    this.#sent(notification);
  }

  /**
   * RFC 7641 §4.5.2: the newer state goes out in place of the older one, as the next attempt of the same series. It is
   * confirmable whatever was asked for, because the series has to end in an ACK.
   */
  #successor(): { readonly messageId: number; readonly datagram: Uint8Array } | undefined {
    const newer = this.#waiting;
    if (newer === undefined || this.#unacknowledged === undefined) return undefined;
    this.#waiting = undefined;
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
    if (fate === "reset") this.endByPeer();
    else if (this.active) this.#sendWaiting();
    else this.#context.forget(this);
  }

  #sendWaiting(): void {
    const notification = this.#waiting;
    this.#waiting = undefined;
    if (notification) this.#transmit(notification);
  }

  #encode({ response }: Notification, type: MessageType) {
    const { channel, representations } = this.#context;
    const { token, block2, transferKey } = this.#request;
    const messageId = channel.nextMessageId();
    const part = representations.firstPart(response, block2, transferKey, channel.clock.now());
    const observe = isSuccess(response.code) ? this.nextSequence() : undefined;
    const datagram = encodeResponse({ type, messageId, token }, part.response, { ...part.extras, observe });
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
