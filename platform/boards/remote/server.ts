/**
 * The privileged side: does for the agent what its Board can do, and nothing else. Who may connect is said by the rights of
 * the socket; Node.js cannot ask the kernel who is at the other end.
 */
import { once } from "node:events";
import { chmod, chown, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { ConfigError, DecodeError } from "../../../agent/model/errors.js";
import {
  type Board,
  type BoardDescription,
  BusyError,
  type Clock,
  type ImageFile,
  type Log,
  type Millis,
  type PackageInfo,
  type PackageVerifier,
  seconds,
} from "../../../agent/ports.js";
import { describeError } from "../../system-error.js";
import { createLineCutter } from "./lines.js";
import {
  formatError,
  formatProgress,
  formatResult,
  maximumRequest,
  parseRequest,
  type Request,
  type Results,
  type Verb,
} from "./protocol.js";
import { packageUri } from "./signature.js";
import type { Vault } from "./vault.js";

export interface BoardServerOptions {
  readonly vault: Vault;
  /** Asked about each package again: an agent that was taken over cannot have anything foreign installed. */
  readonly verifier?: PackageVerifier;
  /**
   * May what a signature vouches for take the place of what runs?
   * @throws PackageError when it may not
   */
  readonly acceptance?: (offered: PackageInfo, running: BoardDescription) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Without any connection for so long, `idle` resolves. Never when not given. */
  readonly idleAfter?: Millis;
}

/** Where to listen: the socket that systemd opened for us, or one of our own. */
export type Listening =
  | { readonly descriptor: number }
  | { readonly path: string /** Who may connect, besides the helper's own user. */; readonly group?: number };

export interface BoardServer {
  /** Resolves when nobody has asked for anything for a while: systemd starts the helper again when somebody does. */
  readonly idle: Promise<void>;
  /** Ends what is under way, and the board. Idempotent. */
  close(): Promise<void>;
}

/** More at once is no agent of ours. */
const maximumConnections = 8;
/** For the request to arrive. */
const requestTime = seconds(10);
/** For the agent to hang up when it has its answer. */
const partingTime = seconds(10);
/** Bytes of progress that wait for an agent who does not read: beyond them it is not told. */
const maximumUnread = 64 * 1024;

/** Resolves when it listens. */
export async function serveBoard(
  board: Board,
  listening: Listening,
  options: BoardServerOptions,
): Promise<BoardServer> {
  const service = new Service(board, options);
  const server = createServer({ allowHalfOpen: true }, (socket) => service.serve(socket));
  server.maxConnections = maximumConnections;
  await listen(server, listening);
  service.rest();
  return {
    idle: service.idle,
    async close() {
      if (server.listening) {
        const closed = once(server, "close");
        server.close();
        service.hangUp();
        await closed;
      }
      await board.close?.();
    },
  };
}

class Service {
  readonly idle: Promise<void>;
  readonly #board: Board;
  readonly #options: BoardServerOptions;
  readonly #connections = new Set<Socket>();
  #resting = { cancel: () => {} };
  #isIdle = () => {};

  constructor(board: Board, options: BoardServerOptions) {
    this.#board = board;
    this.#options = options;
    this.idle = new Promise((resolve) => {
      this.#isIdle = resolve;
    });
  }

  serve(socket: Socket): void {
    this.#resting.cancel();
    this.#connections.add(socket);
    const gone = new AbortController();
    const hangUp = () => gone.abort(new Error("the agent hung up"));
    let isAsked = false;
    const late = this.#options.clock.after(requestTime, () => isAsked || socket.destroy());
    const cutter = createLineCutter(maximumRequest, (line) => {
      if (isAsked) return hangUp(); // one connection is one request
      isAsked = true;
      void this.#answer(line, socket, gone.signal);
    });
    socket.on("data", (bytes) => {
      if (!cutter.push(bytes)) socket.destroy();
    });
    socket.on("end", () => {
      hangUp();
      if (!isAsked) socket.end();
    });
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      late.cancel();
      hangUp();
      this.#connections.delete(socket);
      this.rest();
    });
  }

  rest(): void {
    const { idleAfter, clock } = this.#options;
    if (this.#connections.size > 0 || idleAfter === undefined) return;
    this.#resting.cancel();
    this.#resting = clock.after(idleAfter, this.#isIdle);
  }

  hangUp(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async #answer(line: string, socket: Socket, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const say = (text: string) => {
      if (!socket.destroyed && socket.writable) socket.write(text);
    };
    let request: Request | undefined;
    try {
      request = parseRequest(line);
      log.info("helper asked", { verb: request.verb });
      const tell = (text: string) => socket.writableLength < maximumUnread && say(text);
      say(formatResult(await this.#perform(request, signal, tell)));
      log.info("helper done", { verb: request.verb });
    } catch (error) {
      const verb = request?.verb;
      log.warn("helper refused", { verb, reason: describeError(error) });
      say(
        formatError(
          error instanceof DecodeError ? new Error(`the request is wrong: ${error.message}`) : error,
        ),
      );
    } finally {
      socket.end();
      const parting = this.#options.clock.after(partingTime, () => socket.destroy());
      socket.once("close", () => parting.cancel());
    }
  }

  async #perform(
    request: Request,
    signal: AbortSignal,
    tell: (text: string) => void,
  ): Promise<Results[Verb]> {
    const board = this.#board;
    switch (request.verb) {
      case "inspect":
        return this.#withCopy(request.image, signal, (image) => board.inspect(image, { signal }));
      case "apply": {
        const progress = (fraction: number, message?: string) => tell(formatProgress(fraction, message));
        return this.#withCopy(request.image, signal, (image) =>
          board.apply(image, { signal, progress, attempt: request.attempt }),
        );
      }
      case "outcome":
        return board.outcome({
          ...request.attempt,
          image: this.#options.vault.copyOf(request.attempt.image), // no path of the agent's reaches a program of root's
        });
      case "commit":
        await board.commit();
        if (!this.#isCopyUsed) await this.#options.vault.clear(); // the update is over
        return null;
      case "restart":
        await board.restart();
        return null;
      case "factoryReset":
        await board.factoryReset();
        return null;
      case "check":
        return (await board.check?.()) ?? [];
      case "bootId":
        return board.bootId();
      case "describe":
        return board.describe();
      case "revert":
        return board.revert();
    }
  }

  /** The vault has room for one copy: who came second would take it away from under the first. */
  #isCopyUsed = false;

  /** @param use gets a copy that is verified; until it has settled, nobody takes another package */
  async #withCopy<T>(
    image: ImageFile,
    signal: AbortSignal,
    use: (copy: ImageFile) => Promise<T>,
  ): Promise<T> {
    if (this.#isCopyUsed) throw new BusyError("another request for a package is under way");
    this.#isCopyUsed = true;
    try {
      const copy = await this.#options.vault.take(image, { signal });
      await this.#verify(copy, signal);
      return await use(copy);
    } finally {
      this.#isCopyUsed = false;
    }
  }

  /** What is refused does not stay: it may be as large as the disk allows. */
  async #verify(copy: ImageFile, signal: AbortSignal): Promise<void> {
    const { verifier, acceptance, vault } = this.#options;
    try {
      const vouched = await verifier?.verify(copy, { uri: packageUri, signal });
      if (vouched?.version === undefined) return;
      // What was once signed stays signed: an agent that was taken over would bring back the version with the hole.
      const { name = "", version } = vouched;
      acceptance?.({ name, version }, await this.#board.describe());
    } catch (error) {
      await vault.clear();
      throw error;
    }
  }
}

async function listen(server: Server, listening: Listening): Promise<void> {
  if ("descriptor" in listening) {
    server.listen({ fd: listening.descriptor });
    await listened(server, `the socket with the descriptor ${listening.descriptor}`);
    return;
  }
  const { path, group } = listening;
  await removeStale(path);
  const umask = process.umask(0o177); // from its first moment the socket is for its owner alone
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  await listened(server, path);
  if (group !== undefined) {
    await chown(path, -1, group);
    await chmod(path, 0o660);
  }
}

async function listened(server: Server, where: string): Promise<void> {
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ConfigError(`cannot listen on ${where}: ${describeError(cause)}`, { cause });
  }
}

/** A helper that was killed leaves its socket behind. */
async function removeStale(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) throw new ConfigError(`${path} exists and is no socket: choose another path`);
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (answers) throw new ConfigError(`another helper listens on ${path}: end it, or choose another path`);
  await unlink(path);
}
