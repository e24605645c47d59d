/**
 * One connection to a message bus, as a client: method calls and signals. Short-lived: whoever has something to ask
 * connects, asks and closes, so there is nothing to bring back when the bus restarts.
 */
import { connect as connectSocket, type Socket } from "node:net";
import { type Clock, type Millis, seconds } from "../../agent/ports.js";
import { describeError } from "../system-error.js";
import { socketPaths, systemBusAddress } from "./address.js";
import { authenticate } from "./authentication.js";
import { encodeMessage, type Message } from "./message.js";
import { MessageBuffer } from "./message-buffer.js";
import type { Value } from "./value.js";

export interface BusOptions {
  /** `DBUS_SYSTEM_BUS_ADDRESS`, else the socket of the system bus, when not given. */
  readonly address?: string | undefined;
  readonly clock: Clock;
}

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly Value[];
  /** Starting a service takes part of it: 25 s when not given, as elsewhere. */
  readonly timeLimit?: Millis;
}

/** What came from the bus, numbered in order of arrival: is a signal older than the answer to a call? */
export interface Received extends Message {
  readonly order: number;
}

export interface SignalMatch {
  readonly sender: string;
  readonly path?: string;
  readonly interface: string;
  readonly member: string;
  /** The first argument, a string. */
  readonly argument?: string;
}

export interface Bus {
  /** @throws DBusError that names what went wrong: the error of the peer, or that there was no answer */
  call(call: MethodCall): Promise<Received>;
  /** Resolves when every such signal reaches `listener`. There is no taking back: close the connection. */
  listen(match: SignalMatch, listener: (signal: Received) => void): Promise<void>;
  /** Resolves when the connection is lost, also when it is closed. */
  readonly ended: Promise<void>;
  /** Calling it again is harmless. */
  close(): void;
}

/** An error that a peer answered, or one of `org.freedesktop.DBus.Error.*` when there was no answer. */
export class DBusError extends Error {
  override readonly name = "DBusError";
  /** As `org.freedesktop.DBus.Error.ServiceUnknown`. */
  readonly errorName: string;
  constructor(errorName: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errorName = errorName;
  }
}

export const busName = "org.freedesktop.DBus";
const errors = "org.freedesktop.DBus.Error";
const connectLimit = seconds(10);
const callLimit = seconds(25);

/** @throws DBusError when there is no bus, or it does not let us in */
export async function connectToBus(options: BusOptions): Promise<Bus> {
  const address = options.address ?? process.env["DBUS_SYSTEM_BUS_ADDRESS"] ?? systemBusAddress;
  let cause: unknown = new Error("it names no unix socket");
  for (const path of socketPaths(address)) {
    try {
      return await open(path, options.clock);
    } catch (error) {
      cause = error;
    }
  }
  throw new DBusError(`${errors}.NoServer`, `no message bus at ${address}: ${describeError(cause)}`, {
    cause,
  });
}

async function open(path: string, clock: Clock): Promise<Bus> {
  const socket = connectSocket(path);
  const limit = clock.after(connectLimit, () => socket.destroy(new Error("it does not answer")));
  try {
    const rest = await authenticate(socket);
    const connection = new Connection(socket, clock, rest);
    await connection.call({
      destination: busName,
      path: "/org/freedesktop/DBus",
      interface: busName,
      member: "Hello",
    });
    return connection;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    limit.cancel();
  }
}

interface Pending {
  resolve(reply: Received): void;
  reject(error: Error): void;
}

class Connection implements Bus {
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #incoming = new MessageBuffer();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners: { readonly match: SignalMatch; readonly listener: (signal: Received) => void }[] = [];
  #serial = 0;
  #order = 0;
  #failure: Error | undefined;

  constructor(socket: Socket, clock: Clock, received: Uint8Array) {
    this.#socket = socket;
    this.#clock = clock;
    this.ended = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the connection was closed")));
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#take(received);
  }

  call({ timeLimit = callLimit, ...call }: MethodCall): Promise<Received> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(lost(this.#failure));
      const serial = this.#send({ type: "call", signature: "", body: [], ...call });
      const limit = this.#clock.after(timeLimit, () => {
        this.#pending.delete(serial);
        reject(new DBusError(`${errors}.NoReply`, `${call.destination} did not answer ${call.member}`));
      });
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          limit.cancel();
          this.#pending.delete(serial);
          then(value);
        };
      this.#pending.set(serial, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  async listen(match: SignalMatch, listener: (signal: Received) => void): Promise<void> {
    this.#listeners.push({ match, listener });
    await this.call({
      destination: busName,
      path: "/org/freedesktop/DBus",
      interface: busName,
      member: "AddMatch",
      signature: "s",
      body: [ruleOf(match)],
    });
  }

  close(): void {
    this.#end(new Error("the connection was closed"));
  }

  #send(message: Omit<Message, "serial">): number {
    const serial = ++this.#serial;
    this.#socket.write(encodeMessage({ ...message, serial }));
    return serial;
  }

  #take(bytes: Uint8Array): void {
    try {
      for (const message of this.#incoming.take(bytes)) this.#dispatch({ ...message, order: ++this.#order });
    } catch (error) {
      this.#end(error as Error); // what is no message leaves us without a place to go on from
    }
  }

  #dispatch(message: Received): void {
    switch (message.type) {
      case "return":
        this.#pending.get(message.replySerial ?? 0)?.resolve(message);
        return;
      case "error":
        this.#pending.get(message.replySerial ?? 0)?.reject(errorOf(message));
        return;
      case "signal":
        for (const { match, listener } of this.#listeners) if (isMatch(message, match)) listener(message);
        return;
      case "call":
        this.#refuse(message);
    }
  }

  /** Nobody has a reason to call us; whoever does is not left waiting. */
  #refuse({ serial, sender, noReplyExpected }: Received): void {
    if (noReplyExpected === true) return;
    this.#send({
      type: "error",
      errorName: `${errors}.UnknownMethod`,
      replySerial: serial,
      signature: "s",
      body: ["this client serves no methods"],
      ...(sender !== undefined && { destination: sender }),
    });
  }

  #end(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#socket.destroy();
    for (const { reject } of [...this.#pending.values()]) reject(lost(error));
  }
}

const lost = (cause: Error) =>
  new DBusError(`${errors}.Disconnected`, `the message bus is lost: ${describeError(cause)}`, { cause });

function errorOf({ errorName = `${errors}.Failed`, body: [text] }: Received): DBusError {
  return new DBusError(errorName, typeof text === "string" && text !== "" ? text : errorName);
}

/** The sender of a signal is a unique name, not the one that we asked for: the bus has compared that. */
const isMatch = (signal: Received, match: SignalMatch): boolean =>
  signal.interface === match.interface &&
  signal.member === match.member &&
  (match.path === undefined || signal.path === match.path) &&
  (match.argument === undefined || signal.body[0] === match.argument);

const ruleOf = ({ sender, path, interface: name, member, argument }: SignalMatch): string =>
  [
    ["type", "signal"],
    ["sender", sender],
    ["path", path],
    ["interface", name],
    ["member", member],
    ["arg0", argument],
  ]
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}='${value}'`)
    .join(",");
