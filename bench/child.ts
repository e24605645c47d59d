import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A process of its own for whatever is measured, so that CPU and memory are its alone. */
export interface Child {
  readonly pid: number;
  /** The first message that it sent. */
  readonly ready: unknown;
  send(message: object): void;
  /** The next message that it sends. */
  next(): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts this same benchmark file again with `argv`, and waits for its first message. */
export async function startChild(moduleUrl: string, argv: readonly string[]): Promise<Child> {
  const process = fork(fileURLToPath(moduleUrl), [...argv], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ready = await nextMessage(process);
  if (process.pid === undefined) throw new Error(`${argv.join(" ")} did not start`);
  return {
    pid: process.pid,
    ready,
    send: (message) => void process.send(message),
    next: () => nextMessage(process),
    stop: () =>
      new Promise((resolve) => {
        process.once("exit", () => resolve());
        process.kill("SIGKILL");
      }),
  };
}

const nextMessage = (process: ChildProcess) =>
  new Promise<unknown>((resolve, reject) => {
    process.once("message", resolve);
    process.once("exit", (code) => reject(new Error(`the process ended with ${code}`)));
  });

/** Resident memory of a process in MB (Linux). */
export function residentMegabytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? Number.NaN) / 1024;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** One line of the report: a figure, and whether it holds what is promised. */
export interface Figure {
  readonly text: string;
  readonly holds: boolean;
}
