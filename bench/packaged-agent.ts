/** The agent as it is packaged: one file of code with its code cache, in a process of its own, and a Server on loopback. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { generate, parse } from "coap-packet";
import { createBundle } from "../packaging/bundle.js";

const root = resolve(import.meta.dirname, "../..");

export interface Laboratory {
  /** Starts the agent. Its state is new, its cache that of the start before. */
  start(): ChildProcess;
  /** Runs one node with `code`, as bare as it can be. */
  startBare(code: string): ChildProcess;
  readonly server: Server;
  close(): void;
}

export async function openLaboratory(): Promise<Laboratory> {
  const folder = mkdtempSync(join(tmpdir(), "lwm2m-agent-bench-"));
  const bundle = join(folder, "bundle");
  await createBundle({ root, folder: bundle });
  execFileSync(process.execPath, [join(bundle, "dist/agent/cli/code-cache.js")]);
  const server = await openServer();
  const configuration = join(folder, "agent.yaml");
  writeFileSync(
    configuration,
    `endpointName: bench\nservers:\n  - uri: coap://127.0.0.1:${server.port}\nboard:\n  type: none\n`,
  );
  const directory = (name: string) => join(folder, name);
  return {
    start() {
      rmSync(directory("state"), { recursive: true, force: true });
      return spawn(
        process.execPath,
        [join(bundle, "dist/agent/cli/main.js"), "run", "--config", configuration],
        {
          stdio: "ignore",
          env: {
            ...process.env,
            STATE_DIRECTORY: directory("state"),
            CACHE_DIRECTORY: directory("cache"),
            RUNTIME_DIRECTORY: directory("run"),
          },
        },
      );
    },
    startBare: (code) => spawn(process.execPath, ["-e", code], { stdio: "ignore" }),
    server,
    close() {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });

export async function kill(child: ChildProcess): Promise<void> {
  const end = ended(child);
  child.kill("SIGKILL");
  await end;
}

/** As little of a Server as registers a device and observes it. */
export interface Server {
  readonly port: number;
  /** Resolves when the next Register is there, before it is answered. */
  registered(): Promise<void>;
  /** @returns how many of the observations the device took */
  observe(paths: readonly string[]): Promise<number>;
  close(): void;
}

async function openServer(): Promise<Server> {
  const socket: Socket = createSocket("udp4");
  let device: { readonly port: number; readonly address: string } | undefined;
  let onRegister: () => void = () => undefined;
  let onResponse: (isObserved: boolean) => void = () => undefined;
  socket.on("message", (bytes, from) => {
    const { code, messageId, token, confirmable, options } = parse(bytes);
    if (code === "0.02") {
      onRegister();
      device = from;
      const location = ["rd", "0"].map(
        (part) => ({ name: "Location-Path", value: Buffer.from(part) }) as const,
      );
      socket.send(
        generate({ code: "2.01", ack: true, messageId, token, options: location }),
        from.port,
        from.address,
      );
      return;
    }
    if (confirmable) socket.send(generate({ code: "0.00", ack: true, messageId }), from.port, from.address);
    if (code.startsWith("2.")) onResponse(options.some(({ name }) => name === "Observe"));
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    port: socket.address().port,
    registered: () =>
      new Promise((resolve) => {
        onRegister = resolve;
      }),
    async observe(paths) {
      let taken = 0;
      for (const [index, path] of paths.entries()) {
        if (device === undefined) throw new Error("no device has registered");
        const answered = new Promise<boolean>((resolve) => {
          onResponse = resolve;
        });
        const options = [
          { name: "Observe", value: Buffer.alloc(0) } as const,
          ...path.split("/").map((part) => ({ name: "Uri-Path", value: Buffer.from(part) }) as const),
        ];
        const request = {
          code: "0.01",
          confirmable: true,
          messageId: index + 1,
          token: Buffer.of(index + 1),
          options,
        };
        socket.send(generate(request), device.port, device.address);
        if (await answered) taken++;
      }
      return taken;
    },
    close: () => socket.close(),
  };
}

/** Of all threads of a process. */
export function usageOf(pid: number): { readonly cpuSeconds: number; readonly wakeups: number } {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const sum = (each: (task: string) => number) => tasks.reduce((total, task) => total + each(task), 0);
  return {
    cpuSeconds: sum((task) => Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0])) / 1e9,
    wakeups: sum((task) =>
      Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`${task}/status`, "utf8"))?.[1]),
    ),
  };
}
