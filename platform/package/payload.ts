import { type ImageFile, PackageError } from "../../agent/ports.js";
import { isBundle, readBundle } from "./bundle.js";

/** Where in a file the bytes lie that a board installs. */
export interface Payload {
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
  /** Of these bytes alone, lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * For boards that install one image: the file in a bundle of one, or else the whole file.
 * @throws PackageError when it is a bundle that cannot be used, or one of several files
 */
export async function payloadOf(image: ImageFile): Promise<Payload> {
  const { path, size, sha256 } = image;
  if (!(await isBundle(path))) return { path, offset: 0, size, sha256 };
  const [member, another] = (await readBundle(path)).members;
  if (member === undefined || another !== undefined) {
    throw new PackageError(
      "unsupported-package",
      "the bundle has several files, and this board installs one",
    );
  }
  return { path, offset: member.offset, size: member.size, sha256: member.sha256 };
}
