import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { generate, type OptionName, type ParsedPacket, parse } from "coap-packet";

type Options = readonly (readonly [name: OptionName, value: Buffer])[];

export interface Answer {
  /** As CoAP writes it, such as `2.04`. */
  readonly code: string;
  readonly payload: string;
}

/** Octet stream, as packages come. */
const octets = Buffer.of(42);

/**
 * A Server that is one UDP socket: it takes any registration, sends what a test says, byte by byte if need be, and has the `coap`
 * packages' parser read the answers.
 */
export class RawServer {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, (answer: ParsedPacket) => void>();
  #device: { readonly address: string; readonly port: number } | undefined;
  #registered: () => void = () => {};
  #lastMessageId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram, from) => this.#receive(parse(datagram), from));
  }

  static async open(): Promise<RawServer> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new RawServer(socket);
  }

  get uri(): string {
    return `coap://127.0.0.1:${this.#socket.address().port}`;
  }

  /** Resolves with the next Register or Update: after a restart, either may come. */
  registration(): Promise<void> {
    return new Promise((resolve) => {
      this.#registered = resolve;
    });
  }

  read(path: string): Promise<Answer> {
    return this.#request("0.01", path, [["Accept", Buffer.of(0)]]);
  }

  write(path: string, text: string): Promise<Answer> {
    return this.#request("0.03", path, [["Content-Format", Buffer.of()]], Buffer.from(text));
  }

  execute(path: string): Promise<Answer> {
    return this.#request("0.02", path, []);
  }

  /** One block of 1024 bytes, or what is left; `size` announces the whole in Size1. */
  block(path: string, body: Uint8Array, number: number, size?: number): Promise<Answer> {
    const from = number * 1024;
    const more = from + 1024 < body.length;
    const options: [OptionName, Buffer][] = [
      ["Content-Format", octets],
      ["Block1", blockOption(number, more)],
    ];
    if (size !== undefined) options.push(["Size1", Buffer.from([size >> 16, (size >> 8) & 255, size & 255])]);
    return this.#request("0.03", path, options, Buffer.from(body.subarray(from, from + 1024)));
  }

  /** All blocks, up to the first that is refused; the answer to the last one that was sent. */
  async push(path: string, body: Uint8Array): Promise<Answer> {
    for (let number = 0; ; number++) {
      const answer = await this.block(path, body, number);
      if (answer.code !== "2.31") return answer;
    }
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  async #request(code: string, path: string, options: Options, payload?: Buffer): Promise<Answer> {
    const messageId = ++this.#lastMessageId;
    const token = Buffer.of(messageId >> 8, messageId & 255);
    const segments = path.split("/").filter((segment) => segment !== "");
    const answer = new Promise<ParsedPacket>((resolve) => this.#waiting.set(token.toString("hex"), resolve));
    const device = this.#device;
    if (device === undefined) throw new Error("no device has registered");
    const packet = generate({
      code,
      messageId,
      token,
      confirmable: true,
      options: [
        ...segments.map((segment) => ({ name: "Uri-Path" as const, value: Buffer.from(segment) })),
        ...options.map(([name, value]) => ({ name, value })),
      ],
      ...(payload && { payload }),
    });
    this.#socket.send(packet, device.port, device.address);
    const { code: answered, payload: content } = await answer;
    return { code: answered, payload: content.toString() };
  }

  #receive(packet: ParsedPacket, from: { readonly address: string; readonly port: number }): void {
    const path = packet.options.filter(({ name }) => name === "Uri-Path").map(({ value }) => String(value));
    if (packet.code === "0.02" && path[0] === "rd") {
      this.#device = from;
      const location = ["rd", "1"].map((value) => ({
        name: "Location-Path" as const,
        value: Buffer.from(value),
      }));
      const created = path.length === 1;
      this.#answer(packet, from, created ? "2.01" : "2.04", created ? location : []);
      this.#registered();
      return;
    }
    if (packet.code === "0.04") this.#answer(packet, from, "2.02", []);
    if (packet.code.startsWith("0.")) return;
    if (packet.confirmable) {
      const acknowledgement = generate({ code: "0.00", ack: true, messageId: packet.messageId });
      this.#socket.send(acknowledgement, from.port, from.address);
    }
    this.#waiting.get(packet.token.toString("hex"))?.(packet);
  }

  #answer(
    { messageId, token }: ParsedPacket,
    to: { readonly address: string; readonly port: number },
    code: string,
    options: readonly { readonly name: OptionName; readonly value: Buffer }[],
  ): void {
    const packet = generate({ code, ack: true, messageId, token, options: [...options] });
    this.#socket.send(packet, to.port, to.address);
  }
}

/** RFC 7959 §2.2: number, more, and 6 for 1024 bytes. */
function blockOption(number: number, more: boolean): Buffer {
  const value = (number << 4) | (more ? 8 : 0) | 6;
  return value < 256 ? Buffer.of(value) : Buffer.of(value >> 8, value & 255);
}
