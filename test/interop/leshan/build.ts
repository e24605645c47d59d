import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const sources = import.meta.dirname;
const output = resolve(sources, "../../../build/leshan");

/** Folders beside this file: a pom.xml that names libraries, and the Java sources that run on them. */
export type Program = "server" | "bootstrap-server";

/**
 * Compiles a program and returns its class path. What was built from the same sources is taken as it is.
 * @throws Error with the remedy when Java, Maven or the registry is missing
 */
export async function buildProgram(program: Program): Promise<string> {
  const pom = join(sources, program, "pom.xml");
  const files = [...(await javaFiles("common")), ...(await javaFiles(program))];
  const target = join(output, program);
  const libraries = join(target, "lib");
  const classes = join(target, "classes");
  const classPath = `${classes}:${join(libraries, "*")}`;
  const stamp = join(target, "built-from");
  const fingerprint = await hashOf([pom, ...files]);
  if ((await readFile(stamp, "utf8").catch(() => "")) === fingerprint) return classPath;

  await rm(target, { recursive: true, force: true });
  await mkdir(classes, { recursive: true });
  await runTool("mvn", ["-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${libraries}`]);
  await runTool("javac", ["-nowarn", "-cp", join(libraries, "*"), "-d", classes, ...files]);
  await writeFile(stamp, fingerprint);
  return classPath;
}

async function javaFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(sources, folder));
  return names.filter((name) => name.endsWith(".java")).map((name) => join(sources, folder, name));
}

async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(file));
  return hash.digest("hex");
}

async function runTool(tool: "mvn" | "javac", parameters: readonly string[]): Promise<void> {
  try {
    await run(tool, parameters, { timeout: 170_000, maxBuffer: 16 * 1024 * 1024 });
  } catch (cause) {
    throw new Error(explanation(tool, cause as { code?: unknown; stdout?: string; stderr?: string }), {
      cause,
    });
  }
}

function explanation(
  tool: "mvn" | "javac",
  failure: { code?: unknown; stdout?: string; stderr?: string },
): string {
  if (failure.code === "ENOENT") {
    return `${tool} is not installed, so Leshan cannot run: apt-get install maven default-jdk-headless`;
  }
  const said = `${failure.stdout ?? ""}${failure.stderr ?? ""}`;
  const errors = said.split("\n").filter((line) => /ERROR|error:/.test(line));
  return tool === "mvn"
    ? `the Maven registry does not give Leshan's libraries; check the network and run again:\n${errors.slice(0, 5).join("\n")}`
    : `the Java program does not compile:\n${errors.join("\n")}`;
}
