import type { SystemFiles } from "./files.js";

/** What `os-release` says of the image that runs: `IMAGE_VERSION`, else `VERSION_ID`. @see os-release(5) */
export async function readImageVersion(files: SystemFiles): Promise<string | undefined> {
  const text = (await files.text("etc/os-release")) ?? (await files.text("usr/lib/os-release")) ?? "";
  const field = (name: string) => unquote(new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1]);
  return field("IMAGE_VERSION") ?? field("VERSION_ID");
}

function unquote(value: string | undefined): string | undefined {
  const text = value?.trim().replace(/^(["'])(.*)\1$/, "$2");
  return text === "" ? undefined : text;
}
