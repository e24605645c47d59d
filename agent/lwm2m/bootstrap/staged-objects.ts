/**
 * What a bootstrap wants of Objects other than those of the accounts. It is collected until the Bootstrap-Finish, so that
 * a bootstrap that fails leaves them alone; then it is applied, and can be taken back until the accounts are durable.
 */

import { instanceSize } from "../../model/content-size.js";
import { type AfterResponse, resourceById } from "../../model/definition.js";
import { RequestError } from "../../model/errors.js";
import { formatPath, type InstancePath, MAX_ID } from "../../model/path.js";
import type { InstanceContent, ObjectContent, ResourceContent } from "../../model/value.js";
import type { ObjectTree } from "../object-tree.js";

/**
 * - `create`: it is not there yet · `merge`: it is there, and Resources are overwritten
 * - `replace`: it is there, was deleted and written anew · `delete`: it is there, and goes
 */
type Staged =
  | { readonly kind: "create" | "merge" | "replace"; readonly content: InstanceContent }
  | { readonly kind: "delete" };

type StagedInstances = ReadonlyMap<number, Staged>;

/** Of each Object: no way for the Bootstrap-Server to fill our memory. */
const maximumInstances = 256;

/** Of all values together. */
const maximumBytes = 256 * 1024;

type Undo = () => Promise<unknown>;

export class StagedObjects {
  readonly #tree: ObjectTree;
  readonly #staged = new Map<number, StagedInstances>();

  constructor(tree: ObjectTree) {
    this.#tree = tree;
  }

  /** In ascending order: those that will be there. */
  instanceIds(objectId: number): number[] {
    const ids = new Set(this.#tree.instanceIds(objectId));
    for (const [id, { kind }] of this.#staged.get(objectId) ?? []) {
      if (kind === "delete") ids.delete(id);
      else ids.add(id);
    }
    return [...ids].sort((a, b) => a - b);
  }

  /**
   * Values that only the client itself sets are left out: servers send them along with the others.
   * @throws RequestError 4.00 for an instance that cannot be there
   */
  write(objectId: number, content: ObjectContent): void {
    const changed = new Map(this.#staged.get(objectId));
    for (const [wanted, resources] of content) {
      const id = wanted === MAX_ID ? this.#freeId(objectId, changed) : wanted;
      this.#checkPossible(objectId, id);
      changed.set(id, this.#written([objectId, id], changed.get(id), this.#writable(objectId, resources)));
    }
    this.#checkRoom(objectId, changed);
    this.#staged.set(objectId, changed);
  }

  /** Deletes what can be deleted; the others stay as they are. */
  delete(objectId: number, objectInstanceId?: number): void {
    const ids = objectInstanceId === undefined ? this.instanceIds(objectId) : [objectInstanceId];
    const changed = new Map(this.#staged.get(objectId));
    for (const id of ids) {
      if (!this.#tree.hasInstance(objectId, id)) changed.delete(id);
      else if (this.#tree.canDelete(objectId)) changed.set(id, { kind: "delete" });
    }
    this.#staged.set(objectId, changed);
  }

  #written(
    [objectId, objectInstanceId]: InstancePath,
    before: Staged | undefined,
    content: InstanceContent,
  ): Staged {
    if (before?.kind === "delete") return { kind: "replace", content };
    if (before !== undefined) return { kind: before.kind, content: new Map([...before.content, ...content]) };
    return { kind: this.#tree.hasInstance(objectId, objectInstanceId) ? "merge" : "create", content };
  }

  #checkRoom(objectId: number, changed: StagedInstances): void {
    const all = [...new Map(this.#staged).set(objectId, changed).values()];
    const size = all
      .flatMap((instances) => [...instances.values()])
      .reduce((sum, staged) => sum + (staged.kind === "delete" ? 0 : instanceSize(staged.content)), 0);
    if (changed.size > maximumInstances || size > maximumBytes) {
      throw new RequestError("5.00", `there is no room for this in Object ${objectId}`);
    }
  }

  #checkPossible(objectId: number, objectInstanceId: number): void {
    if (this.#tree.hasInstance(objectId, objectInstanceId) || this.#tree.canCreate(objectId)) return;
    throw new RequestError("4.00", `${formatPath([objectId, objectInstanceId])} cannot be created`);
  }

  #freeId(objectId: number, staged: StagedInstances): number {
    const isTaken = (id: number) =>
      staged.has(id) ? staged.get(id)?.kind !== "delete" : this.#tree.hasInstance(objectId, id);
    let id = 0;
    while (isTaken(id)) id++;
    return id;
  }

  #writable(objectId: number, resources: InstanceContent): InstanceContent {
    const definition = this.#tree.definition(objectId);
    return new Map(
      [...resources].filter(
        ([id]) => definition && resourceById(definition, id)?.operations.includes("W") === true,
      ),
    );
  }

  /**
   * Applies what creates and overwrites, in the order of the Objects.
   * @param onFailure gets what takes each step back
   * @returns what is to happen after the response
   * @throws RequestError when an Object refuses a value
   */
  async apply(onFailure: (undo: Undo) => void): Promise<AfterResponse[]> {
    const afters: AfterResponse[] = [];
    for (const [objectId, instances] of [...this.#staged].sort(([a], [b]) => a - b)) {
      for (const [id, staged] of instances) {
        if (staged.kind === "delete") continue;
        const after = await this.#apply([objectId, id], staged, onFailure);
        if (after !== undefined) afters.push(after);
      }
    }
    return afters;
  }

  async #apply(
    path: InstancePath,
    { kind, content }: Exclude<Staged, { kind: "delete" }>,
    onFailure: (undo: Undo) => void,
  ): Promise<AfterResponse | undefined> {
    const [objectId, objectInstanceId] = path;
    // One that an earlier attempt could not take back is there already.
    const isThere = this.#tree.hasInstance(objectId, objectInstanceId);
    if (kind === "create" && !isThere) {
      await this.#tree.create([objectId], new Map([[objectInstanceId, content]]));
      onFailure(() => this.#tree.delete(objectId, objectInstanceId));
      return undefined;
    }
    if (content.size === 0 && kind === "merge") return undefined;
    const before = await this.#writableNow(path);
    onFailure(() => this.#tree.write(path, before, "replace"));
    return this.#tree.write(path, content, kind === "merge" ? "partial" : "replace");
  }

  async #writableNow([objectId, objectInstanceId]: InstancePath): Promise<InstanceContent> {
    const content = await this.#tree.read([objectId, objectInstanceId]);
    return this.#writable(objectId, content.get(objectInstanceId) ?? new Map<number, ResourceContent>());
  }

  /** Those that are to be deleted once everything else is done: what is deleted cannot be brought back. */
  deletions(): InstancePath[] {
    return [...this.#staged].flatMap(([objectId, instances]) =>
      [...instances].flatMap(([id, { kind }]) => (kind === "delete" ? [[objectId, id] as const] : [])),
    );
  }
}
