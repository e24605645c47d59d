import type { ObjectLink, ResourceContent, ResourceType } from "./value.js";

/**
 * One Resource of an Object as the OMA registry describes it. Access, type and range checks, Discover and the payload
 * codecs read this same table.
 */
export interface ResourceDefinition {
  readonly id: number;
  /** What a Server may do: Read, Write, Execute. `BS` is for the Bootstrap-Server alone. */
  readonly operations: "R" | "W" | "RW" | "E" | "BS";
  /** Absent for executable Resources, and only for them. */
  readonly type?: ResourceType;
  /** Has Resource Instances. Absent: holds a single value. */
  readonly multiple?: true;
  /** Every Object Instance has it. */
  readonly mandatory?: true;
  /** Inclusive. For `string` and `opaque` the length in bytes. */
  readonly range?: readonly [minimum: number, maximum: number];
  /** As the registry writes it, for people. */
  readonly units?: string;
}

/** An Object as the OMA registry describes it. */
export interface ObjectDefinition {
  readonly id: number;
  readonly name: string;
  readonly version: string;
  /** `single`: exactly one Object Instance, number 0, that nobody creates or deletes. */
  readonly instances: "single" | "multiple";
  readonly resources: Readonly<Record<string, ResourceDefinition>>;
}

/** Keeps the literal types of a definition, from which the types of its handlers follow. */
export const defineObject = <const D extends ObjectDefinition>(definition: D): D => definition;

/** Finds a Resource by its number. */
export const resourceById = (definition: ObjectDefinition, resourceId: number): NamedResource | undefined =>
  indexOf(definition).byId.get(resourceId);

/** All Resources, by ascending number. */
export const resourcesInOrder = (definition: ObjectDefinition): readonly NamedResource[] =>
  indexOf(definition).inOrder;

interface ResourceIndex {
  readonly byId: ReadonlyMap<number, NamedResource>;
  readonly inOrder: readonly NamedResource[];
}
const indexes = new WeakMap<ObjectDefinition, ResourceIndex>();

function indexOf(definition: ObjectDefinition): ResourceIndex {
  let index = indexes.get(definition);
  if (index === undefined) {
    const inOrder = Object.entries(definition.resources)
      .map(([name, resource]) => ({ ...resource, name }))
      .sort((a, b) => a.id - b.id);
    index = { inOrder, byId: new Map(inOrder.map((resource) => [resource.id, resource])) };
    indexes.set(definition, index);
  }
  return index;
}

/** A Resource definition together with its key in `ObjectDefinition.resources`. */
export interface NamedResource extends ResourceDefinition {
  readonly name: string;
}

// ---- The types of values and handlers, read off a definition ---------------------------------------------------

type Awaitable<T> = T | Promise<T>;

type ScalarOf<R extends ResourceDefinition> = R["type"] extends "string" | "corelnk"
  ? string
  : R["type"] extends "integer" | "unsigned"
    ? R extends { readonly range: readonly [number, number] }
      ? number
      : number | bigint
    : R["type"] extends "float" | "time"
      ? number
      : R["type"] extends "boolean"
        ? boolean
        : R["type"] extends "opaque"
          ? Uint8Array
          : R["type"] extends "objlnk"
            ? ObjectLink
            : never;

/** The TypeScript type of what a Resource holds: its scalar, or a map of them by Resource Instance ID. */
export type ValueOf<R extends ResourceDefinition> = R extends { readonly multiple: true }
  ? ReadonlyMap<number, ScalarOf<R>>
  : ScalarOf<R>;

/** A mandatory Resource always has a value; an optional one answers undefined while it is not instantiated. */
type ReadableOf<R extends ResourceDefinition> = R extends { readonly mandatory: true }
  ? ValueOf<R>
  : ValueOf<R> | undefined;

/** Work that begins after the response has been sent: a reboot must not swallow the answer to its own Execute. */
export type AfterResponse = () => void;

/** Receives a large Opaque value piece by piece, in order. The bytes are the receiver's to keep. */
export interface ValueSink {
  /** Resolves when the next piece may come: this is the back-pressure of the transfer. */
  write(piece: Uint8Array): Awaitable<void>;
  /** All pieces have come. Rejects to refuse the value. */
  end(): Awaitable<void>;
  /** The transfer ended early. Never called after `end`. */
  abort(reason: Error): void;
}

export interface ReadHandler<R extends ResourceDefinition> {
  read(): Awaitable<ReadableOf<R>>;
}

export interface WriteHandler<R extends ResourceDefinition> {
  /**
   * Refuses a value before anything of the request is applied, by throwing a RequestError. Type and range have been
   * checked already.
   */
  check?(value: ValueOf<R>): Awaitable<void>;
  write(value: ValueOf<R>): Awaitable<void | AfterResponse>;
  /** Resource Instances neither come nor go by a Write or Delete: who tries hears 4.01. */
  readonly fixedInstances?: true;
  /** A Write that replaces the whole Object Instance left this optional Resource out. Absent: it keeps its value. */
  remove?(): Awaitable<void>;
}

/** For Opaque values that are too large for memory: they arrive as a stream. */
export interface StreamHandler {
  /**
   * A Server begins to write.
   * @param size what the Server announced, in bytes
   * @throws RequestError to refuse the value at its first piece
   */
  receive(size: number | undefined): Awaitable<ValueSink>;
}

