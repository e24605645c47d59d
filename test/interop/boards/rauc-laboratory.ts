/**
 * The real RAUC on a bus of its own: two plain files as slots, the boot loader's environment behind real fw_setenv, and a
 * boot loader that does what U-Boot's boot script does. A "reboot" ends the service and starts it in the slot that boots.
 */

import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Board, Clock, ImageFile } from "../../../agent/ports.js";
import type { RaucBoardOptions } from "../../../platform/boards/rauc/options.js";
import { createRaucBoard } from "../../../platform/boards/rauc/rauc.js";
import { createSystemClock } from "../../../platform/clock.js";
import { sha256OfFile } from "../../../platform/files/sha256.js";
import { createFileStore } from "../../../platform/files/store.js";
import { createRecordingLog } from "../../simulated/log.js";
import type { Signer } from "./keys.js";
import { type Daemon, requirePrograms, run, startDaemon, until } from "./programs.js";

export interface BundleContent {
  readonly version: string;
  readonly compatible?: string;
  readonly signer: Signer;
  /** Bytes of the image; its first line is the version. */
  readonly size?: number;
  readonly format?: "plain" | "verity";
  /** What the clock said when it was signed (faketime). */
  readonly madeAt?: string;
}

export const compatible = "Test-Board";
const maximumAttempts = 3;

