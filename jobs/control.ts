/**
 * The control interface of a running simulation: a Unix socket for its own user, by which another process sends jobs and
 * follows them. `control-client.ts` is the other side.
 */
import { once } from "node:events";
import { lstat, mkdir, stat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ConfigError, DecodeError } from "../agent/model/errors.js";
import {
  integer,
  list,
  optional,
  type Parser,
  shape,
  text,
  variant,
} from "../agent/persistence/record-format.js";
import { millis } from "../agent/ports.js";
import {
  type ControlMessage,
  type ControlRequest,
  type ControlWork,
  checkSocketPath,
  createLineReader,
  type DeviceSummary,
  type Submission,
} from "./control-protocol.js";
import type { DeviceGateway } from "./device-gateway.js";
import { isFinal, type JobRecord, type JobType, type JsonValue } from "./job.js";
import { JobRequestError, type JobWork } from "./job-request.js";
import type { JobService } from "./job-service.js";

/** Where the control socket is unless the user says otherwise; each user has their own. */
export function defaultControlSocket(env: Readonly<Record<string, string | undefined>>, uid: number): string {
  const runtimeDirectory = env["XDG_RUNTIME_DIR"];
  return runtimeDirectory === undefined || runtimeDirectory === ""
    ? join(tmpdir(), `lwm2m-agent-${uid}`, "simulation.sock")
    : join(runtimeDirectory, "lwm2m-agent", "simulation.sock");
}

export interface ControlServerOptions {
  readonly jobs: JobService;
  readonly server: Pick<DeviceGateway, "devices">;
  /** What a firmware update installs that names no package. */
  readonly packageUri?: string;
}

export interface ControlServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

/**
 * Resolves when it listens on `path`.
 * @throws ConfigError when another simulation does, or when the directory is open to other users
 */
export async function createControlServer(
  path: string,
  options: ControlServerOptions,
): Promise<ControlServer> {
  checkSocketPath(path);
  await preparePrivateDirectory(dirname(path));
  await removeStale(path);
  const connections = new Set<Socket>();
  const methods = createMethods(options);
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    serve(socket, methods);
  });
  await listen(server, path);
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

// ---- The socket ---------------------------------------------------------------------------------------------------

/** Whoever can write into the directory could put a socket of their own in the place of ours. */
async function preparePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(directory);
  if (uid === process.getuid?.() && (mode & 0o022) === 0) return;
  throw new ConfigError(`${directory} is open to other users: choose a socket in a directory of your own`);
}

/** A simulation that was killed leaves its socket behind. */
async function removeStale(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) throw new ConfigError(`${path} exists and is no socket: choose another path`);
  if (await answers(path)) {
    throw new ConfigError(`another simulation listens on ${path}: end it, or choose another socket`);
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
  const umask = process.umask(0o177); // from its first moment the socket is for its owner alone
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  try {
    await once(server, "listening");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`cannot listen on ${path}: ${reason}`, { cause });
  }
}

// ---- One connection -----------------------------------------------------------------------------------------------

/** A client that does not read what it asked for is cut off before it fills our memory. */
const maxUnsentBytes = 16 * 1024 * 1024;

function serve(socket: Socket, methods: Methods): void {
  const gone = new AbortController();
  const send = (message: ControlMessage) => {
    if (socket.destroyed) return;
    socket.write(`${JSON.stringify(message)}\n`);
    if (socket.writableLength > maxUnsentBytes) socket.destroy();
  };
  const readLine = createLineReader((line) => {
    void answer(line, { methods, send, signal: gone.signal });
  });
  socket.setEncoding("utf8");
  socket.on("data", (piece: string) => {
    if (!readLine(piece)) socket.destroy();
  });
  socket.on("error", () => undefined); // 'close' follows
  socket.once("close", () => gone.abort());
}

interface Answering {
  readonly methods: Methods;
  readonly signal: AbortSignal;
  send(message: ControlMessage): void;
}

async function answer(line: string, { methods, send, signal }: Answering): Promise<void> {
  let id = 0; // answers a line that is no request
  try {
    const message = parseLine(line);
    id = parseId(message).id;
    const result = await perform(methods, parseRequest(message), {
      signal,
      event: (event) => send({ id, event }),
    });
    send({ id, result });
  } catch (fault) {
    if (signal.aborted) return;
    const statusCode =
      fault instanceof JobRequestError ? fault.statusCode : fault instanceof DecodeError ? 400 : 500;
    send({ id, error: { statusCode, message: fault instanceof Error ? fault.message : String(fault) } });
  }
}

interface Following {
  readonly signal: AbortSignal;
  event(record: JobRecord): void;
}

function perform(methods: Methods, request: ControlRequest, following: Following): Promise<unknown> {
  switch (request.method) {
    case "devices":
      return methods.devices();
    case "jobs":
      return methods.jobs();
    case "submit":
      return methods.submit(request.job);
    case "follow":
      return methods.follow(request.jobId, following);
    case "cancel":
      return methods.cancel(request.jobId);
  }
}

