/** Content of several Objects: what `object-content.ts` is for one. */
import { resourceById } from "../model/definition.js";
import { DecodeError, RequestError } from "../model/errors.js";
import { formatPath, type ResourceInstancePath, type ResourcePath } from "../model/path.js";
import type { ResourceValue, TreeContent } from "../model/value.js";
import type { CompositeWrite, Definitions } from "./composite.js";
import { ascending, ContentBuilder } from "./object-content.js";
import { type PathValue, pathValues } from "./path-value.js";
import { holdsValue, type ValueResource } from "./value-types.js";

/** The values of all Objects in ascending order. */
export function* treeValues(definitions: Definitions, content: TreeContent): Generator<PathValue> {
  for (const [objectId, instances] of ascending(content)) {
    const definition = definitions(objectId);
    if (definition === undefined) throw new TypeError(`Object ${objectId} has no definition`);
    yield* pathValues(definition, instances);
  }
}

type ValuePath = ResourcePath | ResourceInstancePath;

/** Collects what a payload for several Objects carries, by the rules of each of them. */
export class TreeBuilder {
  readonly #definitions: Definitions;
  readonly #builders = new Map<number, ContentBuilder>();
  readonly #removals = new Map<string, ResourceInstancePath>();
  readonly #unknown = new Map<string, ResourcePath>();

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  /** @param decode reads the value by its definition; not called for a Resource that nobody knows */
  addValue(path: ValuePath, decode: (resource: ValueResource) => ResourceValue): void {
    if (this.#resource(path) !== undefined) this.#builder(path[0]).addValue(path, decode);
  }

  addRemoval(path: ValuePath): void {
    const resource = this.#resource(path);
    if (resource === undefined) return;
    if (path.length !== 4 || !resource.multiple) {
      throw new DecodeError(`${formatPath(path)} is no Resource Instance, and only these are removed`);
    }
    this.#removals.set(formatPath(path), path);
  }

  finish(): CompositeWrite {
    return {
      content: new Map([...this.#builders].map(([objectId, builder]) => [objectId, builder.finish()])),
      removals: [...this.#removals.values()],
      unknown: [...this.#unknown.values()],
    };
  }

  #builder(objectId: number): ContentBuilder {
    const present = this.#builders.get(objectId);
    if (present !== undefined) return present;
    const builder = new ContentBuilder(this.#definition(objectId), [objectId]);
    this.#builders.set(objectId, builder);
    return builder;
  }

  /** undefined when the Object does not define it, which is remembered. */
  #resource([objectId, objectInstanceId, resourceId]: ValuePath): ValueResource | undefined {
    const path: ResourcePath = [objectId, objectInstanceId, resourceId];
    const resource = resourceById(this.#definition(objectId), resourceId);
    if (resource === undefined) this.#unknown.set(formatPath(path), path);
    else if (holdsValue(resource)) return resource;
    else throw new RequestError("4.05", `${formatPath(path)} takes no value`);
    return undefined;
  }

  #definition(objectId: number) {
    const definition = this.#definitions(objectId);
    if (definition === undefined) throw new RequestError("4.04", `Object ${objectId} does not exist`);
    return definition;
  }
}
