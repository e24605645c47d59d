/**
 * What the Bootstrap-Server does between our Bootstrap-Request and its Bootstrap-Finish (LwM2M Core 1.2 §6.1.7), on a
 * copy: the accounts, and what is wanted of all other Objects, change together with `commit`.
 */
import { compositeCodec } from "../../codec/composite.js";
import { contentFormats } from "../../codec/content-format.js";
import { payloadCodec } from "../../codec/payload.js";
import type { AfterResponse, ObjectDefinition } from "../../model/definition.js";
import { RequestError } from "../../model/errors.js";
import { formatPath, type InstancePath, type ObjectPath, type RootPath } from "../../model/path.js";
import { allOrNothing } from "../all-or-nothing.js";
import type { ObjectTree } from "../object-tree.js";
import { isSince, type LwM2mVersion, type Reply } from "../operations.js";
import type { AccountTransaction } from "./account-transaction.js";
import { discoverLinks } from "./discover.js";
import type { BootstrapOperation } from "./operations.js";
import { StagedObjects } from "./staged-objects.js";

export interface BootstrapSessionOptions {
  readonly tree: ObjectTree;
  readonly accounts: AccountTransaction;
  readonly version: LwM2mVersion;
}

/** Bootstrap-Read is for Server and Access Control (Core 1.2 §6.1.7.5). */
const readableObjects: readonly number[] = [1, 2];

const deviceObject = 3;

export class BootstrapSession {
  readonly #options: BootstrapSessionOptions;
  readonly #objects: StagedObjects;

  constructor(options: BootstrapSessionOptions) {
    this.#options = options;
    this.#objects = new StagedObjects(options.tree);
  }

  /** @throws RequestError or DecodeError, and nothing has changed */
  perform(operation: Exclude<BootstrapOperation, { kind: "finish" }>): Reply {
    switch (operation.kind) {
      case "write":
        this.#write(operation);
        return { code: "2.04" };
      case "read":
        return this.#read(operation);
      case "discover":
        return this.#discover(operation.path);
      case "delete":
        this.#delete(operation.path);
        return { code: "2.02" };
    }
  }

  /**
   * Puts a Bootstrap-Pack in the place of all instances of the Objects that it names (Core 1.2 §6.1.7.7).
   * @throws RequestError or DecodeError when it makes no sense
   */
  applyPack(contentFormat: number | undefined, payload: Uint8Array): void {
    const decode = compositeCodec(contentFormat ?? contentFormats.senmlCbor)?.decodeContent;
    if (decode === undefined) throw new RequestError("4.15", `a pack cannot be in format ${contentFormat}`);
    for (const [objectId, content] of decode(this.#options.tree.definition, payload).content) {
      this.#definition(objectId);
      const { accounts } = this.#options;
      if (accounts.includes(objectId)) accounts.replace(objectId, content);
      else {
        this.#deleteAll(objectId);
        this.#objects.write(objectId, content);
      }
    }
  }

  #write({ path, contentFormat, payload }: BootstrapOperation & { kind: "write" }): void {
    const [objectId] = path;
    const definition = this.#definition(objectId);
    if (contentFormat === undefined) throw new RequestError("4.00", "a payload says its Content-Format");
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) throw new RequestError("4.15", `format ${contentFormat} is not understood`);
    const content = codec.decode(definition, path, payload);
    if (this.#options.accounts.includes(objectId)) this.#options.accounts.write(objectId, content);
    else this.#objects.write(objectId, content);
  }

