/** What is known of a package of which a part is on disk: a small JSON file beside it. */
import { readFile } from "node:fs/promises";
import type { PackageSource } from "../../agent/ports.js";
import { errorCode } from "../system-error.js";
import { exchangeFile } from "./durable.js";

export interface PartRecord {
  readonly source: PackageSource;
  /** Bytes of the file that are durable; what is behind them may be anything. */
  readonly durable: number;
}

/** After a crash the new one is there, or an older one, whole, which is true as well: it names fewer bytes. */
export const writePartRecord = (path: string, { source, durable }: PartRecord): Promise<void> =>
  exchangeFile(path, Buffer.from(JSON.stringify({ ...source, durable })));

/** undefined when there is none, or none that can be believed: the package is fetched anew then. */
export async function readPartRecord(path: string): Promise<PartRecord | undefined> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  });
  try {
    return decode(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function decode(value: unknown): PartRecord | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { uri, size, validator, durable } = value as Readonly<Record<string, unknown>>;
  if (typeof uri !== "string" || typeof validator !== "string" || !isLength(durable)) return undefined;
  if (size !== undefined && !(isLength(size) && durable <= size)) return undefined;
  return { source: { uri, size, validator }, durable };
}

const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
