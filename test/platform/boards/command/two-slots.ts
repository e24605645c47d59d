/**
 * A board of the example scripts, in a folder: two slots that are files, and the boot loader that goes with them. Nothing of
 * the command board is replaced; only what real scripts leave to the machine is done here.
 */
import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Board, ImageFile } from "../../../../agent/ports.js";
import { type CommandBoardOptions, createCommandBoard } from "../../../../platform/boards/command/board.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import type { BoardHarness } from "../board.contract.js";

export const exampleScripts = resolve(import.meta.dirname, "../../../../examples/command-board");

/** A package of the example scripts: a tar of manifest, SHA256SUMS and rootfs.img. */
export function examplePackage(
  version: string,
  { compatible = "test-board", isDamaged = false } = {},
): ImageFile {
  const folder = temporaryDirectory();
  const rootfs = `VERSION_ID=${version}\n#${"x".repeat(300_000)}\n`;
  const sha256 = createHash("sha256").update(rootfs).digest("hex");
  writeFileSync(join(folder, "manifest"), `NAME=fw\nVERSION=${version}\nCOMPATIBLE=${compatible}\n`);
  writeFileSync(join(folder, "SHA256SUMS"), `${sha256}  rootfs.img\n`);
  writeFileSync(join(folder, "rootfs.img"), isDamaged ? rootfs.replace("xxxx", "xxxy") : rootfs);
  const path = join(folder, "package.tar");
  execFileSync("tar", ["-cf", path, "-C", folder, "manifest", "SHA256SUMS", "rootfs.img"]);
  const bytes = readFileSync(path);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** An executable shell script of a test's own. */
export function script(folder: string, name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\nset -eu\n${body}\n`, { mode: 0o755 });
  return path;
}

export interface TwoSlotWorld extends BoardHarness {
  readonly folder: string;
  readonly log: ReturnType<typeof createRecordingLog>;
}

export async function createTwoSlotWorld(
  commands: Partial<CommandBoardOptions["commands"]> = {},
): Promise<TwoSlotWorld> {
  const folder = temporaryDirectory();
  const file = (...names: string[]) => join(folder, ...names);
  const log = createRecordingLog();
  mkdirSync(file("boot"));
  mkdirSync(file("etc"));
  writeFileSync(file("slot-a"), "VERSION_ID=1.0\n");
  writeFileSync(file("slot-b"), "");
  writeFileSync(file("boot", "default"), "a\n");
  writeFileSync(file("restarts"), "");
  writeFileSync(file("attempts"), "");
  const restart = script(folder, "restart", `echo restart >> ${file("restarts")}`);
  const apply = script(
    folder,
    "apply",
    `echo "$LWM2M_ATTEMPT" >> ${file("attempts")}\nexec ${join(exampleScripts, "apply")} "$@"`,
  );
  const example = (name: string, ...args: string[]) => ({
    program: join(exampleScripts, name),
    arguments: args,
  });

  const open = (): Board =>
    createCommandBoard({
      commands: {
        inspect: example("inspect", "test-board"),
        apply: { program: apply, arguments: [file("boot"), file("slot-a"), file("slot-b")] },
        commit: example("commit", file("boot")),
        revert: example("revert", file("boot")),
        restart: { program: restart },
        ...commands,
      },
      description: { manufacturer: "Example", modelNumber: "Two slots" },
      root: folder,
      bootIdFile: file("boot-id"),
      clock: createSystemClock(),
      log,
    });

  /** What the boot loader and the kernel do. */
  const boot = (isTrialBroken = false): Board => {
    const chosen = readIfThere(file("boot", "trial")) ?? readFileSync(file("boot", "default"), "utf8");
    rmSync(file("boot", "trial"), { force: true }); // tried once
    const running = isTrialBroken ? readFileSync(file("boot", "default"), "utf8") : chosen;
    writeFileSync(file("boot", "running"), running);
    writeFileSync(
      file("etc", "os-release"),
      readFileSync(file(`slot-${running.trim()}`), "utf8").split("\n#")[0] ?? "",
    );
    writeFileSync(file("boot-id"), `${randomUUID()}\n`);
    return open();
  };
  const lines = (name: string) => readFileSync(file(name), "utf8").split("\n").slice(0, -1);
  return {
    folder,
    log,
    board: boot(),
    oldVersion: "1.0",
    goodImage: examplePackage("2.0"),
    goodPackage: { name: "fw", version: "2.0" },
    badImage: examplePackage("2.0", { isDamaged: true }),
    badFailure: "integrity",
    reboot: async () => boot(),
    fallBack: async () => boot(true),
    restarts: () => lines("restarts").length,
    attempts: () => lines("attempts"),
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