/** One argument of an Execute: `0='text'` or a bare digit. */
export type ExecuteArguments = ReadonlyMap<number, string | undefined>;

export interface ExecuteHandler {
  execute(args: ExecuteArguments): Awaitable<void | AfterResponse>;
}

/** What the program must provide for one Resource; it follows from the definition. */
export type ResourceHandler<R extends ResourceDefinition> = R["operations"] extends "R"
  ? ReadHandler<R>
  : R["operations"] extends "E"
    ? ExecuteHandler
    : R["operations"] extends "W"
      ? R["type"] extends "opaque"
        ? WriteHandler<R> | StreamHandler
        : WriteHandler<R>
      : ReadHandler<R> & WriteHandler<R>;

type MandatoryNames<D extends ObjectDefinition> = {
  [Name in keyof D["resources"]]: D["resources"][Name] extends { readonly mandatory: true } ? Name : never;
}[keyof D["resources"]];

/** The handlers of one Object Instance: one for each mandatory Resource, and for the optional ones it has. */
export type Handlers<D extends ObjectDefinition> = {
  readonly [Name in MandatoryNames<D>]: ResourceHandler<D["resources"][Name]>;
} & {
  readonly [Name in Exclude<keyof D["resources"], MandatoryNames<D>>]?: ResourceHandler<D["resources"][Name]>;
};

/** The values that a Create brings, by the names of the definition. */
export type InitialValues<D extends ObjectDefinition> = {
  readonly [Name in keyof D["resources"]]?: ValueOf<D["resources"][Name]>;
};

/** A Resource handler as the engine sees it, whatever its definition. */
export interface AnyResourceHandler {
  read?(): Awaitable<ResourceContent | undefined>;
  check?(value: never): Awaitable<void>;
  readonly fixedInstances?: true;
  write?(value: never): Awaitable<void | AfterResponse>;
  remove?(): Awaitable<void>;
  receive?(size: number | undefined): Awaitable<ValueSink>;
  execute?(args: ExecuteArguments): Awaitable<void | AfterResponse>;
}

/** The handlers of one Object Instance by Resource name, as the engine sees them. */
export type AnyHandlers = Readonly<Record<string, AnyResourceHandler | undefined>>;

/** What an implementation may do with its Object while it lives. */
export interface LiveObject<D extends ObjectDefinition = ObjectDefinition> {
  /** Says that values changed by themselves; observers are told. A Write by a Server needs no such call. */
  changed(objectInstanceId: number, ...resources: readonly (keyof D["resources"] & string)[]): void;
  /** Says that an Object Instance came or was replaced by itself: neither by a Create nor there from the start. */
  instanceAdded(objectInstanceId: number, handlers: Handlers<D>): void;
  /** Says that an Object Instance went by itself. Harmless when there is none. */
  instanceRemoved(objectInstanceId: number): void;
}

/** An Object with the handlers of its instances: what `objects/` and plugins give to the engine. */
export interface ObjectImplementation {
  readonly definition: ObjectDefinition;
  /** The Object Instances that exist from the start, by Object Instance ID. */
  readonly instances: ReadonlyMap<number, AnyHandlers>;
  /** A Server creates an Object Instance. Absent: Create answers 4.05. */
  create?(
    objectInstanceId: number,
    values: Readonly<Record<string, ResourceContent | undefined>>,
  ): Awaitable<AnyHandlers>;
  /** A Server deletes an Object Instance. Absent: Delete answers 4.05. */
  delete?(objectInstanceId: number): Awaitable<void>;
  /** Called once, when the Object has become part of a running client. */
  start?(object: LiveObject): Awaitable<void>;
  /**
   * Somebody begins to look on (true), or the last one ended (false): values that change by themselves need to be
   * watched for that time only.
   */
  watched?(isWatched: boolean): void;
  /** The client stops; timers and files end here. */
  close?(): Awaitable<void>;
}

/** Lifetime of an Object: `start` brings the handle that tells of changes, `close` ends what start began. */
export interface ObjectLifetime<D extends ObjectDefinition> {
  start?(object: LiveObject<D>): Awaitable<void>;
  watched?(isWatched: boolean): void;
  close?(): Awaitable<void>;
}

/** An Object with exactly one Object Instance, number 0. */
export function singleInstance<const D extends ObjectDefinition & { readonly instances: "single" }>(
  definition: D,
  handlers: Handlers<D>,
  lifetime: ObjectLifetime<D> = {},
): ObjectImplementation {
  return {
    definition,
    instances: new Map([[0, handlers as AnyHandlers]]), // Handlers<D> is AnyHandlers with the types of D
    ...(lifetime as ObjectLifetime<ObjectDefinition>),
  };
}

/** An Object with any number of Object Instances. */
export function multipleInstances<const D extends ObjectDefinition & { readonly instances: "multiple" }>(
  definition: D,
  implementation: ObjectLifetime<D> & {
    readonly instances?: ReadonlyMap<number, Handlers<D>>;
    create?(objectInstanceId: number, values: InitialValues<D>): Awaitable<Handlers<D>>;
    delete?(objectInstanceId: number): Awaitable<void>;
  },
): ObjectImplementation {
  const { instances = new Map(), ...rest } = implementation;
  return { ...(rest as Omit<ObjectImplementation, "definition" | "instances">), definition, instances };
}
