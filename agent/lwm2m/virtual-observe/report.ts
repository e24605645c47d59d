/** Reports of Virtual Observe Notify: what they hold, and how they are written. */
import { compositeCodec, type Definitions } from "../../codec/composite.js";
import { RequestError } from "../../model/errors.js";
import { formatPath, isWithin, type Path } from "../../model/path.js";
import { equalContent, type TimedContent, type TreeContent } from "../../model/value.js";
import { type MutableTree, merge } from "../composite-operations.js";
import { timedContents, valueAt } from "../observed-value.js";

/** Resources, or for links to them Resource Instances, as they were at one moment. */
export type Report = ReadonlyMap<string, TimedContent>;

/**
 * What these paths held when they were read, each value once, as a copy.
 * @param time seconds since 1970-01-01T00:00:00Z: a report is read when its values may be others already
 */
export function reportOf(paths: readonly Path[], content: TreeContent, time: number): Report {
  const entries = widest(paths).flatMap((path) =>
    timedContents(path, valueAt(content, path), time).map((one) => ({
      path: path.length === 4 ? path : one.path,
      one,
    })),
  );
  entries.sort((a, b) => inOrder(a.path, b.path));
  return new Map(entries.map(({ path, one }) => [formatPath(path), one]));
}

/** Ascending, level by level. */
function inOrder(a: readonly number[], b: readonly number[]): number {
  const level = a.findIndex((id, index) => id !== b[index]);
  return level < 0 ? a.length - b.length : (a[level] ?? 0) - (b[level] ?? -1);
}

/** Those that are within none of the others. */
const widest = (paths: readonly Path[]): readonly Path[] =>
  paths.filter(
    (path, index) =>
      !paths.some(
        (other, at) => at !== index && isWithin(path, other) && (other.length < path.length || at < index),
      ),
  );

/** What is new, or has another value than in `before`. What has gone has no value to be reported. */
export const changesOf = (before: Report, now: Report): Report =>
  new Map([...now].filter(([name, { content }]) => !equalContent(before.get(name)?.content, content)));

/** @throws RequestError 4.00 when no report can have that format */
export function checkReportFormat(contentFormat: number): void {
  if (compositeCodec(contentFormat)?.encode !== undefined) return;
  throw new RequestError("4.00", `Content-Format ${contentFormat} carries no report`);
}

/** With the times of its values where the format has times. */
export function encodeReport(
  definitions: Definitions,
  contents: readonly TimedContent[],
  contentFormat: number,
): Uint8Array {
  checkReportFormat(contentFormat);
  const codec = compositeCodec(contentFormat);
  const payload =
    codec?.encodeTimed?.(definitions, contents) ?? codec?.encode?.(definitions, treeOf(contents));
  return payload ?? new Uint8Array();
}

function treeOf(contents: readonly TimedContent[]): TreeContent {
  const tree: MutableTree = new Map();
  for (const { path, content } of contents) {
    const [objectId, objectInstanceId, resourceId] = path;
    merge(tree, objectId, new Map([[objectInstanceId, new Map([[resourceId, content]])]]));
  }
  return tree;
}
