/** The other end by hand: says any message it likes to a real endpoint, and keeps what comes back. */
import { type Block, decodeBlock, encodeBlock } from "../../../agent/coap/block.js";
import {
  decodeResponseCode,
  encodeMethod,
  encodeResponseCode,
  type Method,
  type ResponseCode,
} from "../../../agent/coap/code.js";
import { createEndpoint, type EndpointOptions } from "../../../agent/coap/endpoint.js";
import type { RequestHandler } from "../../../agent/coap/exchange-types.js";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  type OutgoingOption,
} from "../../../agent/coap/message.js";
import { decodeUint, encodeText, optionNumber } from "../../../agent/coap/option.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { simulatedPeer } from "../../simulated/link.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";

export const server = simulatedPeer(1);
export const stranger = simulatedPeer(66);

export interface Heard extends Message {
  readonly bytes: Uint8Array;
  /** On the simulated clock. */
  readonly at: number;
}

export interface Said {
  readonly type?: MessageType;
  readonly method?: Method;
  /** Instead of a method, for responses. */
  readonly code?: ResponseCode;
  readonly messageId?: number;
  readonly token?: readonly number[] | Uint8Array;
  readonly path?: readonly string[];
  readonly query?: readonly string[];
  readonly contentFormat?: number;
  readonly accept?: number;
  readonly observe?: number;
  readonly block1?: Block;
  readonly block2?: Block;
  readonly size1?: number;
  /** Any others. */
  readonly options?: readonly OutgoingOption[];
  readonly payload?: Uint8Array;
}

let messageIds = 0;

/** The bytes of a message; a Confirmable GET with a new Message ID unless said otherwise. */
export function message(said: Said = {}): Uint8Array {
  const options: OutgoingOption[] = [...(said.options ?? [])];
  for (const segment of said.path ?? [])
    options.push({ number: optionNumber.uriPath, value: encodeText(segment) });
  for (const item of said.query ?? [])
    options.push({ number: optionNumber.uriQuery, value: encodeText(item) });
  const add = (number: number, value: number | undefined) =>
    value !== undefined && options.push({ number, value });
  add(optionNumber.contentFormat, said.contentFormat);
  add(optionNumber.accept, said.accept);
  add(optionNumber.observe, said.observe);
  add(optionNumber.block1, said.block1 && encodeBlock(said.block1));
  add(optionNumber.block2, said.block2 && encodeBlock(said.block2));
  add(optionNumber.size1, said.size1);
  return encodeMessage({
    type: said.type ?? "CON",
    code: said.code ? encodeResponseCode(said.code) : encodeMethod(said.method ?? "GET"),
    messageId: said.messageId ?? messageIds++ & 0xffff,
    token: Uint8Array.from(said.token ?? [1, 2, 3, 4]),
    options: options.sort((one, other) => one.number - other.number),
    payload: said.payload ?? new Uint8Array(),
  });
}

export type FacedOptions = Partial<Omit<EndpointOptions, "handler" | "clock" | "log">> & {
  readonly handler?: Partial<RequestHandler>;
};

/** An endpoint on a simulated clock whose datagrams all end up in `heard`. */
export function faceEndpoint({ handler, ...options }: FacedOptions = {}) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const heard: Heard[] = [];
  const endpoint = createEndpoint({
    clock,
    log,
    random: createSeededRandom(7),
    send: (bytes) => void heard.push({ ...decodeMessage(bytes), bytes, at: clock.now() }),
    handler: { accepts: (peer) => peer.key !== stranger.key, handle: () => ({ code: "2.05" }), ...handler },
    ...options,
  });
  return {
    clock,
    log,
    endpoint,
    heard,
    /** Lets the endpoint receive a message. */
    say: (said: Said | Uint8Array, from = server) =>
      endpoint.receive(said instanceof Uint8Array ? said : message(said), from),
    /** The same, and answers what came back at once. */
    ask: (said: Said): Heard => {
      const before = heard.length;
      endpoint.receive(message(said), server);
      return only(heard.slice(before));
    },
    /** The same for a handler that takes its time, as long as that is none on the clock. */
    askLater: async (said: Said): Promise<Heard> => {
      const before = heard.length;
      endpoint.receive(message(said), server);
      await settled();
      return only(heard.slice(before));
    },
    last: (): Heard => only(heard.slice(-1)),
    /** An empty ACK or RST for what was heard. */
    reply: (type: "ACK" | "RST", { messageId }: Message, from = server) =>
      endpoint.receive(
        encodeMessage({
          type,
          code: 0,
          messageId,
          token: new Uint8Array(),
          options: [],
          payload: new Uint8Array(),
        }),
        from,
      ),
  };
}

export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export function only<T>(items: readonly T[]): T {
  const [item, ...others] = items;
  if (item === undefined || others.length > 0) throw new Error(`expected one, got ${items.length}`);
  return item;
}

/** `2.05`, or the class and detail of what is no response. */
export const codeOf = ({ code }: Message): string =>
  decodeResponseCode(code) ?? `${code >> 5}.${String(code & 31).padStart(2, "0")}`;

export const optionOf = ({ options }: Message, number: number): Uint8Array | undefined =>
  options.find((option) => option.number === number)?.value;

export const uintOf = (heard: Message, number: number): number | undefined => {
  const value = optionOf(heard, number);
  return value && decodeUint(value);
};

/** `number/more/size`, as RFC 7959 writes it. */
export const blockOf = (heard: Message, number: number): string | undefined => {
  const value = uintOf(heard, number);
  const block = value === undefined ? undefined : decodeBlock(value);
  return block && `${block.number}/${block.more ? 1 : 0}/${block.size}`;
};

/** `n` bytes that tell where they belong. */
export const bytes = (n: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (from + i) % 251);

export const block = (number: number, more: boolean, size: number): Block => ({ number, more, size });
