import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type ParsedPacket, parse } from "coap-packet";
import { buildProgram, type Program } from "./build.js";

/** What a server notes; see the Java sources for the kinds. */
export interface LeshanEvent {
  readonly kind: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly endpoint?: string;
  readonly [field: string]: unknown;
}

/** One datagram as Leshan saw it, read by a decoder that is not ours. */
export interface TracedMessage extends ParsedPacket {
  readonly direction: "sent" | "received";
  /** Of the peer. */
  readonly port: number;
  readonly at: number;
}

/** A place in the list of events: what comes after it is what the test caused. */
export type Mark = number;

export interface EventSearch {
  readonly kind: string;
  readonly after?: Mark;
  readonly where?: (event: LeshanEvent) => boolean;
  readonly timeoutMillis?: number;
}

const mainClasses = { server: "ManagementServer", "bootstrap-server": "BootstrapServer" } as const;
const readyMillis = 60_000;

/** A server of Leshan in a Java process of its own, and what it saw. */
export class LeshanProcess {
  readonly coapPort: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #control: string;
  readonly #events: LeshanEvent[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #following: Promise<void>;
  #isClosed = false;

  static async start(program: Program): Promise<LeshanProcess> {
    const classPath = await buildProgram(program);
    const models = join(import.meta.dirname, "models");
    const child = spawn(
      "java",
      [
        "-Xmx256m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        classPath,
        mainClasses[program],
        models,
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    let complaints = "";
    child.stderr.on("data", (text: Buffer) => (complaints = `${complaints}${text}`.slice(-4000)));
    const ready = await new Promise<{ http: number; coap: number }>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`Leshan ${why}\n${complaints}`));
      const timer = setTimeout(() => fail("is not ready in time"), readyMillis);
      child.once("error", (error) => fail(`does not start: ${error.message}`));
      child.once("exit", (code) => fail(`ended with ${code}`));
      createInterface(child.stdout).on("line", (line) => {
        if (!line.startsWith("{")) return;
        clearTimeout(timer);
        resolve(JSON.parse(line) as { http: number; coap: number });
      });
    });
    return new LeshanProcess(child, ready);
  }

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, Readable>,
    { http, coap }: { readonly http: number; readonly coap: number },
  ) {
    this.#child = child;
    this.coapPort = coap;
    this.#control = `http://127.0.0.1:${http}`;
    this.#following = this.#follow();
  }

  get uri(): string {
    return `coap://127.0.0.1:${this.coapPort}`;
  }

  /** Performs one operation and returns what Leshan made of it, once its events up to then are here. */
  async perform(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(this.#control, { method: "POST", body: JSON.stringify(request) });
    const outcome = (await response.json()) as Record<string, unknown>;
    const noted = Number(response.headers.get("Events"));
    while (this.#events.length < noted && !this.#isClosed) await this.#news(1000);
    return outcome;
  }

  mark(): Mark {
    return this.#events.length;
  }

  /** The first such event after the mark, as soon as there is one. */
  async event({
    kind,
    after = 0,
    where = () => true,
    timeoutMillis = 20_000,
  }: EventSearch): Promise<LeshanEvent> {
    const matches = (event: LeshanEvent) => event.kind === kind && where(event);
    const deadline = Date.now() + timeoutMillis;
    for (;;) {
      const found = this.#events.slice(after).find(matches);
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0)
        throw new Error(`Leshan noted no "${kind}" in ${timeoutMillis} ms${this.#summary(after)}`);
      await this.#news(left);
    }
  }

  /** All such events after the mark, so far. */
  events(kind: string, after: Mark = 0): LeshanEvent[] {
    return this.#events.slice(after).filter((event) => event.kind === kind);
  }

  /** The CoAP messages since the mark, so far. */
  trace(after: Mark = 0): TracedMessage[] {
    return this.events("coap", after).map(traced);
  }

  async message(
    where: (message: TracedMessage) => boolean,
    options: { readonly after?: Mark; readonly timeoutMillis?: number } = {},
  ): Promise<TracedMessage> {
    return traced(await this.event({ kind: "coap", where: (event) => where(traced(event)), ...options }));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(timer);
    await this.#following;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const response = await fetch(`${this.#control}/events?${this.#events.length}`);
        this.#events.push(...((await response.json()) as LeshanEvent[]));
      } catch {
        return; // the process has ended; whoever waits for an event hears of it by its deadline
      }
      for (const wake of this.#waiting) wake();
    }
  }

  #news(withinMillis: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMillis);
      this.#waiting.add(done);
    });
  }

  #summary(after: Mark): string {
    const lines = this.#events
      .slice(after)
      .map(({ kind, at: _at, bytes: _bytes, ...rest }) =>
        kind === "coap" ? "" : `\n  ${kind} ${JSON.stringify(rest)}`,
      );
    return lines.join("").slice(0, 4000);
  }
}

function traced(event: LeshanEvent): TracedMessage {
  return {
    ...parse(Buffer.from(event["bytes"] as string, "hex")),
    direction: event["direction"] as TracedMessage["direction"],
    port: event["port"] as number,
    at: event.at,
  };
}

/** The text of an option that may occur several times: `/rd`, `ep=board&lt=300`. */
export const optionText = (message: ParsedPacket, name: "Uri-Path" | "Uri-Query" | "Location-Path"): string =>
  message.options
    .filter((option) => option.name === name)
    .map((option) => `${name === "Uri-Query" ? "&" : "/"}${option.value}`)
    .join("")
    .replace(/^&/, "");

/** An option that is a number; undefined when it is absent. */
export function optionNumber(
  message: ParsedPacket,
  name: "Content-Format" | "Accept" | "Observe" | "Block1" | "Block2",
): number | undefined {
  const option = message.options.find((candidate) => candidate.name === name);
  if (option === undefined) return undefined;
  return option.value.length === 0 ? 0 : option.value.readUIntBE(0, option.value.length);
}
