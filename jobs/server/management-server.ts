/**
 * A small LwM2M management server: devices register with it, and it reads, writes, executes and observes. It is what jobs
 * run on in a simulation and in tests, on loopback and without security; it is no server for an open network.
 */
import type { ObjectDefinition } from "../../agent/model/definition.js";
import { RequestError, responseCodeOf } from "../../agent/model/errors.js";
import { formatPath, type Path, type ResourcePath } from "../../agent/model/path.js";
import type { ObjectContent } from "../../agent/model/value.js";
import { type Clock, type Log, type Millis, type Random, seconds } from "../../agent/ports.js";
import { DEFAULT_CONFIGURATION_OBJECT_ID, defineConfiguration } from "../../objects/configuration.js";
import { Device } from "../../objects/device.js";
import { FirmwareUpdate } from "../../objects/firmware-update/definition.js";
import { Server } from "../../objects/server.js";
import {
  type DeviceEvent,
  type DeviceGateway,
  DeviceNotConnectedError,
  DeviceResponseError,
  DeviceTimeoutError,
  type Observation,
  type RegisteredDevice,
  type WriteMode,
} from "../device-gateway.js";
import { type CoapEndpoint, openCoapEndpoint } from "./coap-endpoint.js";
import type { DeviceRequest, DeviceResponse } from "./device-agent.js";
import { type Definitions, decodeRead, encodeWrite } from "./payload.js";
import { RegistrationDirectory } from "./registration-directory.js";
import { parseRegister, parseUpdate } from "./registration-request.js";
import type { Serve, ServerRequest, ServerResponse } from "./request-listener.js";
import { RequestQueue } from "./request-queue.js";

export interface ManagementServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Numeric address to listen on; 127.0.0.1 unless given. */
  readonly host?: string;
  /** 5683 unless given; 0 takes a free one. */
  readonly port?: number;
  /** From the sending of a request to its answer; 93 seconds, MAX_TRANSMIT_WAIT of RFC 7252 §4.8.2, unless given. */
  readonly requestTimeout?: Millis;
  /** Objects beside Server, Device, Firmware Update and Configuration. Values of others are text. */
  readonly objects?: readonly ObjectDefinition[];
  readonly configurationObjectId?: number;
}

export interface ManagementServer extends DeviceGateway {
  /** `coap://127.0.0.1:5683`: what devices are given. */
  readonly uri: string;
  readonly port: number;
  /** Resolves when the socket is gone. Requests that are under way fail. */
  close(): Promise<void>;
}

/**
 * Resolves when devices can register.
 * @throws TransportError when the address cannot be had
 */
export async function createManagementServer(options: ManagementServerOptions): Promise<ManagementServer> {
  const { host = "127.0.0.1", port = 5683, clock, log } = options;
  const directory = new RegistrationDirectory(options);
  const serve = (request: ServerRequest) => serveRegistration(directory, request);
  const endpoint = await openCoapEndpoint({ host, port, clock, log, serve: answering(serve, log) });
  return new EmbeddedServer(options, directory, endpoint);
}

const registrationPath = "rd";

class EmbeddedServer implements ManagementServer {
  readonly #options: ManagementServerOptions;
  readonly #directory: RegistrationDirectory;
  readonly #endpoint: CoapEndpoint;
  readonly #definitions: Definitions;
  readonly #queues = new Map<string, RequestQueue>();
  #closed: Promise<void> | undefined;

