/**
 * State on disk: one small file per record. What the records mean is known to those who write them; packages, which are
 * large and streamed, are in packages.ts.
 */
import * as node from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../../agent/ports.js";
import { describeError, errorCode } from "../system-error.js";
import { draftOf, type FileOperations, prepareDirectory, replaceFile, syncDirectory } from "./durable.js";

/** No separator, no hidden file, and short enough for every file system. */
const recordName = /^[A-Za-z0-9-][A-Za-z0-9.-]{0,199}$/;

/**
 * Keeps records as files of a directory, which is created, and cleared of what a crash left half-written, by the first
 * operation; that one rejects with a ConfigError when the directory cannot be written to.
 */
export function createFileStore(directory: string, files: FileOperations = node): Store {
  let opening: Promise<void> | undefined;
  /** Ends of the changes under way, by record: changes of one record take effect in the order of the calls. */
  const changes = new Map<string, Promise<void>>();

  const opened = () => {
    opening ??= open(directory).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };

  function change(name: string, doing: string, act: (path: string) => Promise<void>): Promise<void> {
    const path = pathOf(directory, name);
    const before = changes.get(name) ?? opened();
    const result = before.then(() => act(path).catch(fail(`cannot ${doing} the record ${path}`)));
    const end = result.catch(() => {});
    changes.set(name, end);
    void end.then(() => {
      if (changes.get(name) === end) changes.delete(name);
    });
    return result;
  }

  return {
    async read(name) {
      const path = pathOf(directory, name);
      await opened();
      return node.readFile(path).catch((error: unknown) => {
        if (errorCode(error) === "ENOENT") return undefined;
        return fail(`cannot read the record ${path}`)(error);
      });
    },
    write: async (name, record) => {
      // A copy: the caller may go on with its bytes while earlier changes are still being written.
      const content = Uint8Array.from(record);
      await change(name, "write", (path) => replaceFile(path, content, files));
    },
    remove: async (name) => {
      await change(name, "remove", async (path) => {
        await node.rm(path, { force: true });
        await syncDirectory(directory, files);
      });
    },
  };
}

async function open(directory: string): Promise<void> {
  await prepareDirectory(directory);
  const entries = await node.readdir(directory);
  const drafts = entries.filter((entry) => {
    const record = entry.slice(0, -1);
    return recordName.test(record) && entry === draftOf(record);
  });
  await Promise.all(drafts.map((draft) => node.rm(join(directory, draft), { force: true })));
}

function pathOf(directory: string, name: string): string {
  if (!recordName.test(name)) throw new RangeError(`"${name}" is not a record name`);
  return join(directory, name);
}

const fail =
  (doing: string) =>
  (cause: unknown): never => {
    throw new Error(`${doing}: ${describeError(cause)}`, { cause });
  };
