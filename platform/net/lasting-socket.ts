import {
  type Clock,
  type DatagramHandlers,
  type DatagramSocket,
  type Log,
  type Millis,
  millis,
  seconds,
  type Timer,
  type TransportError,
} from "../../agent/ports.js";

export interface LastingSocketOptions {
  /** Opens the socket at this local port, or at a free one; rejects with TransportError. */
  readonly open: (port: number | undefined, handlers: DatagramHandlers) => Promise<DatagramSocket>;
  /** The local port that it has to be, if it has to be one. */
  readonly port?: number;
  readonly clock: Clock;
  readonly log: Log;
}

const firstRetry = seconds(1);
const longestRetry = seconds(60);

/**
 * A socket that is opened anew when the system takes it away, at the same port if that can be had: to a Server without
 * security, the address of a device is its identity. What is sent in between is lost.
 * @throws TransportError when it cannot be opened the first time
 */
export async function openLastingSocket(
  options: LastingSocketOptions,
  handlers: DatagramHandlers,
): Promise<DatagramSocket> {
  const socket = new LastingSocket(options, handlers);
  await socket.open(options.port);
  return socket;
}

class LastingSocket implements DatagramSocket {
  readonly #options: LastingSocketOptions;
  readonly #handlers: DatagramHandlers;
  #socket: DatagramSocket | undefined;
  #local = { address: "", port: 0 };
  #timer: Timer | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LastingSocketOptions, handlers: DatagramHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Of the socket that is, or was the last. */
  get local(): { readonly address: string; readonly port: number } {
    return this.#local;
  }

  async open(port: number | undefined): Promise<void> {
    const { onDatagram, onError } = this.#handlers;
    const socket = await this.#options.open(port, {
      onDatagram: (datagram, from) => onDatagram(datagram, from),
      onError: (error) => onError(error),
      onLost: (error) => this.#lost(error),
    });
    this.#local = socket.local;
    if (this.#closed) await socket.close();
    else this.#socket = socket;
  }

  send(...[datagram, to]: Parameters<DatagramSocket["send"]>): void {
    this.#socket?.send(datagram, to);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#opening;
    await this.#socket?.close();
  }

  #lost(error: TransportError): void {
    this.#options.log.warn("socket lost", { port: this.#local.port, reason: error.message });
    this.#socket = undefined;
    this.#reopen(firstRetry);
  }

  #reopen(nextDelay: Millis): void {
    if (this.#closed) return;
    this.#opening = this.#openSomewhere().then(
      () => this.#options.log.info("socket opened again", { port: this.#local.port }),
      (error: TransportError) => {
        this.#handlers.onError(error);
        if (this.#closed) return;
        this.#timer = this.#options.clock.after(nextDelay, () =>
          this.#reopen(millis(Math.min(2 * nextDelay, longestRetry))),
        );
      },
    );
  }

  /** At the port that it had; at another only if nobody asked for this one. */
  async #openSomewhere(): Promise<void> {
    try {
      await this.open(this.#local.port);
    } catch (error) {
      if (this.#options.port !== undefined) throw error;
      await this.open(undefined);
    }
  }
}
