/** Send (LwM2M Core 1.2 §6.4.4): values that go to Servers without having been asked for. */
import { compositeCodec, type Definitions } from "../codec/composite.js";
import { contentFormats } from "../codec/content-format.js";
import { faultOf } from "../model/conformity.js";
import { resourceById } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { type Path, parsePath, type ResourcePath } from "../model/path.js";
import type { Sample, SendItem, SendOptions, SendReport } from "../model/send.js";
import type { TimedContent, TreeContent } from "../model/value.js";
import type { Awaitable } from "./awaitable.js";
import { isSince, type Origin } from "./operations.js";
import type { SendMessage, ServerConnection } from "./server-connection.js";
import { isServed } from "./versions.js";

/** What Send needs to know of a Server. */
export interface SendTarget {
  readonly shortServerId: number;
  /** undefined unless we are registered with it. */
  readonly origin: Origin | undefined;
  /** /1/x/23: true unless the Server says otherwise. */
  readonly isMuted: boolean;
  readonly connection: ServerConnection | undefined;
}

export interface SenderOptions {
  readonly definitions: Definitions;
  readonly targets: () => readonly SendTarget[];
  /** What of these paths there is, and the Server may read. */
  readonly read: (origin: Origin, paths: readonly Path[]) => Awaitable<TreeContent>;
  readonly mayRead: (origin: Origin, path: Path) => boolean;
  /** The client ends: nobody waits for answers any more. */
  readonly signal: AbortSignal;
}

export class Sender {
  readonly #options: SenderOptions;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * @returns how it went with each Server that was meant
   * @throws TypeError for a path that is none, and for a value that its Resource does not take: mistakes of the caller
   */
  async send(items: readonly SendItem[], options: SendOptions = {}): Promise<readonly SendReport[]> {
    const wanted = items.map((item) => this.#wanted(item));
    const { shortServerId } = options;
    const targets = this.#options
      .targets()
      .filter((target) => shortServerId === undefined || target.shortServerId === shortServerId);
    if (shortServerId !== undefined && targets.length === 0) {
      return [{ shortServerId, delivered: false, reason: "there is no such Server" }];
    }
    return Promise.all(
      targets.map(async (target) => {
        const reason = await this.#sendTo(target, wanted, options);
        return {
          shortServerId: target.shortServerId,
          delivered: reason === undefined,
          ...(reason !== undefined && { reason }),
        };
      }),
    );
  }

  /** undefined when the Server has it, otherwise why not. */
  async #sendTo(
    { origin, isMuted, connection }: SendTarget,
    wanted: readonly Wanted[],
    { contentFormat = contentFormats.senmlCbor }: SendOptions,
  ): Promise<string | undefined> {
    if (origin === undefined) return "not registered with this Server";
    if (!isSince(origin.version, "1.1")) return `LwM2M ${origin.version} has no Send`;
    if (isMuted) return "the Server has muted Sends (Mute Send, /1/x/23)";
    if (connection?.send === undefined) return "the transport of this Server has no Send";
    if (!isServed(origin.version, contentFormat)) {
      return `Content-Format ${contentFormat} is not known in LwM2M ${origin.version}`;
    }
    try {
      const message = await this.#message(origin, wanted, contentFormat);
      if (message === undefined) return "there is nothing that this Server may read";
      const answer = await connection.send(message, { signal: this.#options.signal });
      return answer.kind === "failed" ? answer.failure.reason : undefined;
    } catch (error) {
      if (error instanceof RequestError) return error.message;
      throw error;
    }
  }

  /** In the order of the items; undefined when nothing is left. */
  async #message(
    origin: Origin,
    wanted: readonly Wanted[],
    contentFormat: number,
  ): Promise<SendMessage | undefined> {
    const { definitions, read, mayRead } = this.#options;
    const codec = compositeCodec(contentFormat);
    const samples = wanted.flatMap((item) => ("content" in item ? [item] : []));
    if (samples.length === 0) {
      const content = await read(
        origin,
        wanted.map(({ path }) => path),
      );
      const payload = content.size === 0 ? undefined : codec?.encode?.(definitions, content);
      return payload && { contentFormat, payload };
    }
    const records: TimedContent[] = [];
    for (const item of wanted) {
      if (!("content" in item)) records.push(...timedNow(await read(origin, [item.path])));
      else if (mayRead(origin, item.path)) records.push(item);
    }
    if (codec?.encodeTimed === undefined) {
      throw new RequestError("4.06", `Content-Format ${contentFormat} carries no samples`);
    }
    return records.length === 0
      ? undefined
      : { contentFormat, payload: codec.encodeTimed(definitions, records) };
  }

  #wanted(item: SendItem): Wanted {
    const text = typeof item === "string" ? item : item.path;
    const path = parsePath(text);
    if (path === undefined) throw new TypeError(`${JSON.stringify(text)} is not a path such as /3303/0/5700`);
    return typeof item === "string" ? { path } : this.#sample(item, path);
  }

  #sample({ path: text, value, time }: Sample, path: Path): TimedContent {
    const [objectId, , resourceId] = path;
    const definition = this.#options.definitions(objectId);
    const resource =
      definition && resourceId !== undefined && path.length === 3
        ? resourceById(definition, resourceId)
        : undefined;
    if (resource === undefined) throw new TypeError(`${text} is not a Resource of this client`);
    const fault = faultOf(resource, value);
    if (fault !== undefined) throw new TypeError(fault);
    if (time !== undefined && !Number.isFinite(time)) throw new TypeError(`${time} is not a time in seconds`);
    return { path: path as ResourcePath, content: value, time };
  }
}

type Wanted = { readonly path: Path } | TimedContent;

const timedNow = (tree: TreeContent): TimedContent[] =>
  [...tree].flatMap(([objectId, instances]) =>
    [...instances].flatMap(([objectInstanceId, resources]) =>
      [...resources].map(([resourceId, content]) => ({
        path: [objectId, objectInstanceId, resourceId] as const,
        content,
        time: undefined,
      })),
    ),
  );
