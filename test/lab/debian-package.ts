import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";

/** What `npm run package` made. */
export async function debianPackage(): Promise<string> {
  const output = resolve(import.meta.dirname, "../../out");
  const name = (await readdir(output).catch(() => [])).find((file) => file.endsWith(".deb"));
  if (name === undefined) throw new Error("there is no Debian package in out/: npm run package");
  return join(output, name);
}
