/** What a Raspberry Pi takes: a bundle with a boot and a root image, as they are or compressed by gzip. */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type ImageFile, PackageError, type PackageInfo } from "../../../agent/ports.js";
import { type Bundle, isBundle, openMember, readBundle } from "../../package/bundle.js";
import { describeError } from "../../system-error.js";

export type ImageKind = "boot" | "root";

export interface SystemPackage {
  readonly info: PackageInfo;
  /** Bytes in the bundle. */
  readonly size: Readonly<Record<ImageKind, number>>;
  /**
   * The image as it belongs on its partition.
   * @throws PackageError `integrity` at its end when the digest of the manifest is another one
   */
  open(kind: ImageKind, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** @throws PackageError when it is no such bundle */
export async function readSystemPackage(
  { path }: ImageFile,
  { signal }: { readonly signal: AbortSignal },
): Promise<SystemPackage> {
  signal.throwIfAborted();
  if (!(await isBundle(path))) {
    throw new PackageError(
      "unsupported-package",
      "the package is not a bundle: make one with `lwm2m-agent firmware sign --bundle`",
    );
  }
  const bundle = await readBundle(path);
  const [boot, root] = [memberOf(bundle, "boot"), memberOf(bundle, "root")];
  const { name, version } = bundle.manifest;
  return {
    info: { name, version },
    size: { boot: boot.size, root: root.size },
    open: (kind, opening) => content(bundle, (kind === "boot" ? boot : root).name, opening),
  };
}

/**
 * Reads both images to their end.
 * @param room bytes that their partitions have
 * @throws PackageError `integrity` when they are damaged, `storage` when they do not fit
 */
export async function checkSystemPackage(
  package_: SystemPackage,
  room: Readonly<Record<ImageKind, number>>,
  signal: AbortSignal,
): Promise<void> {
  for (const kind of ["boot", "root"] as const) {
    let size = 0;
    for await (const piece of package_.open(kind, signal)) {
      signal.throwIfAborted();
      size += piece.length;
      if (size > room[kind]) {
        throw new PackageError(
          "storage",
          `the ${kind} image is larger than its partition of ${room[kind]} bytes`,
        );
      }
    }
  }
}

function memberOf({ members }: Bundle, kind: ImageKind) {
  const [member, another] = members.filter(({ name }) => name === `${kind}.img` || name === `${kind}.img.gz`);
  if (member === undefined || another !== undefined) {
    throw new PackageError(
      "unsupported-package",
      `the bundle does not hold one of ${kind}.img and ${kind}.img.gz`,
    );
  }
  return member;
}

async function* content(
  bundle: Bundle,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const stored = openMember(bundle, name);
  if (!name.endsWith(".gz")) {
    for await (const piece of stored) {
      signal.throwIfAborted();
      yield piece;
    }
    return;
  }
  const unpacked = pipeline(Readable.from(stored), createGunzip({ chunkSize: 256 * 1024 }), () => undefined);
  try {
    for await (const piece of unpacked) {
      signal.throwIfAborted();
      yield piece as Buffer;
    }
  } catch (cause) {
    if (cause instanceof PackageError || signal.aborted) throw cause;
    throw new PackageError("integrity", `${name} cannot be unpacked: ${describeError(cause)}`, { cause });
  }
}
