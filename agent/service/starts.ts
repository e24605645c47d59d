/** How often the agent was started with this state folder: what keeps restarting shows there. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../platform/files/durable.js";
import type { Log } from "../ports.js";

export const startsName = "starts";

/** Does not fail: it is of interest, not of need. @returns the number of this start */
export async function countStart(stateDirectory: string, log: Log): Promise<number> {
  const path = join(stateDirectory, startsName);
  const text = await readFile(path, "utf8").catch(() => "");
  const count = (/^\d{1,15}\n$/.test(text) ? Number(text) : 0) + 1;
  await replaceFile(path, Buffer.from(`${count}\n`)).catch((error: unknown) =>
    log.warn("start not counted", { error }),
  );
  return count;
}
