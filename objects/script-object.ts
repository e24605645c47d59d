/** An Object whose every value comes from somebody who is asked for it, resource by resource: a program of the operator. */
import {
  type AnyHandlers,
  type AnyResourceHandler,
  type ExecuteArguments,
  type LiveObject,
  type NamedResource,
  type ObjectDefinition,
  type ObjectImplementation,
  resourcesInOrder,
} from "../agent/model/definition.js";
import type { ResourceContent } from "../agent/model/value.js";
import { type Clock, type Log, type Millis, seconds } from "../agent/ports.js";
import { WatchedValues } from "./watched-values.js";

/** Answers for the Resources of one Object. What it refuses, it refuses by a RequestError. */
export interface Answering {
  /** undefined: the Resource is not there. */
  read(objectInstanceId: number, resource: NamedResource): Promise<ResourceContent | undefined>;
  write(objectInstanceId: number, resource: NamedResource, value: ResourceContent): Promise<void>;
  execute(objectInstanceId: number, resource: NamedResource, args: ExecuteArguments): Promise<void>;
}

export interface ScriptObjectOptions {
  readonly definition: ObjectDefinition;
  readonly instances: readonly number[];
  /** Those that are there, by number; all of the definition when not given. */
  readonly resources?: readonly number[];
  readonly answering: Answering;
  /** How often values are asked for while somebody observes them. */
  readonly pollInterval: Millis;
  readonly clock: Clock;
  readonly log: Log;
}

/** A notification needs the value that gave rise to it: it is not asked for twice. */
const freshness = seconds(1);

export function createScriptObject(options: ScriptObjectOptions): ObjectImplementation {
  const { definition, resources: wanted, clock, log, pollInterval } = options;
  const resources = resourcesInOrder(definition).filter(
    ({ id, operations }) => operations !== "BS" && (wanted === undefined || wanted.includes(id)),
  );
  const names = resources.filter(({ operations }) => operations.includes("R")).map(({ name }) => name);
  let live: LiveObject | undefined;
  const instances = new Map(options.instances.map((id) => [id, instanceOf(id, resources, options)]));
  const watches = [...instances].map(
    ([id, handlers]) =>
      new WatchedValues({
        ...{ clock, log, handlers, names, period: pollInterval },
        changed: (...changed) => live?.changed(id, ...changed),
      }),
  );
  return {
    definition,
    instances,
    start(object) {
      live = object;
    },
    watched(isWatched) {
      for (const watch of watches) watch.watched(isWatched);
    },
    close() {
      for (const watch of watches) watch.close();
      live = undefined;
    },
  };
}

function instanceOf(
  id: number,
  resources: readonly NamedResource[],
  { answering, clock }: ScriptObjectOptions,
): AnyHandlers {
  /** Of this instance; what is written or executed may change any of them. */
  const recent = new Map<
    string,
    { readonly at: Millis; readonly content: Promise<ResourceContent | undefined> }
  >();
  const read = (resource: NamedResource) => {
    const known = recent.get(resource.name);
    if (known !== undefined && clock.now() - known.at < freshness) return known.content;
    const content = answering.read(id, resource);
    recent.set(resource.name, { at: clock.now(), content });
    content.then(
      () => recent.set(resource.name, { at: clock.now(), content }),
      () => recent.delete(resource.name),
    );
    return content;
  };
  const afterwards = async (act: Promise<void>) => {
    await act.finally(() => recent.clear());
  };
  const handlerOf = (resource: NamedResource): AnyResourceHandler =>
    resource.operations === "E"
      ? { execute: (args) => afterwards(answering.execute(id, resource, args)) }
      : {
          ...(resource.operations.includes("R") && { read: () => read(resource) }),
          ...(resource.operations.includes("W") && {
            write: (value: ResourceContent) => afterwards(answering.write(id, resource, value)),
          }),
        };
  return Object.fromEntries(resources.map((resource) => [resource.name, handlerOf(resource)]));
}
