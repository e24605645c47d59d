/** A message bus with one service on it, both made of a table: for what a real service of this release does not do. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeMessage, type Message } from "../../../platform/dbus/message.js";
import { MessageBuffer } from "../../../platform/dbus/message-buffer.js";
import type { Value } from "../../../platform/dbus/value.js";

export interface Peer {
  answer(signature?: string, body?: readonly Value[]): void;
  refuse(errorName: string, text: string): void;
  /** @param from the service's unique name when not given */
  signal(
    member: string,
    signature: string,
    body: readonly Value[],
    from?: { sender?: string; interface?: string },
  ): void;
  /** Says nothing any more, as a bus that is gone. */
  hangUp(): void;
}

/** What the service does when a method is called; a method that is not there is refused. */
export type Service = Readonly<Record<string, (call: Message, peer: Peer) => void>>;

export interface ScriptedBus {
  readonly address: string;
  /** Members that were called, in order. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

export const serviceName = ":1.1";

export async function createScriptedBus(
  service: Service,
  interfaceName = "de.pengutronix.rauc.Installer",
): Promise<ScriptedBus> {
  const directory = mkdtempSync(join(tmpdir(), "bus-"));
  const path = join(directory, "bus");
  const calls: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, service, interfaceName, calls);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: `unix:path=${path}`,
    calls,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function serve(socket: Socket, service: Service, interfaceName: string, calls: string[]): void {
  const incoming = new MessageBuffer();
  let text = "";
  let isOpen = false;
  let serial = 0;
  const send = (message: Omit<Message, "serial">) =>
    void socket.write(encodeMessage({ ...message, serial: ++serial }));
  const handle = (call: Message) => {
    const isForBus = call.destination === "org.freedesktop.DBus";
    const sender = isForBus ? "org.freedesktop.DBus" : serviceName;
    const reply = { replySerial: call.serial, sender, destination: ":1.9" } as const;
    const peer: Peer = {
      answer: (signature = "", body = []) => send({ type: "return", ...reply, signature, body }),
      refuse: (errorName, words) =>
        send({ type: "error", ...reply, errorName, signature: "s", body: [words] }),
      signal: (member, signature, body, from = {}) =>
        send({
          type: "signal",
          path: "/",
          interface: interfaceName,
          sender: serviceName,
          member,
          signature,
          body,
          ...from,
        }),
      hangUp: () => socket.destroy(),
    };
    if (isForBus) return peer.answer("s", [":1.9"]);
    const member = call.member ?? "";
    calls.push(member);
    const method = service[member];
    if (method === undefined) peer.refuse("org.freedesktop.DBus.Error.UnknownMethod", `no method ${member}`);
    else method(call, peer);
  };
  socket.on("data", (bytes: Buffer) => {
    if (isOpen) {
      for (const message of incoming.take(bytes)) handle(message);
      return;
    }
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\r\n"); end >= 0 && !isOpen; end = text.indexOf("\r\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      if (line.endsWith("AUTH EXTERNAL")) socket.write("DATA\r\n");
      else if (line === "DATA") socket.write("OK 0123456789abcdef0123456789abcdef\r\n");
      else if (line === "BEGIN") isOpen = true;
      else socket.write("ERROR\r\n");
    }
    if (isOpen) for (const message of incoming.take(Buffer.from(text, "latin1"))) handle(message);
  });
}
