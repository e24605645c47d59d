/**
 * The real SWUpdate: a daemon with its sockets in a folder of its own, two plain files as copies of the system, U-Boot's
 * environment behind real fw_setenv, and a boot loader that counts the boots of a trial, as projects write it.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Board } from "../../../agent/ports.js";
import type { SwupdateBoardOptions } from "../../../platform/boards/swupdate/options.js";
import { createSwupdateBoard } from "../../../platform/boards/swupdate/swupdate.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createFileStore } from "../../../platform/files/store.js";
import { createRecordingLog } from "../../simulated/log.js";
import type { Signer } from "./keys.js";
import { type Daemon, requirePrograms, run, startDaemon, until } from "./programs.js";

export interface PackageContent {
  readonly version: string;
  readonly signer: Signer;
  readonly hardware?: string;
  /** Bytes of the image; its first line is the version. */
  readonly size?: number;
  /** In place of the image's own. */
  readonly sha256?: string;
  /** What the clock said when it was signed (faketime). */
  readonly madeAt?: string;
}

/** Where the slots of a laboratory are: packages name them, so all laboratories of a file share the folder. */
export interface Slots {
  readonly directory: string;
}

export const packageName = "Test firmware";
const bootLimit = 3;

export function createPackage(path: string, { directory }: Slots, content: PackageContent): void {
  const { version, signer, hardware = "1.0", size = 512 * 1024, madeAt } = content;
  const folder = mkdtempSync(join(tmpdir(), "package-"));
  const file = (name: string) => join(folder, name);
  try {
    const random = Math.min(size, 256 * 1024);
    const image = Buffer.concat([randomBytes(random), Buffer.alloc(size - random)]);
    image.write(`${version}\n`);
    writeFileSync(file("rootfs.img"), image);
    const sha256 = content.sha256 ?? run("sha256sum", [file("rootfs.img")]).split(" ")[0];
    const mode = (copy: string, slot: string) =>
      `${copy}: { images: ({ filename = "rootfs.img"; type = "raw"; device = "${directory}/slot-${slot}.img"; ` +
      `sha256 = "${sha256}"; installed-directly = true; }); bootenv: ({ name = "slot"; value = "${slot}"; }); };`;
    writeFileSync(
      file("sw-description"),
      `software = { version = "${version}"; description = "${packageName}"; hardware-compatibility: [ "${hardware}" ];
  stable = { ${mode("copy1", "A")} ${mode("copy2", "B")} }; };\n`,
    );
    const sign = [
      ...["cms", "-sign", "-in", file("sw-description"), "-out", file("sw-description.sig")],
      ...["-signer", signer.certificate, "-inkey", signer.key, "-outform", "DER", "-nosmimecap", "-binary"],
    ];
    if (madeAt === undefined) run("openssl", sign);
    else run("faketime", ["-f", madeAt, "openssl", ...sign]);
    run("sh", ["-c", `cpio -o -H crc > '${path}' 2>/dev/null`], {
      cwd: folder,
      input: "sw-description\nsw-description.sig\nrootfs.img\n",
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Laboratory {
  readonly log: ReturnType<typeof createRecordingLog>;
  path(name: string): string;
  board(options?: Partial<SwupdateBoardOptions>): Board;
  boot(): Promise<Board>;
  fallBack(): Promise<Board>;
  booted(): string;
  environment(name: string): string;
  slotVersion(slot: string): string;
  restarts(): number;
  startDaemon(): Promise<void>;
  killDaemon(): Promise<void>;
  daemonLog(): string;
  close(): Promise<void>;
}

export interface LaboratoryOptions {
  readonly slots: Slots;
  readonly signer: Signer;
  /** Of the daemon's configuration, `globals`. */
  readonly settings?: string;
  /** Which copies the daemon lets a client choose; both when not given. */
  readonly accepted?: string;
}

export async function createLaboratory({
  slots,
  signer,
  settings = "",
  accepted = "-q stable,copy1 -q stable,copy2",
}: LaboratoryOptions): Promise<Laboratory> {
  requirePrograms("swupdate", "swupdate-client", "fw_setenv", "cpio", "openssl", "faketime");
  const directory = mkdtempSync(join(tmpdir(), "swupdate-"));
  const path = (name: string) => join(directory, name);
  const slotPath = (slot: string) => join(slots.directory, `slot-${slot}.img`);
  for (const folder of ["bin", "etc", "data", "run", "root/etc", "root/proc/sys/kernel/random"]) {
    mkdirSync(path(folder), { recursive: true });
  }
  for (const slot of ["A", "B"]) writeFileSync(slotPath(slot), `1.0.0\n${"\0".repeat(4090)}`);
  const configuration = ["env-1", "env-2"].map((name) => `${path(name)} 0x0 0x4000\n`).join("");
  for (const name of ["env-1", "env-2"]) writeFileSync(path(name), Buffer.alloc(0x4000));
  writeFileSync(path("etc/fw_env.config"), configuration);
  writeFileSync(path("defaults"), "slot=A\nbootcount=0\n");
  writeFileSync(
    path("swupdate.cfg"),
    `globals: { bootloader = "uboot"; loglevel = 5; public-key-file = "${signer.ca}"; ${settings} };\n`,
  );
  writeFileSync(path("bin/root"), `#!/bin/sh\necho /dev/slot-$(cat ${path("booted")})\n`, { mode: 0o755 });
  writeFileSync(path("bin/restart"), `#!/bin/sh\necho restart >> ${path("restarts")}\n`, { mode: 0o755 });

  const log = createRecordingLog();
  const common = ["-c", path("etc/fw_env.config"), "-f", path("defaults")];
  const environment = (name: string) => run("fw_printenv", [...common, "-n", name]).trim();
  const setEnvironment = (name: string, value: string) => void run("fw_setenv", [...common, name, value]);
  const slotVersion = (slot: string) =>
    readFileSync(slotPath(slot)).subarray(0, 32).toString("latin1").split("\n")[0] ?? "";
  const booted = () => readFileSync(path("booted"), "utf8").trim();
  setEnvironment("slot", "A");

  let daemon: Daemon | undefined;
  async function begin(): Promise<void> {
    for (const socket of ["sockinstctrl", "swupdateprog"]) rmSync(path(`run/${socket}`), { force: true });
    // SWUpdate reads /etc/fw_env.config and nothing else: in a mount namespace of its own /etc has it.
    const command = `mount -t overlay -o lowerdir=${path("etc")}:/etc none /etc && exec swupdate -f ${path("swupdate.cfg")} -k ${signer.ca} -H board:1.0 ${accepted}`;
    daemon = startDaemon("unshare", ["-m", "sh", "-c", command], { ...process.env, TMPDIR: path("run") });
    await until(() => existsSync(path("run/sockinstctrl")) && existsSync(path("run/swupdateprog")), daemon);
  }

  const board = (options: Partial<SwupdateBoardOptions> = {}) =>
    createSwupdateBoard({
      clock: createSystemClock(),
      log,
      store: createFileStore(path("data")),
      socketDirectory: path("run"),
      keyPath: signer.ca,
      hardware: "board:1.0",
      copies: [
        { root: "/dev/slot-A", selection: "stable,copy1", boot: { slot: "A" } },
        { root: "/dev/slot-B", selection: "stable,copy2", boot: { slot: "B" } },
      ],
      rootDevice: { program: path("bin/root") },
      bootEnvironment: { configuration: path("etc/fw_env.config") },
      workDirectory: path("data"),
      root: path("root"),
      restart: { by: "program", program: path("bin/restart") },
      ...options,
    });

  /** Counts the boots of a trial and gives up after three, as the boot scripts of projects do. */
  async function boot(): Promise<Board> {
    await daemon?.kill();
    if (environment("ustate") === "1" || environment("ustate") === "2") {
      const count = Number(environment("bootcount") || "0") + 1;
      setEnvironment("bootcount", String(count));
      if (count > bootLimit) {
        setEnvironment("slot", environment("slot") === "A" ? "B" : "A");
        setEnvironment("ustate", "3");
      }
    } else setEnvironment("bootcount", "0");
    writeFileSync(path("booted"), environment("slot"));
    writeFileSync(
      path("root/etc/os-release"),
      `NAME=Test\nVERSION_ID="${slotVersion(environment("slot"))}"\n`,
    );
    writeFileSync(path("root/proc/sys/kernel/random/boot_id"), `${randomUUID()}\n`);
    await begin();
    return board();
  }

  await boot();
  return {
    log,
    path,
    board,
    boot,
    async fallBack() {
      const failing = environment("slot");
      for (let attempt = 0; attempt <= bootLimit; attempt++) {
        const next = await boot();
        if (booted() !== failing) return next;
      }
      throw new Error("the boot loader never gave up");
    },
    booted,
    environment,
    slotVersion,
    restarts: () =>
      existsSync(path("restarts")) ? readFileSync(path("restarts"), "utf8").trim().split("\n").length : 0,
    startDaemon: begin,
    async killDaemon() {
      await daemon?.kill();
    },
    daemonLog: () => daemon?.output() ?? "",
    async close() {
      await daemon?.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
