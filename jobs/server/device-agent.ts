/** The half of the CoAP endpoint that asks devices. */
import type { Socket } from "node:dgram";
import { Agent, IncomingMessage, type OutgoingMessage } from "coap";
import type { Clock, Log, Millis } from "../../agent/ports.js";
import { seconds } from "../../agent/ports.js";
import { contentFormatOf } from "./coap-message.js";

export interface DeviceRequest {
  readonly address: string;
  readonly port: number;
  readonly method: "GET" | "PUT" | "POST";
  /** `/3/0/9` */
  readonly path: string;
  readonly accept?: number | undefined;
  readonly contentFormat?: number | undefined;
  readonly payload?: Uint8Array | undefined;
  /** 0 begins an observation, 1 ends the one with this token. */
  readonly observe?: 0 | 1;
  readonly token?: Uint8Array;
}

export interface DeviceResponse {
  /** `2.05`; `0.00` for a Reset. */
  readonly code: string;
  readonly contentFormat: number | undefined;
  readonly payload: Uint8Array;
  /** Names the exchange; an observation is forgotten by it. */
  readonly token: Uint8Array;
  /** There are more blocks of it. Only in a notification: a response is complete. */
  readonly partial: boolean;
}

export type Notified = (notification: DeviceResponse) => void;

/** A response larger than this is given up; a device may send blocks without end. */
const maxResponseBytes = 1024 * 1024;
/** Payloads above this go in blocks of this size; with them a datagram is below 1152 bytes (RFC 7252 §4.6). */
const blockSize = 1024;
/** The SZX of blocks of 1024 bytes (RFC 7959 §2.2). */
const blockSizeExponent = 6;

type Packet = Parameters<Agent["_handle"]>[0];
type Address = Parameters<Agent["_handle"]>[1];

/**
 * The Agent of the package, with answers accepted only from where the request went. Notifications bypass its streams:
 * those drop an error that ends an observation, and tell code and format only of the newest notification.
 */
export class DeviceAgent extends Agent {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #observations = new Map<string, StandingObservation>();
  /** Milliseconds until the first retransmission, by request. */
  readonly #firstTimeouts = new WeakMap<OutgoingMessage, number>();

  constructor(socket: Socket, clock: Clock, log: Log) {
    super({ socket });
    this.#clock = clock;
    this.#log = log;
    this.on("error", (fault: Error) => log.warn("the server's socket failed", { fault: fault.message }));
  }

  ask(request: DeviceRequest, signal: AbortSignal): Promise<DeviceResponse> {
    return this.#exchange(request, signal, () => undefined);
  }

  observe(request: DeviceRequest, signal: AbortSignal, notified: Notified): Promise<DeviceResponse> {
    return this.#exchange(request, signal, (response, observe) => {
      if (observe === undefined) return;
      const observation = new StandingObservation(request, notified);
      observation.isNewer(observe, this.#clock.now());
      this.#observations.set(toKey(response.token), observation);
    });
  }

  forgetObservation(token: Uint8Array): void {
    this.#observations.delete(toKey(token));
  }

  /** @param answered called in the same turn, before a notification could come */
  #exchange(
    request: DeviceRequest,
    signal: AbortSignal,
    answered: (response: DeviceResponse, observe: number | undefined) => void,
  ): Promise<DeviceResponse> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const outgoing = this.request(toParameters(request));
      this.#firstTimeouts.set(outgoing, outgoing.sender._currentTime);
      const settle = () => {
        signal.removeEventListener("abort", abandon);
        this.#forget(outgoing);
      };
      const fail = (fault: Error) => {
        settle();
        reject(fault);
      };
      const abandon = () => fail(signal.reason);
      signal.addEventListener("abort", abandon);
      outgoing.on("error", fail);
      outgoing.on("timeout", fail);
      outgoing.on("response", (incoming: IncomingMessage) => {
        settle();
        const response = toResponse(incoming, outgoing._packet.token);
        answered(response, observeOf(incoming));
        resolve(response);
      });
      const { payload } = request;
      if (payload !== undefined && payload.length > blockSize) {
        outgoing.setOption("Block1", Buffer.of(blockSizeExponent));
      }
      outgoing.end(payload === undefined ? undefined : Buffer.from(payload));
    });
  }

  /** The package keeps what was answered by a separate response, and retransmits what nobody waits for. */
  #forget({ sender, _packet }: OutgoingMessage): void {
    sender.removeAllListeners();
    sender.reset();
    if (_packet.messageId !== undefined) this._msgIdToReq.delete(_packet.messageId);
    if (_packet.token !== undefined) this._tkToReq.delete(toKey(_packet.token));
  }

  /** The package closes its socket, and stops all retransmissions, when its count of requests comes to 0. Ours is shared. */
  override _cleanUp(): void {}

  override _handle(packet: Packet, from: Address, local: Address): void {
    try {
      this.#receive(packet, from, local);
    } catch (fault) {
      this.#log.debug("a datagram was dropped", {
        address: from.address,
        port: from.port,
        fault: String(fault),
      });
    }
  }

  #receive(packet: Packet, from: Address, local: Address): void {
    const isReply = packet.ack || packet.reset;
    const token = toKey(packet.token);
    const observation = isReply ? undefined : this.#observations.get(token);
    if (observation?.isOf(from)) {
      this.#notify(observation, packet, from);
      return;
    }
    const request = isReply ? this._msgIdToReq.get(packet.messageId) : this._tkToReq.get(token);
    if (request === undefined || !wentTo(request, from)) {
      // Also the answer to a CoAP ping, and how a device learns that an observation of old has ended.
      if (!isReply) this.#sendEmpty("RST", packet.messageId, from);
      return;
    }
    if (request._totalPayload.length > maxResponseBytes) {
      request.emit("error", new Error(`more than ${maxResponseBytes} bytes`));
      return;
    }
    if (!continues(packet, request)) {
      // The package would append a block again that came twice.
      if (packet.confirmable) this.#sendEmpty("ACK", packet.messageId, from);
      return;
    }
    // RFC 7252 §4.2: each block is a message of its own, and the package goes on with the back-off of the last one.
    request.sender._currentTime = this.#firstTimeouts.get(request) ?? request.sender._currentTime;
    // Message IDs of the device and of ours are unrelated, but the package takes a separate response for the answer
    // to whatever request of ours has the same number.
    const namesake = isReply ? undefined : this._msgIdToReq.get(packet.messageId);
    if (namesake === undefined || namesake === request) {
      super._handle(packet, from, local);
      return;
    }
    this._msgIdToReq.delete(packet.messageId);
    super._handle(packet, from, local);
    this._msgIdToReq.set(packet.messageId, namesake);
  }

  #notify(observation: StandingObservation, packet: Packet, from: Address): void {
    if (packet.confirmable) this.#sendEmpty("ACK", packet.messageId, from);
    const partial = isPartial(packet);
    const incoming = new IncomingMessage(packet, from);
    const observe = observeOf(incoming);
    // RFC 7641 §3.2: without the option, as an error always is, it was the last one.
    if (observe === undefined) this.forgetObservation(packet.token);
    else if (!observation.isNewer(observe, this.#clock.now())) return;
    observation.notified({ ...toResponse(incoming, packet.token), partial });
  }

  #sendEmpty(type: "ACK" | "RST", messageId: number, to: Address): void {
    const message = Buffer.of(type === "ACK" ? 0x60 : 0x70, 0, messageId >> 8, messageId & 0xff);
    this._sock?.send(message, 0, message.length, to.port, to.address);
  }
}

