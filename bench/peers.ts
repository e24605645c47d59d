/** What is measured, and what it is measured against, each in a process of its own. */
import { createSocket } from "node:dgram";
import { createServer } from "coap";
import { type Child, startChild } from "./child.js";
import { runMeasuredAgent } from "./measured-agent.js";

const host = "127.0.0.1";

/** A whole agent that registers with a server at `port`; it says from which port it does. */
export const startAgent = (port: number): Promise<Child> => startChild(import.meta.url, ["agent", `${port}`]);

export const startEcho = (): Promise<Child> => startChild(import.meta.url, ["echo"]);

/** A minimal server on the `coap` package. */
export const startCoapPackage = (): Promise<Child> => startChild(import.meta.url, ["coap"]);

export const portOf = (child: Child) => (child.ready as { port: number }).port;

/** As the manual of Node.js has it: nothing but a socket that answers. */
async function runEcho(): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(message, port, address));
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  process.send?.({ port: socket.address().port });
}

function runCoapPackage(): void {
  const server = createServer((_request, response) => {
    response.setOption("Content-Format", "text/plain");
    response.end("Open Mobile Alliance");
  });
  const port = 20000 + (process.pid % 20000);
  server.listen(port, host, () => process.send?.({ port }));
}

const [, , role, port] = process.argv;
if (role === "echo") await runEcho();
if (role === "coap") runCoapPackage();
if (role === "agent") {
  await runMeasuredAgent(Number(port));
  process.send?.({});
}