/** @param path of the bundle that is made */
export function createBundle(path: string, content: BundleContent): void {
  const { version, signer, size = 1024 * 1024, format = "plain", madeAt } = content;
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    const image = Buffer.concat([randomBytes(64 * 1024), Buffer.alloc(size - 64 * 1024)]);
    image.write(`${version}\n`);
    writeFileSync(join(folder, "rootfs.img"), image);
    writeFileSync(
      join(folder, "manifest.raucm"),
      `[update]\ncompatible=${content.compatible ?? compatible}\nversion=${version}\n\n` +
        `[bundle]\nformat=${format}\n\n[image.rootfs]\nfilename=rootfs.img\n`,
    );
    const argv = [
      "bundle",
      "--cert",
      signer.certificate,
      "--key",
      signer.key,
      "--keyring",
      signer.ca,
      folder,
      path,
    ];
    if (madeAt === undefined) run("rauc", argv);
    else run("faketime", ["-f", madeAt, "rauc", ...argv]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function imageFile(path: string): Promise<ImageFile> {
  return {
    path,
    size: statSync(path).size,
    sha256: await sha256OfFile(path, { signal: new AbortController().signal }),
  };
}

export interface Laboratory {
  readonly directory: string;
  readonly busAddress: string;
  readonly log: ReturnType<typeof createRecordingLog>;
  path(name: string): string;
  /** Another process of the agent, in the same boot. */
  board(options?: Partial<RaucBoardOptions>): Board;
  /** Power comes: the boot loader chooses a slot by the environment, and RAUC can be asked. */
  boot(): Promise<Board>;
  /** The image on trial does not come up until the boot loader has had enough of it. */
  fallBack(): Promise<Board>;
  /** `A` or `B`. */
  booted(): string;
  /** Kills the service that runs, or one process of it; D-Bus starts another when it is asked. */
  killService(): void;
  environment(name: string): string;
  setEnvironment(name: string, value: string): void;
  slotVersion(slot: "A" | "B"): string;
  restarts(): number;
  raucLog(): string;
  isRaucTimeWrong(): boolean;
  /** From now on RAUC knows what time it is. */
  setRaucTimeRight(): void;
  close(): Promise<void>;
}

export interface LaboratoryOptions {
  readonly signer: Signer;
  readonly clock?: Clock;
  /** As `2001-01-01 00:00:00`, for the service and the program. */
  readonly raucTime?: string;
}

export async function createLaboratory({
  signer,
  clock = createSystemClock(),
  raucTime,
}: LaboratoryOptions): Promise<Laboratory> {
  requirePrograms("rauc", "dbus-daemon", "mksquashfs", "fw_setenv", "openssl", "faketime");
  const directory = mkdtempSync(join(tmpdir(), "rauc-"));
  const path = (name: string) => join(directory, name);
  for (const folder of ["mnt", "bin", "services", "data", "root/etc", "root/proc/sys/kernel/random"]) {
    mkdirSync(path(folder), { recursive: true });
  }
  writeWorld(directory, signer, raucTime);
  const busAddress = `unix:path=${path("bus")}`;
  const env = {
    ...process.env,
    DBUS_SYSTEM_BUS_ADDRESS: busAddress,
    PATH: `${path("bin")}:${process.env["PATH"]}`,
  };
  const bus: Daemon = startDaemon(
    "dbus-daemon",
    [`--config-file=${path("bus.conf")}`, "--nofork", "--nopidfile"],
    env,
  );
  const log = createRecordingLog();
  const environment = (name: string) => run(path("bin/fw_printenv"), ["-n", name]).trim();
  const setEnvironment = (name: string, value: string) => void run(path("bin/fw_setenv"), [name, value]);
  const slotVersion = (slot: "A" | "B") =>
    readFileSync(path(`slot-${slot}.img`))
      .subarray(0, 32)
      .toString("latin1")
      .split("\n")[0] ?? "";
  const booted = () => readFileSync(path("slot"), "utf8").trim();

  const board = (options: Partial<RaucBoardOptions> = {}) =>
    createRaucBoard({
      clock,
      log,
      store: createFileStore(path("data")),
      busAddress,
      program: path("bin/rauc"),
      configurationPath: path("system.conf"),
      root: path("root"),
      packageDirectory: directory,
      restart: { by: "program", program: path("bin/restart") },
      ...options,
    });

  /** What the boot script that RAUC's manual gives for U-Boot does. */
  async function boot(): Promise<Board> {
    await endService(directory);
    const slot = environment("BOOT_ORDER")
      .split(" ")
      .find((name) => Number(environment(`BOOT_${name}_LEFT`)) > 0);
    if (slot === undefined) throw new Error("no slot boots any more");
    setEnvironment(`BOOT_${slot}_LEFT`, String(Number(environment(`BOOT_${slot}_LEFT`)) - 1));
    writeFileSync(path("slot"), slot);
    writeFileSync(path("root/etc/os-release"), `NAME=Test\nVERSION_ID="${slotVersion(slot as "A" | "B")}"\n`);
    writeFileSync(path("root/proc/sys/kernel/random/boot_id"), `${randomUUID()}\n`);
    return board();
  }

  await until(() => statSync(path("bus"), { throwIfNoEntry: false }) !== undefined, bus);
  await boot();
  return {
    directory,
    busAddress,
    log,
    path,
    board,
    boot,
    async fallBack() {
      const failing = environment("BOOT_ORDER").split(" ")[0];
      for (let attempt = 0; attempt <= maximumAttempts; attempt++) {
        const next = await boot();
        if (booted() !== failing) return next;
      }
      throw new Error("the boot loader never gave up");
    },
    booted,
    killService: () => process.kill(servicePid(directory) as number, "SIGKILL"),
    environment,
    setEnvironment,
    slotVersion,
    restarts: () => lines(path("restarts")).length,
    isRaucTimeWrong: () => existsSync(path("wrong-time")),
    setRaucTimeRight: () => rmSync(path("wrong-time")),
    raucLog: () => readFileSync(path("rauc.log"), "utf8"),
    async close() {
      await endService(directory);
      await bus.kill("SIGTERM");
      cleanUp(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const lines = (path: string) =>
  (statSync(path, { throwIfNoEntry: false }) === undefined ? "" : readFileSync(path, "utf8"))
    .split("\n")
    .filter((line) => line !== "");

function servicePid(directory: string): number | undefined {
  const pid = Number(lines(join(directory, "rauc.pid")).at(-1));
  if (!Number.isInteger(pid) || pid === 0) return undefined;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory) ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function endService(directory: string): Promise<void> {
  const pid = servicePid(directory);
  if (pid === undefined) return;
  process.kill(pid, "SIGKILL");
  await until(() => servicePid(directory) === undefined);
  cleanUp(directory);
}

/** A restart of the machine leaves nothing mounted and no loop device bound; here that is done by hand. */
function cleanUp(directory: string): void {
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n").reverse()) {
    const target = line.split(" ")[4];
    if (target?.startsWith(`${directory}/`)) run("umount", ["-l", target]);
  }
  for (const line of run("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]).split("\n")) {
    const [device, ...file] = line.trim().split(/\s+/);
    if (device !== undefined && file.join(" ").startsWith(`${directory}/`)) run("losetup", ["-d", device]);
  }
}

function writeWorld(directory: string, signer: Signer, raucTime: string | undefined): void {
  const path = (name: string) => join(directory, name);
  const script = (name: string, text: string) =>
    writeFileSync(path(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  writeFileSync(path("ca.pem"), readFileSync(signer.ca));
  for (const slot of ["A", "B"]) {
    const image = Buffer.alloc(4096);
    image.write("1.0.0\n");
    writeFileSync(path(`slot-${slot}.img`), image);
  }
  writeFileSync(
    path("system.conf"),
    `[system]\ncompatible=${compatible}\nbootloader=uboot\nmountprefix=${path("mnt")}\nstatusfile=${path("data/slots")}\n` +
      `bundle-formats=plain verity\n\n[keyring]\npath=${path("ca.pem")}\n` +
      ["A", "B"]
        .map(
          (slot, index) =>
            `\n[slot.rootfs.${index}]\ndevice=${path(`slot-${slot}.img`)}\ntype=raw\nbootname=${slot}\n`,
        )
        .join(""),
  );
  writeFileSync(
    path("fw_env.config"),
    ["env-1", "env-2"].map((name) => `${path(name)} 0x0 0x4000\n`).join(""),
  );
  for (const name of ["env-1", "env-2"]) writeFileSync(path(name), Buffer.alloc(16384));
  writeFileSync(
    path("defaults"),
    `BOOT_ORDER=A B\nBOOT_A_LEFT=${maximumAttempts}\nBOOT_B_LEFT=${maximumAttempts}\n`,
  );
  if (raucTime !== undefined) writeFileSync(path("wrong-time"), raucTime);
  // By its library: the program faketime stays between us and the process that it starts.
  const at =
    `if [ -e ${path("wrong-time")} ]; then FAKETIME="@$(cat ${path("wrong-time")})"; ` +
    "LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketimeMT.so.1); export FAKETIME LD_PRELOAD; fi\n";
  script("fw_printenv", `exec /usr/bin/fw_printenv -c ${path("fw_env.config")} -f ${path("defaults")} "$@"`);
  script("fw_setenv", `exec /usr/bin/fw_setenv -c ${path("fw_env.config")} -f ${path("defaults")} "$@"`);
  script("restart", `echo restart >> ${path("restarts")}`);
  script("rauc", `${at}exec /usr/bin/rauc "$@"`);
  script(
    "rauc-service",
    `echo $$ >> ${path("rauc.pid")}\n` +
      `${at}exec /usr/bin/rauc --conf=${path("system.conf")} --mount=${path("mnt")} service ` +
      `--override-boot-slot=$(cat ${path("slot")}) >> ${path("rauc.log")} 2>&1`,
  );
  run(path("bin/fw_setenv"), ["BOOT_ORDER", "A B"]);
  writeFileSync(
    path("services/de.pengutronix.rauc.service"),
    `[D-BUS Service]\nName=de.pengutronix.rauc\nExec=${path("bin/rauc-service")}\n`,
  );
  writeFileSync(
    path("bus.conf"),
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${path("bus")}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>${path("services")}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`,
  );
}
