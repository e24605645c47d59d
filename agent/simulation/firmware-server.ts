import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface FirmwareServer {
  /** Where devices find the package. */
  readonly packageUri: string;
  close(): Promise<void>;
}

export interface FirmwareServerOptions {
  readonly image: Uint8Array;
  /** Bytes per second for each download, so that there is something to see; undefined: as fast as it goes. */
  readonly rate?: number;
}

const fileName = "/firmware.img";

/** Serves one package over HTTP on loopback, and misbehaves below `/faults/` as the fault in the path says. */
export async function startFirmwareServer({ image, rate }: FirmwareServerOptions): Promise<FirmwareServer> {
  const corrupt = Uint8Array.from(image);
  const last = corrupt.length - 1;
  corrupt[last] = (corrupt[last] ?? 0) ^ 1;
  const server = createServer((request, response) => {
    const abort = new AbortController();
    response.once("close", () => abort.abort());
    serve(request, response, abort.signal).catch(() => response.destroy());
  });

  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    switch (request.url) {
      case fileName:
        return send(response, image, image.length, signal);
      case `/faults/corrupt-image${fileName}`:
        return send(response, corrupt, corrupt.length, signal);
      case `/faults/connection-cut${fileName}`:
        await send(response, image, image.length / 2, signal);
        response.destroy();
        return;
      default:
        response.writeHead(404, { "content-type": "text/plain" }).end("no such package\n");
    }
  }

  /** Sends the first `end` bytes of a body that is announced whole. */
  async function send(
    response: ServerResponse,
    body: Uint8Array,
    end: number,
    signal: AbortSignal,
  ): Promise<void> {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": body.length });
    const ticksPerSecond = 20;
    const chunk = Math.ceil(rate === undefined ? body.length : rate / ticksPerSecond);
    for (let offset = 0; offset < end; offset += chunk) {
      const flushed = response.write(body.subarray(offset, Math.min(offset + chunk, end)));
      if (!flushed) await drained(response, signal);
      if (rate !== undefined) await delay(1000 / ticksPerSecond, undefined, { signal });
    }
    if (end >= body.length) response.end();
  }

  await listen(server);
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    packageUri: `http://127.0.0.1:${port}${fileName}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const listen = (server: Server) =>
  new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });

/** Rejects when the device hangs up. */
const drained = (response: ServerResponse, signal: AbortSignal) => once(response, "drain", { signal });