// ---- What can be asked --------------------------------------------------------------------------------------------

interface Methods {
  devices(): Promise<readonly DeviceSummary[]>;
  jobs(): Promise<readonly JobRecord[]>;
  submit(submission: Submission): Promise<JobRecord>;
  /** Resolves with the final record of the job. */
  follow(jobId: string, following: Following): Promise<JobRecord>;
  cancel(jobId: string): Promise<JobRecord>;
}

function createMethods({ jobs, server, packageUri }: ControlServerOptions): Methods {
  const allDevices = (): readonly string[] => {
    const names = server.devices().map(({ endpointName }) => endpointName);
    if (names.length === 0) throw new JobRequestError(404, "no device is registered");
    return names;
  };
  return {
    devices: async () =>
      server
        .devices()
        .map(({ endpointName, address, port, lwm2mVersion, lifetimeSeconds, registeredAt }) => ({
          endpointName,
          address,
          port,
          lwm2mVersion,
          lifetimeSeconds,
          registeredAt: registeredAt.toISOString(),
        })),
    jobs: () => jobs.getJobs(),
    async submit({ jobId, devices = allDevices(), ...work }) {
      const id = jobId ?? (await freeJobId(jobs, work.type));
      return jobs.schedule({ ...completeWork(work, packageUri), jobId: id, devices });
    },
    async follow(jobId, { signal, event }) {
      const family = ({ jobId: id, parentJobId }: JobRecord) => id === jobId || parentJobId === jobId;
      const stop = jobs.onChange((record) => {
        // The final record of the job itself is the result.
        if (family(record) && !(record.jobId === jobId && isFinal(record.status))) event(record);
      });
      try {
        for (const record of await jobs.getJobs()) if (record.parentJobId === jobId) event(record);
        return await jobs.waitForJob(jobId, { signal });
      } finally {
        stop();
      }
    },
    cancel: (jobId) => jobs.cancelJob(jobId),
  };
}

function completeWork(work: ControlWork, defaultPackageUri: string | undefined): JobWork {
  if (work.type !== "firmwareUpdate") return work;
  const { packageUri = defaultPackageUri, timeout } = work;
  if (packageUri === undefined)
    throw new JobRequestError(400, "a firmware update needs the URI of a package");
  return { type: "firmwareUpdate", packageUri, ...(timeout !== undefined && { timeout: millis(timeout) }) };
}

const idPrefixes: Readonly<Record<JobType, string>> = {
  firmwareUpdate: "firmware-update",
  rebootDevice: "reboot",
  factoryResetDevice: "factory-reset",
  updateDeviceConfiguration: "configure",
  readDeviceProperties: "read",
  writeDeviceProperties: "write",
};

async function freeJobId(jobs: JobService, type: JobType): Promise<string> {
  const taken = new Set((await jobs.getJobs()).map(({ jobId }) => jobId));
  let number = 1;
  while (taken.has(`${idPrefixes[type]}-${number}`)) number++;
  return `${idPrefixes[type]}-${number}`;
}

// ---- Decoding -----------------------------------------------------------------------------------------------------

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DecodeError("a line is one JSON object", { cause });
  }
}

const parseId = shape({ id: integer(1, Number.MAX_SAFE_INTEGER) });

/** It came out of JSON.parse; the job service judges names and values. */
const properties: Parser<Readonly<Record<string, JsonValue>>> = (json) => {
  if (typeof json !== "object" || json === null) throw new DecodeError("expected an object");
  return json as Readonly<Record<string, JsonValue>>;
};

const submissionFields = { jobId: optional(text), devices: optional(list(text)) };
const ofType =
  <const T extends JobType>(type: T): Parser<T> =>
  () =>
    type;

const parseSubmission: Parser<Submission> = variant("type", {
  firmwareUpdate: shape({
    type: ofType("firmwareUpdate"),
    packageUri: optional(text),
    timeout: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    ...submissionFields,
  }),
  rebootDevice: shape({ type: ofType("rebootDevice"), ...submissionFields }),
  factoryResetDevice: shape({ type: ofType("factoryResetDevice"), ...submissionFields }),
  updateDeviceConfiguration: shape({
    type: ofType("updateDeviceConfiguration"),
    value: text,
    ...submissionFields,
  }),
  readDeviceProperties: shape({
    type: ofType("readDeviceProperties"),
    names: list(text),
    ...submissionFields,
  }),
  writeDeviceProperties: shape({ type: ofType("writeDeviceProperties"), properties, ...submissionFields }),
});

const method =
  <const M extends ControlRequest["method"]>(name: M): Parser<M> =>
  () =>
    name;

const parseRequest: Parser<ControlRequest> = variant("method", {
  devices: shape({ method: method("devices") }),
  jobs: shape({ method: method("jobs") }),
  submit: shape({ method: method("submit"), job: parseSubmission }),
  follow: shape({ method: method("follow"), jobId: text }),
  cancel: shape({ method: method("cancel"), jobId: text }),
});
