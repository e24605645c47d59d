/** Programs of libcoap; the clock of the client is sped up so that its timeouts are as short as ours in these tests. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { speed } from "./timing.js";

const packages = {
  "coap-client-notls": "libcoap3-bin",
  "coap-server-notls": "libcoap3-bin",
  faketime: "faketime",
};
export type Program = Exclude<keyof typeof packages, "faketime">;

/** @throws Error naming the Debian package, when a program is not there */
export function requirePrograms(...programs: readonly (keyof typeof packages)[]): void {
  for (const program of programs) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status === 0) continue;
    throw new Error(`${program} is not installed: apt-get install ${packages[program]}`);
  }
}

export interface Output {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** In a group of its own: faketime runs the program as a child. */
const start = (program: string, argv: readonly string[]): ChildProcess =>
  spawn(program, argv, { detached: true, stdio: ["ignore", "pipe", "pipe"] });

/** Runs a program to its end; a minute of its time passes in three seconds. */
export async function run(program: Program, argv: readonly string[]): Promise<Output> {
  const child = start("faketime", ["-f", `+0 x${speed}`, program, ...argv]);
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  // It names a semaphore after its process ID, and one that was killed left its own behind: nothing has run yet.
  if (stderr.includes("sem_open: File exists")) return run(program, argv);
  if (code !== 0) throw new Error(`${program} ${argv.join(" ")} ended with ${code}: ${stderr}`);
  return { stdout: Buffer.concat(stdout), stderr };
}

/** Runs a program until it is stopped; a server in real time, as it drops what nobody asked for in a while. */
export function keepRunning(program: Program, argv: readonly string[]): { stop(): Promise<void> } {
  const child = start(program, argv);
  child.stdout?.resume();
  child.stderr?.resume();
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    async stop() {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await gone;
    },
  };
}
