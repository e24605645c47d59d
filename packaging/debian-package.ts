/**
 * The Debian package: architecture all, one file of code, for Debian's own Node.js. Made with dpkg-deb alone, so that it
 * needs no build farm; lintian judges it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { PackageLicence } from "./bundle.js";
import { addFile, addFolder, filesOf, installTree, packageName } from "./tree.js";

const run = promisify(execFile);

export interface DebianPackageOptions {
  /** The root of the project. */
  readonly root: string;
  /** What createBundle made. */
  readonly bundle: string;
  /** Licence texts of the packages in the bundle, by the name of the package. */
  readonly licences: ReadonlyMap<string, PackageLicence>;
  /** The completion script of bash. */
  readonly completion: string;
  /** Where the file of the package is put. */
  readonly output: string;
  readonly version: string;
  readonly description: string;
}

/** As dpkg's own tools ask for whoever builds a package. */
const maintainer = `${process.env["DEBFULLNAME"] ?? "lwm2m-agent contributors"} <${process.env["DEBEMAIL"] ?? "noreply@lwm2m-agent.invalid"}>`;

/** @returns the path of the package */
export async function createDebianPackage(options: DebianPackageOptions): Promise<string> {
  const { output, version } = options;
  const tree = join(output, "debian");
  await rm(tree, { recursive: true, force: true });
  await mkdir(join(tree, "DEBIAN"), { recursive: true });
  await installTree({ ...options, tree });
  await addDocumentation(tree, options);
  await addControl(tree, options);
  await setModes(tree);
  const path = join(output, `${packageName}_${version}_all.deb`);
  await run("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", tree, path]).catch(withoutDpkg);
  return path;
}

async function addDocumentation(tree: string, options: DebianPackageOptions): Promise<void> {
  const { root, licences, version } = options;
  const documents = join(tree, "usr/share/doc", packageName);
  const copyright = await readFile(join(root, "packaging/debian/copyright"), "utf8");
  await addFile(
    join(documents, "copyright"),
    `${copyright}${formatLicences(licences, await readFile(join(root, "LICENSE"), "utf8"))}`,
  );
  await addFolder(join(root, "docs"), documents);
  await addFolder(join(root, "systemd/drop-ins"), join(documents, "examples/drop-ins"));
  await addFile(join(documents, "changelog.gz"), gzip(await readFile(join(root, "CHANGELOG.md"))));
  await addFile(join(documents, "changelog.Debian.gz"), gzip(Buffer.from(debianChangelog(version))));
  for (const page of await readdir(join(root, "packaging/man"))) {
    const text = await readFile(join(root, "packaging/man", page), "utf8");
    const section = page.slice(page.lastIndexOf(".") + 1);
    await addFile(
      join(tree, `usr/share/man/man${section}/${page}.gz`),
      gzip(Buffer.from(text.replaceAll("@VERSION@", version))),
    );
  }
}

async function addControl(tree: string, { root, version, description }: DebianPackageOptions): Promise<void> {
  const control = join(tree, "DEBIAN");
  for (const script of ["postinst", "prerm", "postrm"]) {
    await cp(join(root, "packaging/debian", script), join(control, script));
    await chmod(join(control, script), 0o755);
  }
  await cp(join(root, "packaging/debian/triggers"), join(control, "triggers"));
  const files = (await filesOf(tree)).filter((path) => !path.startsWith("DEBIAN/"));
  await addFile(join(control, "conffiles"), `/etc/${packageName}/agent.yaml\n`);
  const sums = await Promise.all(
    files.map(
      async (file) =>
        `${createHash("md5")
          .update(await readFile(join(tree, file)))
          .digest("hex")}  ${file}\n`,
    ),
  );
  await addFile(join(control, "md5sums"), sums.join(""));
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(tree, file))).size));
  const kibibytes = Math.ceil(sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0));
  await addFile(
    join(control, "control"),
    [
      `Package: ${packageName}`,
      `Version: ${version}`,
      "Architecture: all",
      `Maintainer: ${maintainer}`,
      `Installed-Size: ${kibibytes}`,
      "Depends: nodejs (>= 20.19), adduser",
      "Recommends: systemd, polkitd",
      "Suggests: rauc, swupdate, libubootenv-tool",
      "Section: admin",
      "Priority: optional",
      `Description: ${description.split(":")[0]}`,
      ` ${(await readFile(join(root, "packaging/debian/description"), "utf8")).trim().replaceAll("\n", "\n ")}`,
      "",
    ].join("\n"),
  );
}

function formatLicences(licences: ReadonlyMap<string, PackageLicence>, own: string): string {
  const paragraphs = [...licences].map(
    ([name, { identifier, text }]) =>
      `\nFiles: usr/lib/${packageName}/dist/${packageName}.js\nComment: ${name}, which is part of this file\n` +
      `Copyright: ${copyrightOf(text, name)}\nLicense: ${identifier}-${name.replace(/[^A-Za-z0-9.-]/g, "-")}\n${indent(identifier === "Apache-2.0" ? apache : text)}`,
  );
  return `${paragraphs.join("")}\nLicense: Expat\n${indent(own.replace(/^MIT License\n+/, ""))}`;
}

const apache =
  "On Debian systems the full text of the Apache License 2.0 is in\n/usr/share/common-licenses/Apache-2.0.";

const copyrightOf = (text: string, name: string) =>
  /copyright\s+(?:\(c\)|©)?\s*(.+)/i.exec(text)?.[1]?.trim() || `the authors of ${name}`;

const indent = (text: string) =>
  `${text
    .trim()
    .split(/\r?\n/)
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
    .join("\n")}\n`;

const debianChangelog = (version: string) =>
  `${packageName} (${version}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n` +
  ` -- ${maintainer}  Thu, 01 Jan 2026 00:00:00 +0000\n`;

const gzip = (bytes: Buffer) => gzipSync(bytes, { level: 9 });

/** Whatever the umask of the builder was. */
async function setModes(tree: string): Promise<void> {
  await chmod(tree, 0o755);
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) continue;
    const executable = entry.isDirectory() || isProgram(path);
    await chmod(path, executable ? 0o755 : 0o644);
  }
}

const isProgram = (path: string) =>
  ["postinst", "prerm", "postrm"].includes(basename(path)) ||
  /dist\/agent\/cli\/(main|code-cache)\.js$/.test(path);

function withoutDpkg(error: NodeJS.ErrnoException): never {
  if (error.code === "ENOENT") {
    throw new Error("dpkg-deb is missing: install the package dpkg, or build on Debian", { cause: error });
  }
  throw error;
}
