import type { AfterResponse, AnyResourceHandler } from "../model/definition.js";
import { RequestError } from "../model/errors.js";
import { formatPath, type Path } from "../model/path.js";
import { equalContent, isResourceInstances, type ResourceContent } from "../model/value.js";
import { allOrNothing } from "./all-or-nothing.js";
import type { LiveResource } from "./object-tree.js";

/** Replace: what the content leaves out goes. Partial: it stays. LwM2M Core §6.3.3. */
export type WriteMode = "replace" | "partial";

/** One Resource of a Write, ready to be applied and, should a later one fail, to be taken back. */
export interface PlannedWrite {
  readonly id: number;
  check(): void | Promise<void>;
  apply(): Promise<void | AfterResponse>;
  /** Reads the present value and returns what puts it back. */
  restore(): Promise<() => Promise<void>>;
}

export async function planWrite(
  path: Path,
  { definition, handler }: LiveResource,
  content: ResourceContent,
  mode: WriteMode,
): Promise<PlannedWrite> {
  const { id } = definition;
  if (handler.write === undefined) {
    return {
      id,
      check: () => undefined,
      apply: () => stream(handler, content, definition.name),
      restore: async () => async () => undefined, // a stream has no value to go back to
    };
  }
  // Handlers of one definition take the type that the codec has just checked against that same definition.
  const value = (await mergeInstances(path, handler, content, mode)) as never;
  return {
    id,
    check: () => handler.check?.(value),
    apply: async () => handler.write?.(value),
    restore: restoring(handler),
  };
}

/** A Write that replaces the Object Instance leaves this Resource out. */
export const planRemoval = ({ definition, handler }: LiveResource): PlannedWrite => ({
  id: definition.id,
  check: () => undefined,
  apply: async () => handler.remove?.(),
  restore: restoring(handler),
});

/** Applies all or nothing, in their order. */
export const applyAll = (writes: readonly PlannedWrite[]): Promise<AfterResponse | undefined> =>
  allOrNothing(async (onFailure) => {
    const afters: AfterResponse[] = [];
    for (const write of writes) {
      if (writes.length > 1) onFailure(await write.restore());
      const after = await write.apply();
      if (after) afters.push(after);
    }
    if (afters.length === 0) return undefined;
    return () => {
      for (const after of afters) after();
    };
  });

/** A value that came whole, for a Resource that takes it piece by piece. */
async function stream(handler: AnyResourceHandler, content: ResourceContent, name: string): Promise<void> {
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

/** Partial writes and writes to one Resource Instance keep the other Resource Instances. */
async function mergeInstances(
  path: Path,
  handler: AnyResourceHandler,
  content: ResourceContent,
  mode: WriteMode,
): Promise<ResourceContent> {
  const resourceInstanceId = path[3];
  if (!isResourceInstances(content) || (mode === "replace" && resourceInstanceId === undefined))
    return content;
  const present = await handler.read?.();
  const instances = new Map(present !== undefined && isResourceInstances(present) ? present : []);
  if (resourceInstanceId !== undefined && !instances.has(resourceInstanceId)) {
    throw new RequestError("4.04", `${formatPath(path)} does not exist`);
  }
  for (const [id, value] of content) instances.set(id, value);
  return instances;
}

const restoring = (handler: AnyResourceHandler) => async () => {
  const before = await handler.read?.();
  return async () => {
    const now = await handler.read?.();
    if (equalContent(before, now)) return;
    if (before === undefined) await handler.remove?.();
    else await handler.write?.(before as never); // the handler's own value goes back to it
  };
};