  #read({ path, accept }: BootstrapOperation & { kind: "read" }): Reply {
    const [objectId, objectInstanceId] = path;
    if (!isSince(this.#options.version, "1.1")) throw new RequestError("4.05", "1.0 has no Bootstrap-Read");
    const definition = this.#definition(objectId, "4.04");
    if (!readableObjects.includes(objectId)) {
      throw new RequestError("4.05", `${definition.name} is not for a Bootstrap-Read`);
    }
    const content = this.#options.accounts.content(objectId);
    if (objectInstanceId !== undefined && !content.has(objectInstanceId)) {
      throw new RequestError("4.04", `${formatPath(path)} does not exist`);
    }
    const contentFormat = accept ?? contentFormats.senmlCbor;
    const codec = payloadCodec(contentFormat);
    if (codec === undefined) throw new RequestError("4.06", `format ${contentFormat} is not served`);
    const wanted = [...content].filter(([id]) => objectInstanceId === undefined || id === objectInstanceId);
    return { code: "2.05", contentFormat, payload: codec.encode(definition, path, new Map(wanted)) };
  }

  #discover(path: RootPath | ObjectPath): Reply {
    const { tree, version, accounts } = this.#options;
    const [objectId] = path;
    if (objectId !== undefined) this.#definition(objectId, "4.04");
    const objects = (objectId === undefined ? tree.objectIds() : [objectId]).map((id) => ({
      definition: this.#definition(id),
      instances: this.#instanceIds(id).map((instanceId) => ({
        id: instanceId,
        ...(accounts.includes(id) && accounts.describe(id, instanceId)),
      })),
    }));
    const links = discoverLinks(version, objects);
    return {
      code: "2.05",
      contentFormat: contentFormats.linkFormat,
      payload: new TextEncoder().encode(links),
    };
  }

  #instanceIds(objectId: number): readonly number[] {
    const { accounts } = this.#options;
    if (!accounts.includes(objectId)) return this.#objects.instanceIds(objectId);
    return [...accounts.content(objectId).keys()].sort((a, b) => a - b);
  }

  #delete([objectId, objectInstanceId]: (BootstrapOperation & { kind: "delete" })["path"]): void {
    if (objectId === undefined) {
      for (const id of this.#options.tree.objectIds()) this.#deleteAll(id);
      return;
    }
    this.#definition(objectId);
    if (objectInstanceId === undefined) this.#deleteAll(objectId);
    else this.#deleteInstance([objectId, objectInstanceId]);
  }

  /** Whatever cannot be deleted stays without a word: a Bootstrap-Server often begins with `DELETE /`. */
  #deleteAll(objectId: number): void {
    const { accounts } = this.#options;
    if (accounts.includes(objectId)) accounts.delete(objectId);
    else if (objectId !== deviceObject) this.#objects.delete(objectId);
  }

  #deleteInstance([objectId, objectInstanceId]: InstancePath): void {
    const { accounts, tree } = this.#options;
    if (accounts.includes(objectId)) {
      accounts.delete(objectId, objectInstanceId);
      return;
    }
    const path = formatPath([objectId, objectInstanceId]);
    if (!this.#instanceIds(objectId).includes(objectInstanceId)) {
      throw new RequestError("4.00", `${path} does not exist`);
    }
    if (objectId === deviceObject || !tree.canDelete(objectId)) {
      throw new RequestError("4.00", `${path} cannot be deleted`);
    }
    this.#objects.delete(objectId, objectInstanceId);
  }

  /** Why the configuration as it is now could not be worked with; empty when it is consistent. */
  problems(): readonly string[] {
    const { accounts, tree } = this.#options;
    const device = tree.hasInstance(deviceObject, 0) ? [] : ["there is no Device"];
    return [...accounts.problems(), ...device];
  }

  /**
   * Makes everything durable, the accounts last: with them the bootstrap has happened. Deletions follow.
   * @returns what is to happen after the answer to the Bootstrap-Finish
   * @throws RequestError when an Object refuses what was written; what the store throws
   */
  async commit(): Promise<AfterResponse[]> {
    const { accounts, tree } = this.#options;
    return allOrNothing(async (onFailure) => {
      const afters = await this.#objects.apply((undo) => onFailure(async () => void (await undo())));
      await accounts.commit((objectId) => tree.canDelete(objectId), this.#objects.deletions());
      return afters;
    });
  }

  /** Forgets what is not committed. */
  end(): void {
    this.#options.accounts.end();
  }

  #definition(objectId: number, code: "4.00" | "4.04" = "4.00"): ObjectDefinition {
    const definition = this.#options.tree.definition(objectId);
    if (definition === undefined) throw new RequestError(code, `there is no Object ${objectId}`);
    return definition;
  }
}
