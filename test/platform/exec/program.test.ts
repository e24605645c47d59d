import { copyFile, mkdtemp, open, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { millis, seconds } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { type ProgramOptions, runProgram } from "../../../platform/exec/program.js";

const clock = createSystemClock();
const node = process.execPath;
const run = (script: string, options: Partial<ProgramOptions> = {}) =>
  runProgram(node, {
    clock,
    timeLimit: seconds(20),
    ...options,
    arguments: ["-e", script, ...(options.arguments ?? [])],
  });

test("the exit code, the output and the last line of standard error come back", async () => {
  const result = await run(
    'console.log("done"); console.error("first"); console.error("last"); process.exit(3)',
  );
  expect(result).toEqual({ exitCode: 3, output: "done\n", reason: "last" });
});

test("arguments reach the program as they are: nothing is expanded", async () => {
  const words = ["$(id)", "; rm -rf /", "*", "a b", ""];
  const { output } = await run("console.log(JSON.stringify(process.argv.slice(1)))", {
    arguments: ["--", ...words],
  });
  expect(JSON.parse(output)).toEqual(words);
});

test("of our environment it sees the path, and no secret", async () => {
  process.env["LWM2M_TEST_SECRET"] = "secret";
  const { output } = await run("console.log(JSON.stringify(process.env))", { environment: { GIVEN: "1" } });
  delete process.env["LWM2M_TEST_SECRET"];
  expect(JSON.parse(output)).toMatchObject({ GIVEN: "1", PATH: process.env["PATH"] });
  expect(output).not.toContain("secret");
});

test("it reads what it is given; one that reads nothing is no failure", async () => {
  const big = Readable.from([Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)]);
  const count = "let n = 0; process.stdin.on('data', (d) => n += d.length).on('end', () => console.log(n))";
  expect((await run(count, { input: big })).output).toBe(`${2 << 20}\n`);
  expect((await run("process.exit(0)", { input: Buffer.alloc(4 << 20) })).exitCode).toBe(0);
});

test("lines come one by one, cut where they are too long", async () => {
  const lines: string[] = [];
  await run('process.stdout.write("a\\r\\nb\\n" + "x".repeat(5000) + "\\nc")', {
    onLine: (line) => lines.push(line),
  });
  expect(lines).toEqual(["a", "b", "x".repeat(4096), "c"]);
});

test("progress comes on a descriptor of its own", async () => {
  const lines: string[] = [];
  const script = `fs.writeSync(Number(process.env.LWM2M_PROGRESS_FD), "10 erasing\\n20 writing\\n"); console.log("30")`;
  await run(script, { progressFd: true, onLine: (line, stream) => lines.push(`${stream}: ${line}`) });
  expect(lines.toSorted()).toEqual(["output: 30", "progress: 10 erasing", "progress: 20 writing"]);
  const { output } = await run('console.log(process.env.LWM2M_PROGRESS_FD ?? "none")');
  expect(output).toBe("none\n");
});

test("a program that has ended is not waited for when what it started holds its output open", async () => {
  const folder = await mkdtemp(join(tmpdir(), "program-"));
  const script = join(folder, "leaves-one-behind");
  await writeFile(script, `#!/bin/sh\necho done\nsleep 60 &\necho $! > ${folder}/child\nexit 3\n`, {
    mode: 0o755,
  });
  const { exitCode, output } = await runProgram(script, { clock, timeLimit: seconds(50) });
  expect({ exitCode, output }).toEqual({ exitCode: 3, output: "done\n" });
  const child = Number(await readFile(join(folder, "child"), "utf8"));
  expect(await isRunning(child)).toBe(true);
  process.kill(child);
});

test("of an endless output the beginning is kept, and the last line", async () => {
  const { output, reason } = await run('console.log("y".repeat(200000)); console.error("e".repeat(999))');
  expect([output.length, reason.length]).toEqual([65536, 256]);
});

test("control characters do not reach the log", async () => {
  expect((await run('console.error("\\u001b[31mred\\u0007\\u001b[0m")')).reason).toBe("red");
});

test("a program that is not there is named", async () => {
  await expect(runProgram("/no/such/program", { clock, timeLimit: seconds(1) })).rejects.toMatchObject({
    kind: "not-started",
    message: expect.stringContaining("/no/such/program"),
  });
});

test("at its time limit the program ends, with its children", async () => {
  const folder = await mkdtemp(join(tmpdir(), "program-"));
  const script = join(folder, "parent");
  await writeFile(script, `#!/bin/sh\nsleep 60 & echo $! > ${folder}/child\nwait\n`, { mode: 0o755 });
  await expect(runProgram(script, { clock, timeLimit: millis(300) })).rejects.toMatchObject({
    kind: "time-limit",
  });
  const child = Number(await readFile(join(folder, "child"), "utf8"));
  await expect.poll(() => isRunning(child)).toBe(false);
});

test("an abort ends it and is the error", async () => {
  const controller = new AbortController();
  const running = run("setInterval(() => {}, 1000)", { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("not wanted")), 100);
  await expect(running).rejects.toThrow("not wanted");
});

async function isRunning(pid: number): Promise<boolean> {
  try {
    return !(await readFile(`/proc/${pid}/stat`, "utf8")).includes(") Z ");
  } catch {
    return false;
  }
}

test.each<[string, (folder: string) => Promise<string>, RegExp]>([
  [
    "is not there",
    async (folder) => join(folder, "none"),
    /none cannot be run: it is not there, or the interpreter/,
  ],
  [
    "names an interpreter that is not there",
    async (folder) => script(folder, "#!/no/such/shell\n", 0o755),
    /cannot be run: it is not there, or the interpreter that its first line names is not/,
  ],
  [
    "is not executable",
    async (folder) => script(folder, "#!/bin/sh\n", 0o644),
    /cannot be run: it is not executable for this user/,
  ],
  ["lies below a file", async (folder) => join(await script(folder, "", 0o644), "x"), /ENOTDIR/],
])("a program that %s is named with what to look at", async (_, make, words) => {
  const folder = await mkdtemp(join(tmpdir(), "lwm2m-program-"));
  const path = await make(folder);
  const failure = await runProgram(path, { clock, timeLimit: seconds(5) }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: "ProgramError", kind: "not-started" });
  expect((failure as Error).message).toMatch(words);
});

test("a program that is being written is no fault of ours, and its input is let go", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lwm2m-program-"));
  const path = join(folder, "busy");
  await copyFile(node, path);
  const writer = await open(path, "r+");
  try {
    const input = Readable.from(["x"]);
    await expect(runProgram(path, { clock, timeLimit: seconds(5), input })).rejects.toMatchObject({
      kind: "not-started",
      message: `${path} cannot be run: somebody is still writing to it (ETXTBSY)`,
    });
    expect(input.destroyed).toBe(true);
  } finally {
    await writer.close();
  }
});

async function script(folder: string, text: string, mode: number): Promise<string> {
  const path = join(folder, "program");
  await writeFile(path, text, { mode });
  return path;
}
