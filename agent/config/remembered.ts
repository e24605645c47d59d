/**
 * The configuration as it was checked at an earlier start. Schema and YAML take longer to load than all the rest of the agent, and
 * nearly every start finds the same words: of the file, of flags and environment, for the same build of the program. Then what
 * came of them is still true; as soon as one byte differs, all is read and checked anew.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { complete } from "./complete.js";
import { defaultDirectories, type Surroundings } from "./defaults.js";
import { environmentPrefix } from "./override.js";
import type { StatedConfig } from "./schema.js";
import type { ServiceConfig } from "./service-config.js";
import { type ConfigSources, chooseFile } from "./sources.js";

/** Larger files are read anew each time. */
const maximumFileSize = 64 * 1024;
const maximumMemorySize = 4 * maximumFileSize;

/** What the configuration follows from. Compared as it is: a digest would be no shorter to make, and could not be exact. */
type Origin = string;

interface Memory {
  readonly origin: Origin;
  readonly stated: StatedConfig;
}

/**
 * @param build tells this build of the program from all others; undefined when it cannot be told, and nothing is remembered
 * @throws ConfigProblems with all that is wrong
 */
export async function loadRememberedConfig(
  sources: ConfigSources,
  build: string | undefined,
): Promise<ServiceConfig> {
  const { surroundings } = sources;
  const { file } = chooseFile(sources);
  const content = await readBounded(file, maximumFileSize).catch(() => undefined); // the long way says what is wrong
  const origin = build !== undefined && content !== undefined ? originOf(build, content, sources) : undefined;
  const path = join(defaultDirectories(surroundings).cache, "configuration.json");
  if (origin !== undefined) {
    const memory = await recall(path, surroundings);
    if (memory?.origin === origin) return complete(memory.stated, { file, surroundings });
  }
  // Not before it is needed: it brings the schema and YAML.
  const { loadConfig } = await import("./load.js");
  const config = await loadConfig(sources);
  // Nobody waits for it. When it cannot be kept, the next start takes longer, and no longer than this one did.
  if (origin !== undefined) void keep(path, { origin, stated: config.stated }).catch(() => undefined);
  return config;
}

const originOf = (build: string, content: string, { file, flags, surroundings }: ConfigSources): Origin =>
  JSON.stringify([
    build,
    file ?? null,
    content,
    flags,
    Object.entries(surroundings.env)
      .filter(([name]) => name.startsWith(environmentPrefix))
      .sort(),
  ]);

/** Only what this user wrote, where nobody else can write. */
async function recall(path: string, { uid }: Surroundings): Promise<Memory | undefined> {
  try {
    const text = await readBounded(
      path,
      maximumMemorySize,
      ({ uid: owner, mode }) => owner === uid && (mode & 0o077) === 0,
    );
    const value = JSON.parse(text) as Partial<Memory> | null;
    return typeof value?.origin === "string" && typeof value.stated === "object"
      ? (value as Memory)
      : undefined;
  } catch {
    return undefined; // not there, not ours, or half-written
  }
}

async function keep(path: string, memory: Memory): Promise<void> {
  const text = JSON.stringify(memory);
  // What JSON cannot carry must not come back as something else.
  if (!isDeepStrictEqual((JSON.parse(text) as Memory).stated, memory.stated)) return;
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
  await rename(draft, path).catch(async (error: unknown) => {
    await rm(draft, { force: true });
    throw error;
  });
}

async function readBounded(
  path: string,
  maximumSize: number,
  accept: (stats: { readonly uid: number; readonly mode: number }) => boolean = () => true,
): Promise<string> {
  const handle: FileHandle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > maximumSize || !accept(stats)) throw new Error(`${path} is not used`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await handle.readFile());
  } finally {
    await handle.close();
  }
}
