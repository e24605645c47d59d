/** A configuration file as YAML 1.2: its values, and where each of them stands. */
import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import type { KeyPath, Problem } from "./problem.js";

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface ConfigDocument {
  readonly file: string;
  /** Plain data; an empty mapping for an empty file. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Of the value at `path`, or of its key; of the nearest section above it when it is not there. */
  position(path: KeyPath, of: "key" | "value"): Position;
}

/** Nobody writes more by hand; and each byte of it is kept while we start. */
export const maximumFileSize = 256 * 1024;

/** Values through anchors grow without end otherwise. */
const maximumAliases = 50;

/** Reads YAML; `problems` when it is none, or no mapping. */
export function parseDocument(
  file: string,
  content: string,
): { readonly document: ConfigDocument } | { readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const documents = parseAllDocuments(content, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
  });
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (!Array.isArray(documents) || documents.length === 0) {
    return { document: { file, values: {}, position: () => ({ line: 1, column: 1 }) } };
  }
  const [document, second] = documents;
  const problem = (offset: number, found: string, expected: string, hint?: string): Problem => ({
    ...{ source: file, ...positionAt(offset), key: "", found, expected },
    ...(hint !== undefined && { hint }),
  });
  if (document === undefined) return { problems: [] };
  if (second !== undefined) {
    const offset = second.range?.[0] ?? 0;
    return {
      problems: [problem(offset, "a second document", 'one document: no line "---" in the middle')],
    };
  }
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return {
      problems: faults
        .slice(0, 20)
        .map(({ pos: [offset], code, message }) =>
          problem(offset, describeFault(code, message), "YAML", hints[code]),
        ),
    };
  }
  const root = document.contents;
  if (root !== null && !isMap(root) && !(isScalar(root) && root.value === null)) {
    const found = isSeq(root) ? "a list" : "text";
    return { problems: [problem(root.range?.[0] ?? 0, found, "keys and values, as in endpointName: name")] };
  }
  let values: Record<string, unknown>;
  try {
    values = (document.toJS({ maxAliasCount: maximumAliases }) ?? {}) as Record<string, unknown>; // a map, as just seen
  } catch (error) {
    return { problems: [problem(0, (error as Error).message, "YAML with few aliases")] };
  }
  return {
    document: {
      file,
      values,
      position: (path, of) => positionAt(offsetOf(root as Node | null, path, of)),
    },
  };
}

const hints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "Indent with spaces",
  DUPLICATE_KEY: "Keep one of them",
  BAD_INDENT: "Keys of one section begin in the same column",
  TAG_RESOLVE_FAILED: "Leave the tag out",
};

function describeFault(code: string, message: string): string {
  switch (code) {
    case "DUPLICATE_KEY":
      return "a key that stands here already";
    case "TAB_AS_INDENT":
      return "a tab at the start of a line";
    default:
      return message.charAt(0).toLowerCase() + message.slice(1).replace(/\s*\n[\s\S]*$/, "");
  }
}

function offsetOf(root: Node | null, path: KeyPath, of: "key" | "value"): number {
  let offset = root?.range?.[0] ?? 0;
  let node: unknown = root;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part);
      if (pair === undefined || !isScalar(pair.key)) return offset;
      node = pair.value;
      const value = (pair.value as Node | null)?.range?.[0];
      offset = (of === "key" ? undefined : value) ?? pair.key.range?.[0] ?? offset;
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}
