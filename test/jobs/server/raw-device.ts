import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { generate, type OptionName, type Packet, type ParsedPacket, parse } from "coap-packet";

type Options = readonly (readonly [name: OptionName, value: string | Buffer])[];

/**
 * A device that is one UDP socket and no more: sends what a test says, and serves requests by a function. It drops
 * requests from anywhere but where it registered, as LwM2M clients do.
 */
export class RawDevice {
  readonly received: ParsedPacket[] = [];
  /** Answers a request; undefined: silence. */
  serve: (request: ParsedPacket) => Packet | undefined = () => ({ code: "4.04" });
  readonly #socket: Socket;
  readonly #server: { address: string; port: number };
  readonly #waiting: { wanted: (packet: ParsedPacket) => boolean; found: (packet: ParsedPacket) => void }[] =
    [];
  #lastMessageId = 0;

  private constructor(socket: Socket, server: { address: string; port: number }) {
    this.#socket = socket;
    this.#server = server;
    socket.on("message", (datagram, { address, port }) => {
      if (address === server.address && port === server.port) this.#receive(parse(datagram));
    });
  }

  static async open(port: number, address = "127.0.0.1"): Promise<RawDevice> {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.bind(0, address);
    await once(socket, "listening");
    return new RawDevice(socket, { address, port });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** A request to the server, and its response. */
  async request(
    method: string,
    path: string,
    options: { query?: readonly string[]; payload?: string; more?: Options } = {},
  ) {
    const { query = [], payload, more = [] } = options;
    const messageId = ++this.#lastMessageId;
    const token = Buffer.from([messageId >> 8, messageId & 255]);
    const segments = path.split("/").filter((segment) => segment !== "");
    const pairs: Options = [
      ...segments.map((segment) => ["Uri-Path", segment] as const),
      ...(payload === undefined ? [] : ([["Content-Format", Buffer.of(40)]] as const)),
      ...query.map((part) => ["Uri-Query", part] as const),
      ...more,
    ];
    this.send({
      code: { GET: "0.01", POST: "0.02", PUT: "0.03", DELETE: "0.04" }[method] ?? method,
      messageId,
      token,
      confirmable: true,
      options: pairs.map(([name, value]) => ({ name, value: Buffer.from(value) })),
      ...(payload !== undefined && { payload: Buffer.from(payload) }),
    });
    return this.next((packet) => packet.ack && packet.messageId === messageId);
  }

  /** Registers, and returns the path of the registration. */
  async register(
    endpointName: string,
    { query = [], payload = "</1/0>,</3/0>,</5>;ver=1.1,</5/0>" } = {},
  ): Promise<string> {
    const response = await this.request("POST", "/rd", {
      query: [`ep=${endpointName}`, "lt=300", "lwm2m=1.1", ...query],
      payload,
    });
    if (response.code !== "2.01") throw new Error(`registration answered with ${response.code}`);
    return `/${optionValues(response, "Location-Path").join("/")}`;
  }

  send(packet: Packet): void {
    this.sendBytes(generate(packet));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes, this.#server.port, this.#server.address);
  }

  /** The next message that is as wanted, from now on. */
  next(wanted: (packet: ParsedPacket) => boolean): Promise<ParsedPacket> {
    return new Promise((found) => this.#waiting.push({ wanted, found }));
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  #receive(packet: ParsedPacket): void {
    this.received.push(packet);
    for (const waiting of [...this.#waiting]) {
      if (!waiting.wanted(packet)) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.found(packet);
    }
    const isRequest = packet.code.startsWith("0.") && packet.code !== "0.00";
    if (!isRequest) return;
    const response = this.serve(packet);
    if (response === undefined) return;
    this.send({ ack: true, messageId: packet.messageId, token: packet.token, ...response });
  }
}

export const optionValues = ({ options }: ParsedPacket, wanted: OptionName): string[] =>
  options.filter(({ name }) => name === wanted).map(({ value }) => value.toString());

export const option = (name: OptionName, ...bytes: number[]) => ({ name, value: Buffer.from(bytes) });

/** `GET /3/0/0` */
export const describeRequest = (packet: ParsedPacket): string => {
  const method =
    { "0.01": "GET", "0.02": "POST", "0.03": "PUT", "0.04": "DELETE" }[packet.code] ?? packet.code;
  return `${method} /${optionValues(packet, "Uri-Path").join("/")}`;
};
