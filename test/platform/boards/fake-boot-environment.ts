import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The programs of a family as they behave: U-Boot's own, or libubootenv 0.3.2. */
export interface FakeBootEnvironment {
  readonly printProgram: string;
  readonly setProgram: string;
  readonly configuration: string;
  variables(): Readonly<Record<string, string>>;
  set(variables: Readonly<Record<string, string>>): void;
  /** As after a torn write of every copy. */
  ruin(): void;
  /** What a write was given, in order. */
  scripts(): readonly string[];
}

/**
 * Executables with the behaviour of the real ones; that of libubootenv is compared with the real program in
 * test/interop/boards. The environment is a JSON file, written in one piece.
 */
export function fakeBootEnvironment(
  directory: string,
  family: "classic" | "libubootenv",
): FakeBootEnvironment {
  const state = join(directory, "environment.json");
  const log = join(directory, "scripts.json");
  const configuration = join(directory, "fw_env.config");
  writeFileSync(configuration, "# two copies\n/dev/mmcblk0p2 0 0x10000\n/dev/mmcblk0p4 0 0x10000\n");
  const program = (name: string, body: string) => {
    const path = join(directory, name);
    writeFileSync(
      path,
      `#!${process.execPath}
const { readFileSync, writeFileSync, renameSync } = require("node:fs");
const classic = ${family === "classic"};
const [state, log] = ${JSON.stringify([state, log])};
let words = process.argv.slice(2);
if (words[0] === "-c") words = words.slice(2);
let defaults = false;
if (words[0] === "-f" && !classic) { defaults = true; words = words.slice(2); }
const load = () => {
  try { return JSON.parse(readFileSync(state, "utf8")); } catch {
    if (classic) { console.error("Cannot access MTD device /dev/mmcblk0p2: No such file or directory"); process.exit(1); }
    console.error("Cannot read environment, using default");
    if (defaults) return {};
    console.error("Cannot read default environment from file");
    process.exit(243);
  }
};
const save = (variables) => { writeFileSync(state + "~", JSON.stringify(variables)); renameSync(state + "~", state); };
${body}`,
    );
    chmodSync(path, 0o755);
    return path;
  };
  const fake: FakeBootEnvironment = {
    configuration,
    printProgram: program(
      "fw_printenv",
      `
const variables = load();
let missing = 0;
if (words[0] === "-n") {
  const value = variables[words[1]];
  if (value === undefined && classic) { console.error('## Error: "' + words[1] + '" not defined'); process.exit(1); }
  console.log(value ?? "");
} else for (const name of words.length > 0 ? words : Object.keys(variables)) {
  if (variables[name] !== undefined || !classic) console.log(name + "=" + (variables[name] ?? ""));
  else { console.error('## Error: "' + name + '" not defined'); missing = 1; }
}
process.exit(missing);`,
    ),
    setProgram: program(
      "fw_setenv",
      `
const variables = load();
const script = readFileSync(0, "utf8");
let scripts = [];
try { scripts = JSON.parse(readFileSync(log, "utf8")); } catch {}
writeFileSync(log, JSON.stringify([...scripts, script]));
for (const line of script.split("\\n").filter((line) => line.trim() !== "")) {
  if (classic) {
    // The first blank ends the name. A name with "=" is compared up to there with what is stored, as envmatch() does.
    const [, name, value] = /^(\\S+)(?:\\s+(.*))?$/.exec(line);
    if (value) variables[name] = value;
    else delete variables[name.split("=")[0]];
  } else {
    const end = line.indexOf("=");
    if (end < 0) continue;
    const value = line.slice(end + 1);
    if (value === "") delete variables[line.slice(0, end)];
    else variables[line.slice(0, end)] = value;
  }
}
save(variables);`,
    ),
    variables: () => JSON.parse(readFileSync(state, "utf8")) as Record<string, string>,
    set: (variables) => writeFileSync(state, JSON.stringify(variables)),
    ruin: () => writeFileSync(state, "\0".repeat(100)),
    scripts() {
      try {
        return JSON.parse(readFileSync(log, "utf8")) as string[];
      } catch {
        return [];
      }
    },
  };
  fake.set({});
  return fake;
}
