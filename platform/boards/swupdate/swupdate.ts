/**
 * Boards with SWUpdate: its daemon checks and writes, the boot loader tries. Which copy runs is told by the root device, how the
 * trial stands by `ustate`; after the boot it is the project, so it is us, that says the image stays.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ApplyOptions,
  type Board,
  type BoardDescription,
  BusyError,
  type Finding,
  type ImageFile,
  type PackageInfo,
  seconds,
  type UpdateAttempt,
} from "../../../agent/ports.js";
import { runProgram } from "../../exec/program.js";
import { SystemFiles } from "../../linux/files.js";
import { readImageVersion } from "../../linux/os-release.js";
import { readIdentity } from "../../linux/system.js";
import { type BootVariables, createBootEnvironment } from "../boot-environment.js";
import { runFactoryProgram } from "../factory-program.js";
import { createRestart, type Restart } from "../restart.js";
import { checkSwupdate } from "./check.js";
import type { UpdateState } from "./control-message.js";
import { controlSocket, install } from "./installation.js";
import type { SwupdateBoardOptions, SystemCopy } from "./options.js";
import { checkPackage } from "./package.js";
import { type SwupdateRecord, SwupdateRecords } from "./record.js";
import { UpdateStateKeeper } from "./state.js";

export const createSwupdateBoard = (options: SwupdateBoardOptions): Board => new SwupdateBoard(options);

/** Where distributions have the sockets of the daemon; the last one is what SWUpdate does without being told. */
const socketDirectories = ["/run/swupdate", "/tmp"];
const installationLimit = seconds(2 * 60 * 60);
const clockLimit = seconds(120);

class SwupdateBoard implements Board {
  readonly name = "swupdate";
  readonly #options: SwupdateBoardOptions;
  readonly #files: SystemFiles;
  readonly #records: SwupdateRecords;
  readonly #restart: Restart;
  /** undefined where SWUpdate keeps no state. */
  readonly #state: UpdateStateKeeper | undefined;
  #isInstalling = false;

