/** The service's side of the control socket: for its own user, root and, where it is configured, one group. */
import { once } from "node:events";
import { chmod, chown, lstat, readFile, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describeError, errorCode } from "../../platform/system-error.js";
import { ConfigError, DecodeError } from "../model/errors.js";
import type { Log } from "../ports.js";
import {
  type ControlAnswer,
  type ControlFault,
  type ControlRequest,
  checkSocketPath,
  controlVersion,
  createLineReader,
  maximumRequestLength,
  parseEnvelope,
  parseRequest,
  RefusedError,
} from "./protocol.js";

export interface ControlServerOptions {
  readonly path: string;
  /** Whose members may talk to the service, too. */
  readonly group: string | undefined;
  /** Answers with what is JSON. @throws RefusedError */
  readonly perform: (request: ControlRequest) => Promise<unknown>;
  readonly log: Log;
}

export interface ControlServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

/** Beyond these a connection is ended at once: nobody needs so many. */
const maximumConnections = 32;
/** A client that does not read is cut off before it fills our memory. */
const maximumUnsent = 4 * 1024 * 1024;
const silenceLimit = 10 * 60 * 1000;

/** @throws ConfigError when the socket cannot be made */
export async function createControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const { path, group, log } = options;
  checkSocketPath(path);
  await removeStale(path);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    if (connections.size >= maximumConnections) {
      socket.destroy();
      return;
    }
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    serve(socket, options);
  });
  await listen(server, path);
  await open(path, group);
  server.on("error", (error) => log.error("control socket failed", { path, error }));
  return {
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

/** A service that was killed leaves its socket behind. That no other one runs with our state is sure by now. */
async function removeStale(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket())
    throw new ConfigError(`${path} exists and is no socket: give another path in control.socket`);
  if (await answers(path)) {
    throw new ConfigError(
      `another agent listens on ${path}: stop it, or give this one another path in control.socket`,
    );
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function listen(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o177); // from its first moment it is for its owner alone
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ConfigError(
      `cannot listen on ${path}: ${describeError(cause)}. Give another path in control.socket`,
      {
        cause,
      },
    );
  }
}

/** The group first: the mode must never be open to the one that the socket was born with. */
async function open(path: string, group: string | undefined): Promise<void> {
  if (group !== undefined) {
    const id = await groupId(group);
    try {
      await chown(path, process.getuid?.() ?? -1, id);
    } catch (cause) {
      throw new ConfigError(
        `control.group: ${path} cannot be given to the group ${group}: ${describeError(cause)}. Make this user a member of it`,
        { cause },
      );
    }
  }
  await chmod(path, 0o660);
}

async function groupId(name: string): Promise<number> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  const line = groups.split("\n").find((each) => each.startsWith(`${name}:`));
  const id = Number(line?.split(":")[2]);
  if (line !== undefined && Number.isInteger(id)) return id;
  throw new ConfigError(
    `control.group: there is no group ${name}: make it (groupadd --system ${name}), or name another one`,
  );
}

// ---- One connection ------------------------------------------------------------------------------------------------

function serve(socket: Socket, { perform, log }: ControlServerOptions): void {
  const send = (answer: ControlAnswer) => {
    if (socket.destroyed) return;
    socket.write(`${JSON.stringify(answer)}\n`);
    if (socket.writableLength > maximumUnsent) socket.destroy();
  };
  /** One request of a connection after the other, so that it cannot have many under way. */
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  const readLine = createLineReader(maximumRequestLength, (line) => {
    if (++waiting > 16) {
      socket.destroy();
      return;
    }
    last = last.then(async () => {
      if (!socket.destroyed) send(await answer(line, perform, log));
      waiting--;
    });
  });
  socket.setEncoding("utf8");
  socket.setTimeout(silenceLimit, () => socket.destroy());
  socket.on("data", (piece: string) => {
    if (!readLine(piece)) socket.destroy();
  });
  socket.on("error", (error) => log.debug("control connection lost", { code: errorCode(error) })); // 'close' follows
}

async function answer(
  line: string,
  perform: ControlServerOptions["perform"],
  log: Log,
): Promise<ControlAnswer> {
  let id = 0; // answers a line that is no request
  const fault = (code: ControlFault["code"], message: string): ControlAnswer => ({
    id,
    error: { code, message },
  });
  try {
    const message = parseLine(line);
    const envelope = parseEnvelope(message);
    id = envelope.id;
    if (envelope.v !== controlVersion) {
      return fault(
        "version",
        `this service speaks version ${controlVersion} of the control protocol, not ${envelope.v}: use the lwm2m-agent program that it was started from`,
      );
    }
    return { id, result: (await perform(parseRequest(message))) ?? null };
  } catch (error) {
    if (error instanceof DecodeError) return fault("request", error.message);
    if (error instanceof RefusedError) return fault("refused", error.message);
    log.error("control request failed", { error });
    return fault("failed", error instanceof Error ? error.message : String(error));
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DecodeError("a line is one JSON object", { cause });
  }
}
