/** What programs of the operator's are told about an update, as environment variables. Documented in docs/firmware.md. */
import type { ImageFile, PackageInfo } from "../../agent/ports.js";

export type Variables = Readonly<Record<string, string>>;

/** Empty when nothing is known, so that a script with `set -u` goes on. */
export const imageVariables = (image: ImageFile | undefined): Variables => ({
  LWM2M_IMAGE: image?.path ?? "",
  LWM2M_IMAGE_SIZE: image === undefined ? "" : `${image.size}`,
  LWM2M_IMAGE_SHA256: image?.sha256 ?? "",
});

export const packageVariables = (info: PackageInfo | undefined): Variables => ({
  LWM2M_PACKAGE_NAME: oneLine(info?.name ?? ""),
  LWM2M_PACKAGE_VERSION: oneLine(info?.version ?? ""),
});

/** A stranger's text: without what ends a line, moves a cursor or cannot be in an environment at all. */
export const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, " ").trim();
