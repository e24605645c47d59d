import type { BoardDescription } from "../../agent/ports.js";
import type { SystemFiles } from "./files.js";

export type ImageVersion = Pick<BoardDescription, "firmwareVersion" | "versionIsOfDistribution">;

/** What `os-release` says of the image that runs. @see os-release(5) */
export async function readImageVersion(files: SystemFiles): Promise<ImageVersion> {
  return parseImageVersion(
    (await files.text("etc/os-release")) ?? (await files.text("usr/lib/os-release")) ?? "",
  );
}

/** `IMAGE_VERSION`, else `VERSION_ID`, which an image that is made from a distribution often has from that. */
export function parseImageVersion(text: string): ImageVersion {
  const field = (name: string) => unquote(new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1]);
  const ofImage = field("IMAGE_VERSION");
  if (ofImage !== undefined) return { firmwareVersion: ofImage };
  const firmwareVersion = field("VERSION_ID") ?? "";
  const isOfDistribution = firmwareVersion !== "" && distributions.includes(field("ID") ?? "");
  return { firmwareVersion, ...(isOfDistribution && { versionIsOfDistribution: true }) };
}

/** Those whose VERSION_ID is the same on every device that has them. */
const distributions = ["alpine", "arch", "debian", "fedora", "nodistro", "poky", "raspbian", "ubuntu"];

function unquote(value: string | undefined): string | undefined {
  const text = value?.trim().replace(/^(["'])(.*)\1$/, "$2");
  return text === "" ? undefined : text;
}
