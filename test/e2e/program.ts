/** The built program as a process. Tests bound its life and give it a control socket of its own. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const main = resolve(import.meta.dirname, "../../dist/agent/cli/main.js");

export interface Ended {
  /** undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output holds `text`. */
  said(text: string): Promise<void>;
  /** The same of standard error, where the log of the service goes. */
  logged(text: string): Promise<void>;
  readonly pid: number;
}

const limit = 60_000;

export const start = (...args: readonly string[]): Program => startWith({}, ...args);

/** With these variables beside those of the test. */
export function startWith(
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Program {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const output = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      output[name] += piece;
      for (const listener of listeners) listener();
    });
  }
  const overdue = setTimeout(() => child.kill("SIGKILL"), limit);
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code) => {
      clearTimeout(overdue);
      for (const listener of listeners) listener();
      resolve({ exitCode: code ?? undefined, ...output });
    });
  });
  const holds = (stream: "stdout" | "stderr") => (text: string) =>
    new Promise<void>((resolve, reject) => {
      const check = () => {
        if (output[stream].includes(text)) {
          listeners.delete(check);
          resolve();
        } else if (child.exitCode !== null || child.signalCode !== null) {
          listeners.delete(check);
          reject(new Error(`ended without saying "${text}": ${output.stdout}${output.stderr}`));
        }
      };
      listeners.add(check);
      check();
    });
  return {
    ended,
    kill: (signal) => void child.kill(signal),
    said: holds("stdout"),
    logged: holds("stderr"),
    pid: child.pid ?? 0,
  };
}

export const run = (...args: readonly string[]): Promise<Ended> => start(...args).ended;

/** A folder of the test's own, that goes with it. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-test-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
