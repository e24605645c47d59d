/**
 * What a bootstrap wants of Objects other than those of the accounts. It is collected until the Bootstrap-Finish, so that
 * a bootstrap that fails leaves them alone; then it is applied, and can be taken back until the accounts are durable.
 */
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

/** Of each Object: no way for the Bootstrap-Server to fill our memory. */
const maximumInstances = 256;

type Undo = () => Promise<unknown>;

export class StagedObjects {
  readonly #tree: ObjectTree;
  readonly #staged = new Map<number, Map<number, Staged>>();

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
    if ((this.#staged.get(objectId)?.size ?? 0) + content.size > maximumInstances) {
      throw new RequestError("5.00", `there is no room for more instances of Object ${objectId}`);
    }
    for (const id of content.keys())
      this.#checkPossible(objectId, id === MAX_ID ? this.#freeId(objectId) : id);
    for (const [wanted, resources] of content) {
      const id = wanted === MAX_ID ? this.#freeId(objectId) : wanted;
      this.#set(objectId, id, this.#written([objectId, id], this.#writable(objectId, resources)));
    }
  }

  /** Deletes what can be deleted; the others stay as they are. */
  delete(objectId: number, objectInstanceId?: number): void {
    const ids = objectInstanceId === undefined ? this.instanceIds(objectId) : [objectInstanceId];
    for (const id of ids) {
      if (!this.#tree.hasInstance(objectId, id)) this.#staged.get(objectId)?.delete(id);
      else if (this.#tree.canDelete(objectId)) this.#set(objectId, id, { kind: "delete" });
    }
  }

  #set(objectId: number, objectInstanceId: number, staged: Staged): void {
    const instances = this.#staged.get(objectId) ?? new Map<number, Staged>();
    this.#staged.set(objectId, instances.set(objectInstanceId, staged));
  }

  #written([objectId, objectInstanceId]: InstancePath, content: InstanceContent): Staged {
    const before = this.#staged.get(objectId)?.get(objectInstanceId);
    if (before?.kind === "delete") return { kind: "replace", content };
    if (before !== undefined) return { kind: before.kind, content: new Map([...before.content, ...content]) };
    return { kind: this.#tree.hasInstance(objectId, objectInstanceId) ? "merge" : "create", content };
  }

  #checkPossible(objectId: number, objectInstanceId: number): void {
    if (this.#tree.hasInstance(objectId, objectInstanceId) || this.#tree.canCreate(objectId)) return;
    throw new RequestError("4.00", `${formatPath([objectId, objectInstanceId])} cannot be created`);
  }

  #freeId(objectId: number): number {
    const taken = new Set(this.instanceIds(objectId));
    let id = 0;
    while (taken.has(id)) id++;
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
