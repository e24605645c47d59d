/**
 * Scripts as Objects: an executable of the operator answers `read /3303/0/5700`, `write /3303/0/5601` and
 * `execute /3303/0/5605`. docs/plugins.md has the contract. Never through a shell.
 */
import { type Answering, createScriptObject } from "../objects/script-object.js";
import { checkExecutable } from "../platform/exec/executable.js";
import { describeEnd, ProgramError, type ProgramResult, runProgram } from "../platform/exec/program.js";
import { text } from "./codec/text.js";
import type { ExecuteArguments, NamedResource, ObjectDefinition } from "./model/definition.js";
import { ConfigError, RequestError, type ResponseCode } from "./model/errors.js";
import { isResourceInstances, type ResourceContent, type ResourceValue } from "./model/value.js";
import { readObjectFile } from "./optional-objects.js";
import { definePlugin, type Plugin } from "./plugin.js";
import { type Clock, type Millis, seconds } from "./ports.js";

export interface ScriptOptions {
  /** Path of its definition file. */
  readonly object: string;
  /** 0 when not given. */
  readonly instances?: readonly number[];
  /** Those that the program knows; all of the definition when not given. */
  readonly resources?: readonly number[];
  /** Absolute path of an executable. */
  readonly program: string;
  /** While somebody observes; 60 s when not given. */
  readonly pollInterval?: Millis;
  /** Of one run; 10 s when not given. */
  readonly timeLimit?: Millis;
}

const defaultPollInterval = seconds(60);
const defaultTimeLimit = seconds(10);

/** @param name of the plugin, by which its log and its health are known */
export function createScriptPlugin(name: string, options: ScriptOptions, clock: Clock): Plugin {
  let stopping = new AbortController();
  return definePlugin({
    name,
    stop: () => stopping.abort(new Error("the agent stops")),
    async start(agent) {
      const definition = await checkScript(options);
      stopping = new AbortController();
      const { signal } = stopping;
      const { instances = [0], resources, pollInterval = defaultPollInterval } = options;
      agent.addObject(
        createScriptObject({
          definition,
          instances,
          ...(resources && { resources }),
          answering: createProgram(definition, options, { clock, signal }),
          pollInterval,
          clock,
          log: agent.log,
        }),
      );
    },
  });
}

/** @throws ConfigError when the definition does not fit, or the program cannot be run or is not to be trusted */
export async function checkScript(options: ScriptOptions): Promise<ObjectDefinition> {
  const { object, instances = [0], resources = [], program } = options;
  const [definition, ...others] = await readObjectFile(object);
  if (definition === undefined || others.length > 0) {
    throw new ConfigError(`${object} holds ${others.length + 1} Objects: give each a file of its own`);
  }
  if (definition.instances === "single" && instances.some((id) => id !== 0)) {
    throw new ConfigError(`${object}: ${definition.name} has one instance, number 0: leave instances out`);
  }
  const known = Object.values(definition.resources).map(({ id }) => id);
  const unknown = resources.find((id) => !known.includes(id));
  if (unknown !== undefined) {
    throw new ConfigError(`${object}: there is no Resource ${unknown}; there are ${known.join(", ")}`);
  }
  const fault = (await checkExecutable(program, "the script")).find(({ level }) => level === "error");
  if (fault !== undefined) throw new ConfigError(`${fault.found}: ${fault.remedy}`);
  return definition;
}

// ---- Running it ----------------------------------------------------------------------------------------------------

/** What exit codes say beside 0, done. All others are 5.00. */
const codes: Readonly<Record<number, ResponseCode>> = {
  2: "4.00", // the value or the arguments are wrong
  4: "4.04", // there is no such Resource now
  5: "4.05", // this Resource does not do that
  75: "5.03", // EX_TEMPFAIL of sysexits.h
};
const notThere = 4;

/** Runs that wait for their turn: a Server that asks faster than the program answers must not fill memory. */
const maximumWaiting = 64;

