/**
 * What an Edison takes: the zip archive that flashing uses, by itself or as the one zip file of a signed bundle. Who made it
 * is asked elsewhere; here it is whether the boot loader will be able to install it.
 */
import { createHash } from "node:crypto";
import { type ImageFile, PackageError, type PackageInfo } from "../../../agent/ports.js";
import { isBundle, readBundle } from "../../package/bundle.js";
import { maximumScriptSize, type OtaScript, parseOtaScript, scriptName } from "./ota-script.js";
import { type FilePart, listZip, openZipMember, type ZipMember } from "./zip.js";

export interface OtaPackage {
  readonly info: PackageInfo;
  readonly archive: FilePart;
  readonly members: readonly ZipMember[];
  readonly script: OtaScript;
  /** Bytes that the members take on a FAT file system. */
  readonly space: number;
}

export interface ReadPackageOptions {
  readonly signal: AbortSignal;
  /** The member of the archive whose first line is the version. */
  readonly versionFile: string | undefined;
}

/** U-Boot loads each image whole at 0x6400000 of 1 GB of memory. */
const maximumImageSize = 850_000_000;
/** FAT allocates clusters, of 32 KiB at most, and needs some for folders. */
const clusterSize = 32 * 1024;
const slack = 1024 * 1024;
const maximumVersionSize = 4096;

/** @throws PackageError saying why the boot loader could not install it */
export async function readOtaPackage(
  { path, size }: ImageFile,
  { signal, versionFile }: ReadPackageOptions,
): Promise<OtaPackage> {
  signal.throwIfAborted();
  const { archive, info } = (await isBundle(path))
    ? await findInBundle(path)
    : { archive: { path, offset: 0, size }, info: undefined };
  const members = await listZip(archive);
  for (const member of members) {
    if (member.size <= maximumImageSize) continue;
    throw unsupported(`${member.name} has ${member.size} bytes: the boot loader cannot hold it in memory`);
  }
  const script = parseOtaScript(
    await readMember(archive, memberOf(members, scriptName), maximumScriptSize, signal),
  );
  for (const { name, matches } of script.images) {
    if (!members.some((member) => matches.test(member.name))) {
      throw unsupported(`${scriptName} wants ${name}, which is not in the archive`);
    }
  }
  return {
    info: info ?? {
      name: "edison-image",
      version: versionFile === undefined ? "" : await readVersion(archive, members, versionFile, signal),
    },
    archive,
    members,
    script,
    space: members.reduce((sum, member) => sum + roundUp(member.size), slack),
  };
}

/**
 * Reads all of it: nothing that is damaged, or that the script would refuse by its digests, gets as far as an update.
 * @throws PackageError `integrity`
 */
export async function checkOtaPackage(
  { archive, members, script }: OtaPackage,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  for (const member of members) {
    const sha1 = createHash("sha1");
    for await (const piece of openZipMember(archive, member, { signal })) sha1.update(piece);
    checkDigest(script, member.name, sha1.digest("hex"));
  }
}

/**
 * SHA-1 is all that the boot loader has. It guards against accidents, not against people.
 * @throws PackageError `integrity` when the script would refuse the file
 */
export function checkDigest({ images, digests }: OtaScript, name: string, sha1: string): void {
  if (digests.size === 0 || digests.has(sha1) || !images.some(({ matches }) => matches.test(name))) return;
  throw new PackageError("integrity", `${scriptName} knows another SHA-1 of ${name}`);
}

/** What runs is `edison-2.1@stamp`: the version ends at the `@`. */
export const versionOf = (text: string): string => (text.split("\n")[0]?.split("@")[0] ?? "").trim();

async function findInBundle(path: string): Promise<{ archive: FilePart; info: PackageInfo }> {
  const { manifest, members } = await readBundle(path);
  const [archive, another] = members.filter(({ name }) => name.endsWith(".zip"));
  if (archive === undefined || another !== undefined) {
    throw unsupported("the bundle does not hold exactly one zip file");
  }
  const { name, version } = manifest;
  return { archive: { path, offset: archive.offset, size: archive.size }, info: { name, version } };
}

function memberOf(members: readonly ZipMember[], name: string): ZipMember {
  const member = members.find((candidate) => candidate.name === name);
  if (member === undefined) throw unsupported(`${name} is not at the root of the archive`);
  return member;
}

async function readVersion(
  archive: FilePart,
  members: readonly ZipMember[],
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const text = await readMember(archive, memberOf(members, name), maximumVersionSize, signal);
  const version = versionOf(text.toString("latin1"));
  if (!/^[\x21-\x7e]{1,128}$/.test(version)) throw unsupported(`the first line of ${name} is not a version`);
  return version;
}

async function readMember(
  archive: FilePart,
  member: ZipMember,
  maximumSize: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (member.size > maximumSize) throw unsupported(`${member.name} is larger than ${maximumSize} bytes`);
  const pieces: Buffer[] = [];
  for await (const piece of openZipMember(archive, member, { signal })) pieces.push(piece);
  return Buffer.concat(pieces);
}

const roundUp = (size: number) => Math.ceil(size / clusterSize) * clusterSize;
const unsupported = (why: string) =>
  new PackageError("unsupported-package", `the package cannot be used: ${why}`);
