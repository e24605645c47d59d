/**
 * Fetches packages by CoAP, block by block (RFC 7959 §2.4): from the next block after a loss of the connection or a restart
 * of ours, as long as the ETag says that it is the same package. How a host is spoken to is the transport's business.
 */
import { type Block, largestBlock } from "../coap/block.js";
import type { BlockRequest } from "../coap/block-client.js";
import { isSuccess } from "../coap/code.js";
import { type BlockResponse, ExchangeError, type Request } from "../coap/exchange-types.js";
import { toHex } from "../coap/option.js";
import { TemporaryError } from "../download/retry.js";
import { type Part, type TransferSettings, transfer } from "../download/transfer.js";
import { type Downloader, PackageError, seconds, TransportError } from "../ports.js";
import { parsePackageUri } from "./package-uri.js";

/** The way to one host, for one attempt. */
export interface CoapConnection {
  /** Rejects with ExchangeError, or with the reason of `signal`. */
  requestBlock(
    request: Request,
    block: BlockRequest,
    options: { readonly signal: AbortSignal },
  ): Promise<BlockResponse>;
  /** Resolves when the socket is gone. */
  close(): Promise<void>;
}

/** UDP, and later DTLS, TCP and TLS. */
export interface CoapTransport {
  readonly defaultPort: number;
  /** Rejects with TransportError, or with PackageError when the host does not exist. */
  connect(host: string, port: number): Promise<CoapConnection>;
}

export interface CoapDownloaderOptions extends TransferSettings {
  /** By the scheme that it serves: `coap`. */
  readonly transports: Readonly<Record<string, CoapTransport>>;
  /** Bytes of a block: 16, 32 … 1024, which is the default. The server may choose smaller ones. */
  readonly blockSize?: number;
  /** Say the name of a host that has one (Uri-Host). True when it is not given. */
  readonly sendsUriHost?: boolean;
}

export function createCoapDownloader(options: CoapDownloaderOptions): Downloader {
  const schemes = Object.keys(options.transports);
  return {
    schemes,
    async download(uri, { signal, progress }) {
      const { scheme, host, port, request, name } = parsePackageUri(uri, schemes, options);
      const transport = options.transports[scheme];
      if (transport === undefined) throw new PackageError("unsupported-protocol", `nothing speaks ${scheme}`);
      signal.throwIfAborted();
      const fetch = async (part: Part, bounded: AbortSignal) => {
        const connection = await transport
          .connect(host, port ?? transport.defaultPort)
          .catch(temporary(name));
        try {
          await fetchBlocks({ connection, request, name, part, signal: bounded }, options.blockSize);
        } finally {
          await connection.close();
        }
      };
      return await transfer({ uri, name, fetch }, options, { signal, progress });
    },
  };
}

interface Attempt {
  readonly connection: CoapConnection;
  readonly request: Request;
  /** Of the package, for messages. */
  readonly name: string;
  readonly part: Part;
  readonly signal: AbortSignal;
}

async function fetchBlocks(attempt: Attempt, blockSize: number = largestBlock): Promise<void> {
  const { connection, request, name, part, signal } = attempt;
  // Without an ETag nobody can tell that it still is the same package.
  if (part.received > 0 && part.known?.validator === undefined) await part.forget();
  for (let size = alignedSize(part.received, blockSize); ; ) {
    const asked = blockAt(part.received, size, name);
    const response = await connection.requestBlock(request, asked, { signal }).catch(temporary(name));
    const block = await accept(attempt, response);
    await part.write(response.payload);
    if (!block.more) return;
    size = Math.min(size, block.size);
  }
}

/** The largest block that begins at `offset`. */
function alignedSize(offset: number, blockSize: number): number {
  let size = blockSize;
  while (offset % size !== 0) size /= 2;
  return size;
}

/** 20 bits (RFC 7959 §2.2): 1 GiB in blocks of 1024 bytes, 16 MiB in blocks of 16. */
const maxBlockNumber = 0xfffff;

function blockAt(offset: number, size: number, name: string): BlockRequest {
  const number = offset / size;
  if (number <= maxBlockNumber) return { number, size };
  throw new PackageError("storage", `${name} is too large to be fetched in blocks of ${size} bytes`);
}

/**
 * Looks at what came for the next block.
 * @returns which block it is
 */
async function accept({ name, part }: Attempt, response: BlockResponse): Promise<Block> {
  const { code, payload, eTag, bodySize } = response;
  const startOver = async (reason: string): Promise<never> => {
    await part.forget();
    throw new TemporaryError(`${name} ${reason}`);
  };
  if (code !== "2.05") return await refusal(name, response, startOver, part);
  const validator = eTag && toHex(eTag);
  const block = response.block ?? { number: 0, more: false, size: largestBlock };
  if (block.number * block.size !== part.received) {
    return await startOver(
      `sends the block at ${block.number * block.size}, not the one at ${part.received}`,
    );
  }
  if (block.more && payload.length !== block.size) {
    return await startOver(`sends ${payload.length} bytes as a block of ${block.size}`);
  }
  if (part.received === 0) await part.begin({ size: bodySize, validator });
  else if (validator !== part.known?.validator) return await startOver("changed while it was downloaded");
  return block;
}

/** @throws TemporaryError or PackageError, as the code says */
async function refusal(
  name: string,
  { code, maxAge }: BlockResponse,
  startOver: (reason: string) => Promise<never>,
  { received }: Part,
): Promise<never> {
  const what = `answers ${code}`;
  if (code === "4.29" || code.startsWith("5.")) {
    // RFC 7252 §5.9.3.4, RFC 8516: when to ask again.
    throw new TemporaryError(`${name} ${what}`, {
      ...(maxAge !== undefined && { retryAfter: seconds(maxAge) }),
    });
  }
  // A block that is not there any more, or of a representation that is not kept.
  if (received > 0 && (code === "4.00" || code === "4.02" || code === "4.08")) {
    return await startOver(`${what} and cannot continue`);
  }
  const found = isSuccess(code) ? "that is no package" : "there is no package for us";
  throw new PackageError("invalid-uri", `${name} ${what}: ${found}`);
}

/** What the network did is worth another attempt. */
const temporary =
  (name: string) =>
  (cause: unknown): never => {
    if (cause instanceof ExchangeError || cause instanceof TransportError) {
      throw new TemporaryError(`${name} cannot be fetched: ${cause.message}`, { cause });
    }
    throw cause;
  };
