/** Changes of single Resources: planned first, checked, and then applied all or nothing. */
import type { AfterResponse, AnyResourceHandler } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type ResourcePath } from "../model/path.js";
import {
  equalContent,
  isResourceInstances,
  type ResourceContent,
  type ResourceInstances,
} from "../model/value.js";
import { allOrNothing } from "./all-or-nothing.js";
import type { LiveResource } from "./object-tree.js";

/** Replace: what the content leaves out goes. Partial: it stays. LwM2M Core §6.3.3. */
export type WriteMode = "replace" | "partial";

/** What becomes of one Resource. */
export interface ResourceChange {
  readonly mode: WriteMode;
  /** Absent: there are only Resource Instances to remove. */
  readonly content?: ResourceContent;
  /** The request names this Resource Instance, so it has to be there. */
  readonly resourceInstanceId?: number;
  /** Resource Instances to remove, which have to be there. */
  readonly removals?: readonly number[];
}

/** One Resource of a Write, ready to be applied and, should another one fail, to be taken back. */
export interface PlannedWrite {
  readonly path: ResourcePath;
  /** Has it a value to go back to? What has none is applied after all others. */
  readonly isReversible: boolean;
  check(): void | Promise<void>;
  apply(): Promise<void | AfterResponse>;
  /** Reads the present value and returns what puts it back. */
  restore(): Promise<() => Promise<void>>;
}

/** @throws RequestError 4.04 for a Resource Instance that does not exist, 4.01 for one that must not come or go */
export async function planWrite(
  path: ResourcePath,
  { definition, handler }: LiveResource,
  change: ResourceChange,
): Promise<PlannedWrite> {
  if (handler.write === undefined) {
    return {
      path,
      isReversible: false,
      check: () => undefined,
      apply: () => stream(handler, change.content, definition.name),
      restore: async () => async () => undefined,
    };
  }
  // Handlers of one definition take the type that the codec has just checked against that same definition.
  const value = (await changedContent(path, handler, change)) as never;
  return {
    path,
    isReversible: handler.read !== undefined,
    check: () => handler.check?.(value),
    apply: async () => handler.write?.(value),
    restore: restoring(handler),
  };
}

/** A Write that replaces the Object Instance leaves this Resource out. */
export const planRemoval = (path: ResourcePath, { handler }: LiveResource): PlannedWrite => ({
  path,
  isReversible: handler.read !== undefined,
  check: () => undefined,
  apply: async () => handler.remove?.(),
  restore: restoring(handler),
});

/** Checks all, then applies all or nothing. */
export async function applyAll(writes: readonly PlannedWrite[]): Promise<AfterResponse | undefined> {
  for (const write of writes) await write.check();
  return allOrNothing(async (onFailure) => {
    const afters: AfterResponse[] = [];
    for (const write of reversibleFirst(writes)) {
      if (writes.length > 1) onFailure(await write.restore());
      const after = await write.apply();
      if (after) afters.push(after);
    }
    if (afters.length === 0) return undefined;
    return () => {
      for (const after of afters) after();
    };
  });
}

const reversibleFirst = (writes: readonly PlannedWrite[]): PlannedWrite[] =>
  [...writes].sort((a, b) => Number(b.isReversible) - Number(a.isReversible));

/** A value that came whole, for a Resource that takes it piece by piece. */
async function stream(
  handler: AnyResourceHandler,
  content: ResourceContent | undefined,
  name: string,
): Promise<void> {
  if (!(content instanceof Uint8Array)) throw new RequestError("4.00", `${name} takes bytes`);
  const sink = await handler.receive?.(content.length);
  try {
    await sink?.write(content);
  } catch (error) {
    sink?.abort(error instanceof Error ? error : new Error("the value was refused", { cause: error }));
    throw error;
  }
  await sink?.end();
}

/** What the Resource is to hold: partial writes and those to one Resource Instance keep the other ones. */
async function changedContent(
  path: ResourcePath,
  handler: AnyResourceHandler,
  { mode, content = new Map(), resourceInstanceId, removals = [] }: ResourceChange,
): Promise<ResourceContent> {
  if (!isResourceInstances(content)) return content;
  const isWhole = mode === "replace" && resourceInstanceId === undefined && removals.length === 0;
  if (isWhole && !handler.fixedInstances) return content;
  const present = instancesOf(await handler.read?.());
  const missing = [...(resourceInstanceId === undefined ? [] : [resourceInstanceId]), ...removals].find(
    (id) => !present.has(id),
  );
  if (missing !== undefined)
    throw new RequestError("4.04", `${formatPath([...path, missing])} does not exist`);
  const changed = new Map(isWhole ? content : [...present, ...content]);
  for (const id of removals) changed.delete(id);
  if (handler.fixedInstances && !sameIds(present, changed)) {
    throw new RequestError("4.01", `Resource Instances of ${formatPath(path)} neither come nor go`);
  }
  return changed;
}

const instancesOf = (content: ResourceContent | undefined): ResourceInstances =>
  content !== undefined && isResourceInstances(content) ? content : new Map();

const sameIds = (a: ResourceInstances, b: ResourceInstances): boolean =>
  a.size === b.size && [...a.keys()].every((id) => b.has(id));

const restoring = (handler: AnyResourceHandler) => async () => {
  const before = await handler.read?.();
  return async () => {
    const now = await handler.read?.();
    if (equalContent(before, now)) return;
    if (before === undefined) await handler.remove?.();
    else await handler.write?.(before as never); // the handler's own value goes back to it
  };
};
