import type { AfterResponse, ExecuteArguments, ObjectDefinition } from "./definition.js";
import type { ResourceContent } from "./value.js";

type Awaitable<T> = T | Promise<T>;

/** Values by Resource ID. */
export type ResourceValues = Readonly<Record<number, ResourceContent>>;

/**
 * An Object whose values the agent keeps, as the program that feeds it sees it. Resources go by their numbers; a Resource
 * that the definition does not have, and a value of the wrong type or out of range, is a TypeError that says so.
 */
export interface ObjectHandle {
  readonly definition: ObjectDefinition;
  /** In ascending order. */
  instanceIds(): readonly number[];
  get(objectInstanceId: number, resourceId: number): ResourceContent | undefined;
  /** Observers are told when it is another value than before. undefined takes the value away. */
  set(objectInstanceId: number, resourceId: number, value: ResourceContent | undefined): void;
  /**
   * An instance that is there without a Server having created it. What Servers wrote to it in an earlier run comes back and
   * goes before `values`.
   */
  createInstance(objectInstanceId: number, values?: ResourceValues): void;
  /** Harmless when there is none. */
  deleteInstance(objectInstanceId: number): void;
  /** A Server writes. A throw refuses the value: with the code of a RequestError, or 5.00. */
  onWrite(
    resourceId: number,
    listener: (objectInstanceId: number, value: ResourceContent) => Awaitable<void>,
  ): void;
  /** A Server executes; what is returned is called when it has its answer. Without it, Execute answers 4.05. */
  onExecute(
    resourceId: number,
    listener: (objectInstanceId: number, args: ExecuteArguments) => Awaitable<void | AfterResponse>,
  ): void;
  /** Lets Servers create instances. A throw refuses it. */
  onCreate(listener: (objectInstanceId: number, values: ResourceValues) => Awaitable<void>): void;
  /** Lets Servers delete instances. A throw refuses it. */
  onDelete(listener: (objectInstanceId: number) => Awaitable<void>): void;
}