/** One run at a time: a program need not think of others. */
function createProgram(
  definition: ObjectDefinition,
  { program, timeLimit = defaultTimeLimit }: ScriptOptions,
  edge: { readonly clock: Clock; readonly signal: AbortSignal },
): Answering {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const inTurn = async (act: () => Promise<ProgramResult>): Promise<ProgramResult> => {
    if (waiting >= maximumWaiting) throw new RequestError("5.03", `${program}: ${waiting} runs wait already`);
    waiting += 1;
    const run = last.then(act).finally(() => {
      waiting -= 1;
    });
    last = run.catch(() => undefined); // whoever asked hears of it
    return run;
  };
  const run = (order: Order) =>
    inTurn(() =>
      runProgram(program, {
        arguments: [order.operation, pathOf(definition, order), ...(order.more ?? [])],
        environment: variablesOf(definition, order),
        ...(order.input !== undefined && { input: order.input }),
        timeLimit,
        ...edge,
      }),
    ).catch((cause) => {
      if (!(cause instanceof ProgramError)) throw cause;
      throw new RequestError(cause.kind === "time-limit" ? "5.03" : "5.00", cause.message, { cause });
    });
  const refused = (order: Order, result: ProgramResult) =>
    new RequestError(
      codes[result.exitCode ?? -1] ?? "5.00",
      `${program} ${order.operation} ${pathOf(definition, order)}: ${result.reason || describeEnd(result)}`,
    );
  const runToEnd = async (order: Order) => {
    const result = await run(order);
    if (result.exitCode !== 0) throw refused(order, result);
  };
  return {
    async read(instance, resource) {
      const order: Order = { operation: "read", instance, resource };
      const result = await run(order);
      if (result.exitCode === notThere) return undefined;
      if (result.exitCode !== 0) throw refused(order, result);
      try {
        return parseOutput(result.output, definition, order);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new RequestError("5.00", `${program} read ${pathOf(definition, order)}: ${why}`, { cause });
      }
    },
    write: (instance, resource, value) => {
      const order: Order = { operation: "write", instance, resource };
      return runToEnd({ ...order, input: Buffer.from(formatInput(value, definition, order)) });
    },
    execute: (instance, resource, args) =>
      runToEnd({ operation: "execute", instance, resource, more: [...args].map(formatArgument) }),
  };
}

interface Order {
  readonly operation: "read" | "write" | "execute";
  readonly instance: number;
  readonly resource: NamedResource;
  readonly input?: Uint8Array;
  /** Arguments after the path. */
  readonly more?: readonly string[];
}

const pathOf = ({ id }: ObjectDefinition, { instance, resource }: Order) =>
  `/${id}/${instance}/${resource.id}`;

const variablesOf = ({ id }: ObjectDefinition, { operation, instance, resource }: Order) => ({
  LWM2M_OPERATION: operation,
  LWM2M_OBJECT: `${id}`,
  LWM2M_INSTANCE: `${instance}`,
  LWM2M_RESOURCE: `${resource.id}`,
  LWM2M_NAME: resource.name,
  LWM2M_TYPE: resource.type ?? "",
  LWM2M_UNITS: resource.units ?? "",
});

/** `0`, or `0=text`; a program gets each as one argument, whatever is in it. */
const formatArgument = ([digit, value]: ExecuteArguments extends ReadonlyMap<infer K, infer V>
  ? readonly [K, V]
  : never) => (value === undefined ? `${digit}` : `${digit}=${value.replaceAll("\0", "")}`);

// ---- Values as text ------------------------------------------------------------------------------------------------

/** As `runProgram` keeps it; more may have been cut off. */
const maximumOutput = 64 * 1024;

/** @throws Error when it is no value of that type */
function parseOutput(output: string, definition: ObjectDefinition, order: Order): ResourceContent {
  if (output.length >= maximumOutput)
    throw new Error(`its output is longer than ${maximumOutput} characters`);
  const { resource } = order;
  if (!resource.multiple) return parseValue(output.replace(/\r?\n$/, ""), definition, order);
  const lines = output.split(/\r?\n/).filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const [, id = "", value = ""] = /^(\d{1,5})=(.*)$/.exec(line) ?? [];
      if (id === "" || Number(id) > 65_534)
        throw new Error(`"${line.slice(0, 80)}" is no line such as 0=value`);
      return [Number(id), parseValue(value, definition, order, Number(id))];
    }),
  );
}

function parseValue(
  said: string,
  definition: ObjectDefinition,
  { instance, resource }: Order,
  resourceInstance?: number,
): ResourceValue {
  const { id, type } = resource;
  const word = type === "string" || type === "corelnk" ? said : said.trim();
  const plain = type === "boolean" ? (booleans[word] ?? word) : word;
  const decoded = text.decode(
    definition,
    resourceInstance === undefined
      ? [definition.id, instance, id]
      : [definition.id, instance, id, resourceInstance],
    Buffer.from(plain),
  );
  const content = decoded.get(instance)?.get(id);
  const value =
    content !== undefined && isResourceInstances(content) ? content.get(resourceInstance ?? 0) : content;
  if (value === undefined) throw new Error("there is no value in it");
  return value;
}

const booleans: Readonly<Record<string, string>> = { true: "1", false: "0" };

/** What stands on standard input: the value, or a line `0=value` for each Resource Instance. */
function formatInput(
  value: ResourceContent,
  definition: ObjectDefinition,
  { instance, resource }: Order,
): string {
  const { id: object } = definition;
  const content = new Map([[instance, new Map([[resource.id, value]])]]);
  const format = (path: Parameters<typeof text.encode>[1]) =>
    Buffer.from(text.encode(definition, path, content)).toString("utf8");
  if (!isResourceInstances(value)) return format([object, instance, resource.id]);
  return [...value.keys()]
    .map((id) => {
      const line = format([object, instance, resource.id, id]);
      if (/[\r\n]/.test(line))
        throw new RequestError("4.00", `${resource.name}/${id} has more than one line`);
      return `${id}=${line}\n`;
    })
    .join("");
}