  constructor(options: ManagementServerOptions, directory: RegistrationDirectory, endpoint: CoapEndpoint) {
    const { objects = [], configurationObjectId = DEFAULT_CONFIGURATION_OBJECT_ID } = options;
    const configuration = defineConfiguration(configurationObjectId);
    this.#options = options;
    this.#directory = directory;
    this.#endpoint = endpoint;
    this.#definitions = new Map(
      [Server, Device, FirmwareUpdate, configuration, ...objects].map((definition) => [
        definition.id,
        definition,
      ]),
    );
  }

  get uri(): string {
    const { address, port } = this.#endpoint;
    return `coap://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  get port(): number {
    return this.#endpoint.port;
  }

  close(): Promise<void> {
    this.#directory.close();
    this.#closed ??= this.#endpoint.close();
    return this.#closed;
  }

  // ---- Who is there ----------------------------------------------------------------------------------------------

  devices(): readonly RegisteredDevice[] {
    return this.#directory.devices();
  }

  device(endpointName: string): RegisteredDevice | undefined {
    return this.#directory.device(endpointName);
  }

  isKnown(endpointName: string): boolean {
    return this.#directory.isKnown(endpointName);
  }

  isReachable(endpointName: string): boolean {
    return this.#directory.isReachable(endpointName);
  }

  onDeviceEvent(listener: (event: DeviceEvent) => void): () => void {
    return this.#directory.onEvent(listener);
  }

  // ---- What we ask of devices ------------------------------------------------------------------------------------

  async read(endpointName: string, path: Path): Promise<ObjectContent> {
    const response = await this.#request(endpointName, `Read of ${formatPath(path)}`, () => ({
      method: "GET",
      path: formatPath(path),
    }));
    return decodeRead(this.#definitions, path, response);
  }

  async write(endpointName: string, path: Path, content: ObjectContent, mode: WriteMode): Promise<void> {
    await this.#request(endpointName, `Write of ${formatPath(path)}`, (device) => ({
      method: mode === "replace" ? "PUT" : "POST",
      path: formatPath(path),
      ...encodeWrite(this.#definitions, path, content, device),
    }));
  }

  async execute(endpointName: string, path: ResourcePath, args?: string): Promise<void> {
    await this.#request(endpointName, `Execute of ${formatPath(path)}`, () => ({
      method: "POST",
      path: formatPath(path),
      ...(args !== undefined && { contentFormat: 0, payload: Buffer.from(args) }),
    }));
  }

  async observe(
    endpointName: string,
    path: Path,
    notified: (content: ObjectContent) => void,
  ): Promise<Observation> {
    const operation = `Observe of ${formatPath(path)}`;
    const request = { method: "GET", path: formatPath(path), observe: 0 } as const;
    const deliver = (notification: DeviceResponse) =>
      this.#deliver({ endpointName, path, notification, notified });
    let ended: AbortSignal | undefined;
    const response = await this.#request(
      endpointName,
      operation,
      () => {
        ended = this.#directory.ended(endpointName);
        return request;
      },
      deliver,
    );
    const forget = () => this.#endpoint.forget(response.token);
    if (ended?.aborted === true) forget();
    ended?.addEventListener("abort", forget, { once: true });
    deliver(response);
    return {
      cancel: async () => {
        if (ended?.aborted !== false) return;
        ended.removeEventListener("abort", forget);
        forget();
        const { token } = response;
        await this.#request(endpointName, `Cancel of ${operation}`, () => ({
          ...request,
          observe: 1,
          token,
        })).catch(
          () => undefined, // a device that still notifies gets a Reset, which cancels as well
        );
      },
    };
  }

  #deliver({ endpointName, path, notification, notified }: Delivery): void {
    this.#directory.heard(endpointName);
    if (!notification.code.startsWith("2.")) return; // the observation has ended
    if (notification.partial) {
      // The rest must be asked for, and by then the first block may be out of date.
      this.read(endpointName, path).then(notified, (fault: unknown) => this.#undelivered(path, fault));
      return;
    }
    try {
      notified(decodeRead(this.#definitions, path, notification));
    } catch (fault) {
      this.#undelivered(path, fault);
    }
  }

  #undelivered(path: Path, fault: unknown): void {
    this.#options.log.warn("a notification was dropped", { path: formatPath(path), fault: String(fault) });
  }

  /**
   * Waits for its turn, then asks the device where it is registered then.
   * @param notified makes it an observation
   */
  async #request(
    endpointName: string,
    operation: string,
    request: (device: RegisteredDevice) => Omit<DeviceRequest, "address" | "port">,
    notified?: (notification: DeviceResponse) => void,
  ): Promise<DeviceResponse> {
    return this.#queueOf(endpointName, async () => {
      const device = this.#directory.device(endpointName);
      const ended = this.#directory.ended(endpointName);
      if (device === undefined || ended === undefined) throw new DeviceNotConnectedError(endpointName);
      const { address, port } = device;
      const message = { address, port, ...request(device) };
      const response = await this.#withinTime(endpointName, operation, ended, (signal) =>
        notified === undefined
          ? this.#endpoint.request(message, signal)
          : this.#endpoint.observe(message, signal, notified),
      );
      this.#directory.heard(endpointName);
      if (!response.code.startsWith("2.")) throw refusal(response, `${operation} on ${endpointName}`);
      return response;
    });
  }

  async #queueOf<T>(endpointName: string, request: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(endpointName) ?? new RequestQueue();
    this.#queues.set(endpointName, queue);
    try {
      return await queue.add(request);
    } finally {
      if (queue.isEmpty) this.#queues.delete(endpointName);
    }
  }

  /** @throws DeviceTimeoutError when time is up, or when the registration ends before */
  async #withinTime<T>(
    endpointName: string,
    operation: string,
    ended: AbortSignal,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, requestTimeout = seconds(93) } = this.#options;
    const stop = new AbortController();
    const timeUp = new DeviceTimeoutError(`${endpointName} did not answer: ${operation}`);
    const timer = clock.after(requestTimeout, () => stop.abort(timeUp));
    const gone = () => stop.abort(goneBeforeAnswer(endpointName, operation, ended));
    ended.addEventListener("abort", gone, { once: true });
    try {
      return await request(stop.signal);
    } finally {
      timer.cancel();
      ended.removeEventListener("abort", gone);
    }
  }
}

interface Delivery {
  readonly endpointName: string;
  readonly path: Path;
  readonly notification: DeviceResponse;
  readonly notified: (content: ObjectContent) => void;
}

function goneBeforeAnswer(
  endpointName: string,
  operation: string,
  { reason }: AbortSignal,
): DeviceTimeoutError {
  const restarted = reason === "registered";
  const what = restarted ? "registered anew" : "left";
  return new DeviceTimeoutError(`${endpointName} ${what} before it answered: ${operation}`, { restarted });
}

function refusal({ code, payload }: DeviceResponse, operation: string): Error {
  if (code === "0.00") return new DeviceTimeoutError(`${operation} was rejected with a Reset`);
  return new DeviceResponseError(code, operation, diagnosticOf(payload));
}

/** RFC 7252 §5.5.2. It is shown to people, so no control characters and no novels. */
const diagnosticOf = (payload: Uint8Array): string =>
  new TextDecoder().decode(payload.subarray(0, 200)).replace(/\p{C}/gu, " ").trim();

// ---- What devices ask ---------------------------------------------------------------------------------------------

const answering =
  (serve: Serve, log: Log): Serve =>
  (request) => {
    try {
      return serve(request);
    } catch (fault) {
      const code = responseCodeOf(fault);
      const { address, port } = request;
      log.info("request refused", { address, port, code, reason: String(fault) });
      return { code };
    }
  };

function serveRegistration(directory: RegistrationDirectory, request: ServerRequest): ServerResponse {
  const [first, id, ...rest] = request.path;
  if (first !== registrationPath || rest.length > 0) throw new RequestError("4.04", "there is only /rd here");
  if (id === undefined) {
    if (request.method !== "POST") throw new RequestError("4.05", "a Register is a POST");
    const location = directory.register(parseRegister(request), request);
    return { code: "2.01", location: [registrationPath, location] };
  }
  switch (request.method) {
    case "POST": {
      const version = directory.versionOf(id);
      if (version === undefined) throw noSuchRegistration();
      directory.update(id, parseUpdate(request, version), request);
      return { code: "2.04" };
    }
    case "DELETE":
      if (!directory.deregister(id)) throw noSuchRegistration();
      return { code: "2.02" };
    default:
      throw new RequestError("4.05", "a registration is updated by POST and ended by DELETE");
  }
}

const noSuchRegistration = () => new RequestError("4.04", "there is no such registration");