  constructor(options: SwupdateBoardOptions) {
    const { clock, bootEnvironment = {} } = options;
    this.#options = options;
    this.#files = new SystemFiles(options.root ?? "/");
    this.#records = new SwupdateRecords(options.store);
    this.#restart = createRestart(options.restart ?? { by: "systemctl" }, clock);
    this.#state =
      bootEnvironment === "none"
        ? undefined
        : new UpdateStateKeeper(createBootEnvironment({ ...bootEnvironment, clock }), async () => ({
            path: join(await this.#socketDirectory(), controlSocket),
            clock,
          }));
  }

  async bootId(): Promise<string> {
    const id = await this.#files.text("proc/sys/kernel/random/boot_id");
    if (id === undefined) throw new Error("the kernel does not say which boot this is (boot_id)");
    return id;
  }

  async describe(): Promise<BoardDescription> {
    const { hardware, description } = this.#options;
    const identity = await readIdentity(this.#files);
    const [board, revision] = (hardware ?? (await this.#files.text("etc/hwrevision")) ?? "")
      .trim()
      .split(/[:\s]+/);
    return {
      manufacturer: "",
      modelNumber: identity.modelNumber ?? board ?? "",
      serialNumber: identity.serialNumber ?? "",
      hardwareVersion: revision ?? "",
      ...(await readImageVersion(this.#files)),
      ...description,
    };
  }

  async inspect(image: ImageFile, { signal }: { readonly signal: AbortSignal }): Promise<PackageInfo> {
    const target = this.#target(await this.#runningRoot());
    return checkPackage(image, {
      ...this.#options,
      clockLimit: this.#options.clockLimit ?? clockLimit,
      selection: target?.selection,
      files: this.#files,
      signal,
    });
  }

  async apply(image: ImageFile, options: ApplyOptions): Promise<"restart" | "running"> {
    options.signal.throwIfAborted();
    if (this.#isInstalling) throw new BusyError("another package is being installed");
    this.#isInstalling = true;
    try {
      await this.#install(image.path, options);
      return "restart";
    } finally {
      this.#isInstalling = false;
    }
  }

  async outcome(attempt: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    const record = await this.#records.read();
    if (record?.attempt !== attempt.id) return this.#byVersion(attempt);
    const state = await this.#state?.read();
    if (runsExpected(record, await this.#runningRoot())) {
      // What was not written to its end, or given up, boots all the same: to install again would overwrite the good copy.
      return state === "failed" || state === "in-progress" ? "unknown" : "new";
    }
    // Where the configuration names no copies there may be one alone, whose root device stays the same.
    const mayBeTheOnlyCopy = record.expectedRoot === undefined && record.isComplete && state !== "failed";
    return mayBeTheOnlyCopy ? this.#byVersion(attempt) : "old";
  }

  async commit(): Promise<void> {
    const record = await this.#records.read();
    if (record !== undefined) {
      const root = await this.#runningRoot();
      const isNew = runsExpected(record, root);
      // Written, and not yet tried: what the boot loader is to do stays.
      if (!isNew && record.bootId === (await this.bootId())) return;
      if (!isNew) await this.#write("ok", this.#copyOf(root)?.boot);
      await this.#records.remove();
    }
    // Without a record the update was somebody else's.
    if (isOnTrial(await this.#state?.read())) await this.#write("ok");
  }

  async revert(): Promise<"restart" | "done"> {
    const record = await this.#records.read();
    const root = await this.#runningRoot();
    const running = this.#copyOf(root);
    if (record?.previousRoot === root && running !== undefined) {
      await this.#write("ok", running.boot);
      return "done";
    }
    const previous = (record && this.#copyOf(record.previousRoot)) ?? this.#target(root);
    if (previous?.boot !== undefined) {
      await this.#write("failed", previous.boot);
      return "restart";
    }
    // Not committed: the boot loader counts this boot as one that failed.
    if (this.#options.fallsBack === true) return "restart";
    throw new Error(
      "there is no way back: name the boot loader's variables of each copy, or say that it falls back by itself",
    );
  }

  restart(): Promise<void> {
    return this.#restart();
  }

  async factoryReset(): Promise<void> {
    const { factoryReset, clock } = this.#options;
    if (factoryReset === undefined) {
      throw new Error("no factory image is configured: name a package or a program for the factory reset");
    }
    if ("package" in factoryReset) {
      const signal = new AbortController().signal;
      await this.#install(factoryReset.package, {
        signal,
        progress: () => undefined,
        attempt: "factory-reset",
      });
    } else {
      await runFactoryProgram(factoryReset, { timeLimit: installationLimit, clock });
    }
    await this.#restart();
  }

  async check(): Promise<readonly Finding[]> {
    const socketDirectory = await this.#socketDirectory();
    const root = await this.#runningRoot().catch(() => undefined);
    return checkSwupdate({ ...this.#options, files: this.#files, socketDirectory, runningRoot: root });
  }

  async #install(path: string, options: ApplyOptions): Promise<void> {
    const { clientProgram = "swupdate-client", clock, log } = this.#options;
    const root = await this.#runningRoot();
    const target = this.#target(root);
    const record = {
      attempt: options.attempt,
      bootId: await this.bootId(),
      previousRoot: root,
      ...(target !== undefined && { expectedRoot: target.root }),
    };
    await this.#records.write({ ...record, isComplete: false });
    await install({
      ...options,
      path,
      clientProgram,
      socketDirectory: await this.#socketDirectory(),
      selection: target?.selection,
      timeLimit: this.#options.installationLimit ?? installationLimit,
      clock,
      log,
    });
    await this.#records.write({ ...record, isComplete: true });
  }

  #copyOf(root: string): SystemCopy | undefined {
    return this.#options.copies?.find((copy) => copy.root === root);
  }

  /** The copy that does not run. */
  #target(runningRoot: string): SystemCopy | undefined {
    const { copies = [] } = this.#options;
    const others = copies.filter(({ root }) => root !== runningRoot);
    if (copies.length > 0 && others.length === copies.length) {
      throw new Error(`${runningRoot} runs, which is none of the configured copies`);
    }
    return others[0];
  }

  async #write(state: UpdateState, variables: BootVariables = {}): Promise<void> {
    if (this.#state !== undefined) await this.#state.write(state, variables);
    else if (Object.keys(variables).length > 0) {
      throw new Error("copies have variables of the boot loader, but its environment is configured as none");
    }
  }

  /** Nothing is on record, or there is one copy alone. */
  async #byVersion({
    package: { version },
    previousVersion,
  }: UpdateAttempt): Promise<"new" | "old" | "unknown"> {
    const { firmwareVersion } = await this.describe();
    if (version === previousVersion) return "unknown";
    return firmwareVersion === version ? "new" : firmwareVersion === previousVersion ? "old" : "unknown";
  }

  async #socketDirectory(): Promise<string> {
    const { socketDirectory } = this.#options;
    if (socketDirectory !== undefined) return socketDirectory;
    for (const directory of socketDirectories) {
      const isThere = await stat(join(directory, controlSocket)).then(
        (found) => found.isSocket(),
        () => false,
      );
      if (isThere) return directory;
    }
    return "/tmp";
  }

  /** `swupdate -g` is handed a folder of its own, so that it stays away from the daemon's sockets. */
  async #runningRoot(): Promise<string> {
    const { program = "swupdate", rootDevice = { program, arguments: ["-g"] }, clock } = this.#options;
    const { exitCode, output, reason } = await runProgram(rootDevice.program, {
      arguments: rootDevice.arguments ?? [],
      environment: { TMPDIR: "/nonexistent" },
      timeLimit: seconds(30),
      clock,
    });
    const root = output.trim().split("\n").at(-1)?.trim() ?? "";
    if (exitCode === 0 && root !== "") return root;
    throw new Error(`the root device cannot be told: ${rootDevice.program}: ${reason || "it says nothing"}`);
  }
}

const runsExpected = ({ expectedRoot, previousRoot }: SwupdateRecord, root: string): boolean =>
  expectedRoot === undefined ? root !== previousRoot : root === expectedRoot;

/** Written and not yet known to be good, or given up by the boot loader: what runs now stays. */
const isOnTrial = (state: UpdateState | undefined): boolean =>
  state === "installed" || state === "testing" || state === "failed";