class StandingObservation {
  readonly notified: Notified;
  readonly #address: string;
  readonly #port: number;
  #newest: { sequence: number; at: Millis } | undefined;

  constructor({ address, port }: DeviceRequest, notified: Notified) {
    this.notified = notified;
    this.#address = address;
    this.#port = port;
  }

  isOf({ address, port }: Address): boolean {
    return address === this.#address && port === this.#port;
  }

  /** RFC 7641 §3.4: notifications may overtake each other; a late one says nothing new. */
  isNewer(sequence: number, at: Millis): boolean {
    const ahead = this.#newest === undefined ? 1 : (sequence - this.#newest.sequence) & 0xffffff;
    const isNewer = (ahead > 0 && ahead < 0x800000) || at > (this.#newest?.at ?? 0) + sequenceLifetime;
    if (isNewer) this.#newest = { sequence, at };
    return isNewer;
  }
}
const sequenceLifetime = seconds(128);

const wentTo = ({ url }: OutgoingMessage, { address, port }: Address): boolean =>
  url.host === address && url.port === port;

function toParameters(request: DeviceRequest): Parameters<Agent["request"]>[0] {
  const { address, port, method, path, accept, contentFormat, observe, token } = request;
  return {
    host: address,
    port,
    method,
    pathname: path,
    options: {
      // As an option and not as `observe`, which would turn the response into a stream. 0 is written as no bytes.
      ...(observe !== undefined && { Observe: observe === 0 ? null : observe }),
      ...(accept !== undefined && { Accept: accept }),
      ...(contentFormat !== undefined && { "Content-Format": contentFormat }),
    },
    ...(token !== undefined && { token: Buffer.from(token) }),
  };
}

const toResponse = (incoming: IncomingMessage, token: Uint8Array = new Uint8Array()): DeviceResponse => ({
  code: incoming.code,
  contentFormat: contentFormatOf(incoming),
  payload: incoming.payload,
  token,
  partial: false,
});

const observeOf = ({ headers }: IncomingMessage): number | undefined =>
  typeof headers.Observe === "number" ? headers.Observe : undefined;

/** RFC 7959 §2.2; undefined without the option. */
function block2Of({ options }: Packet): { offset: number; more: boolean } | undefined {
  const option = options.find(({ name }) => name === "Block2");
  if (option === undefined) return undefined;
  const value = option.value.reduce((number, byte) => number * 256 + byte, 0);
  return { offset: (value >>> 4) * 2 ** ((value & 7) + 4), more: (value & 8) !== 0 };
}

/** Is it the block that is missing, or whole? */
function continues(packet: Packet, { _totalPayload: received }: OutgoingMessage): boolean {
  const block = block2Of(packet);
  return block === undefined || block.offset === received.length;
}

const isPartial = (packet: Packet): boolean => block2Of(packet)?.more === true;

const toKey = (token: Uint8Array): string => Buffer.from(token).toString("hex");
