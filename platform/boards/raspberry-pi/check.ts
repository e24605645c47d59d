import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Clock, type Finding, seconds } from "../../../agent/ports.js";
import { runProgram } from "../../exec/program.js";
import { describeError } from "../../system-error.js";
import { readDevice, sizeOfDevice } from "../block-device.js";
import { maximumAutobootSize, parseAutoboot } from "./autoboot.js";
import type { RaspberryPiSlot } from "./board.js";
import { type BootFacts, readBootFacts, readBootLoaderFacts } from "./firmware.js";
import { namesDevice, rootOf } from "./root-argument.js";

export interface RaspberryPiFacts {
  /** The revision code of the board. */
  readonly hardwareVersion: string;
  readonly slots: readonly [RaspberryPiSlot, RaspberryPiSlot];
  readonly autobootFile: string;
  readonly deviceTree: string;
  readonly diskLinks: string;
  readonly mountInfoFile: string;
  readonly disk: string;
  readonly commandLineFile: string;
  readonly systemdFolder: string;
  readonly bootLoaderConfiguration: { readonly program: string; readonly arguments: readonly string[] };
  readonly clock: Clock;
}

/** What would keep an update of a Raspberry Pi from going well. The boot loader is asked, not the model. */
export async function checkRaspberryPi(facts: RaspberryPiFacts): Promise<readonly Finding[]> {
  const booted = await readBootFacts(facts.deviceTree).catch((error: unknown) => describeError(error));
  if (typeof booted === "string") {
    return [error(booted, "update the boot loader (rpi-eeprom-update), or choose another type of board")];
  }
  return [
    ...(await checkBootLoader(facts)),
    ...checkRevision(facts.hardwareVersion),
    ...(await checkAutoboot(facts)),
    ...(await checkSlots(facts, booted)),
    ...(await checkTable(facts)),
    ...(await checkWatchdogs(facts)),
  ];
}

/** `tryboot_a_b` came in October 2022; with secure boot the flag was lost until April 2024. */
const firstWithPartitions = new Date("2022-10-01T00:00:00Z");
const firstWithSecureBoot = new Date("2024-04-01T00:00:00Z");

async function checkBootLoader({ deviceTree }: RaspberryPiFacts): Promise<readonly Finding[]> {
  const { canTryPartitions, version, builtAt } = await readBootLoaderFacts(deviceTree);
  const release = `the boot loader ${version}${builtAt ? ` of ${builtAt.toISOString().slice(0, 10)}` : ""}`;
  const update = "update it: rpi-eeprom-update -a";
  if (canTryPartitions === false)
    return [error(`${release} cannot try another partition (tryboot_a_b)`, update)];
  if (builtAt !== undefined && builtAt < firstWithPartitions) {
    return [error(`${release} is older than October 2022, when tryboot_a_b came`, update)];
  }
  const findings: Finding[] = [];
  if (canTryPartitions === undefined) {
    findings.push(warning(`${release} does not say whether it can try another partition`, update));
  }
  if (builtAt !== undefined && builtAt < firstWithSecureBoot) {
    findings.push(
      warning(
        `${release} is older than April 2024: with secure boot it forgets the try, and some read tryboot.txt`,
        update,
      ),
    );
  }
  return findings;
}

/** The Raspberry Pi 4 Model B is type 0x11 in bits 4 to 11 of the code, bits 0 to 3 are its revision. */
function checkRevision(code: string): readonly Finding[] {
  const revision = Number.parseInt(code, 16);
  if (((revision >>> 4) & 0xff) !== 0x11 || (revision & 0xf) > 1) return [];
  return [info("this board keeps the flag of a try in its EEPROM, which must not be write-protected")];
}

async function checkAutoboot({
  autobootFile,
  slots,
  mountInfoFile,
}: RaspberryPiFacts): Promise<readonly Finding[]> {
  const bytes = await readFile(autobootFile).catch((cause: unknown) => describeError(cause));
  if (typeof bytes === "string") {
    return [
      error(
        `${autobootFile} cannot be read: ${bytes}`,
        "mount the first partition there, read-only, and write it",
      ),
    ];
  }
  const findings: Finding[] = [];
  if (bytes.length > maximumAutobootSize) {
    findings.push(
      error(
        `${autobootFile} has ${bytes.length} bytes: the firmware reads ${maximumAutobootSize}`,
        "shorten it",
      ),
    );
  }
  const { usesPartitions, all, tryboot } = parseAutoboot(bytes.toString("latin1"));
  const [first, second] = slots.map(({ partition }) => partition);
  const isPair = (all === first && tryboot === second) || (all === second && tryboot === first);
  if (!usesPartitions || !isPair) {
    findings.push(
      error(
        `${autobootFile} does not switch between the partitions ${first} and ${second}`,
        `write: [all] tryboot_a_b=1 boot_partition=${first} [tryboot] boot_partition=${second}, a line each`,
      ),
    );
  }
  const mount = (await readFile(mountInfoFile, "utf8").catch(() => ""))
    .split("\n")
    .find((line) => line.split(" ")[4] === dirname(autobootFile));
  if (mount !== undefined && !(mount.split(" ")[5] ?? "").split(",").includes("ro")) {
    findings.push(
      warning(
        `${dirname(autobootFile)} is mounted read-write: a power cut can ruin it`,
        "mount it with `ro` in /etc/fstab",
      ),
    );
  }
  return findings;
}

async function checkSlots(
  { slots, diskLinks, commandLineFile }: RaspberryPiFacts,
  booted: BootFacts,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const sizes: Record<"boot" | "root", number[]> = { boot: [], root: [] };
  for (const slot of slots) {
    for (const kind of ["boot", "root"] as const) {
      try {
        sizes[kind].push(await sizeOfDevice(slot[kind]));
      } catch (cause) {
        findings.push(
          error(
            `${slot[kind]} cannot be used: ${describeError(cause)}`,
            "name the partitions of both systems in `slots`",
          ),
        );
      }
    }
  }
  for (const kind of ["boot", "root"] as const) {
    const [first, second] = sizes[kind];
    if (first === undefined || second === undefined || first === second) continue;
    findings.push(
      warning(
        `the ${kind} partitions have ${first} and ${second} bytes: an image must fit into the smaller one`,
        "make them equal",
      ),
    );
  }
  const running = slots.find(({ partition }) => partition === booted.partition);
  const root = rootOf(await readFile(commandLineFile, "utf8").catch(() => ""));
  if (running === undefined) {
    findings.push(error(`partition ${booted.partition} was booted, which is in no slot`, "correct `slots`"));
  } else if (
    root !== undefined &&
    findings.length === 0 &&
    !(await namesDevice(root, running.root, diskLinks))
  ) {
    findings.push(
      error(
        `the system of boot partition ${running.partition} has root=${root}, which is not its own ${running.root}`,
        "correct cmdline.txt on that partition, or `slots`",
      ),
    );
  }
  return findings;
}

/** Some releases do not boot from a GPT disk whose first FAT is very small. */
async function checkTable({ disk }: RaspberryPiFacts): Promise<readonly Finding[]> {
  const sector = await readDevice(disk, 0, 512).catch(() => undefined);
  if (sector === undefined) return [info(`the partition table on ${disk} cannot be read`)];
  if (sector[450] !== 0xee) return [];
  return [
    warning(
      `${disk} has a GPT: some releases of the boot loader fail when its first FAT partition is very small`,
      "use an MBR, or a FAT32 of at least 128 MiB",
    ),
  ];
}

/** A kernel that hangs on trial stays hung unless somebody watches: each of three stages needs its own watchdog. */
async function checkWatchdogs(facts: RaspberryPiFacts): Promise<readonly Finding[]> {
  const { commandLineFile, systemdFolder } = facts;
  const findings: Finding[] = [];
  const configuration = await bootLoaderConfigurationOf(facts);
  if (configuration === undefined) {
    findings.push(
      info("the configuration of the boot loader cannot be read: whether it has a watchdog is not known"),
    );
  } else if (!/^BOOT_WATCHDOG_TIMEOUT=[1-9]/m.test(configuration)) {
    findings.push(
      warning(
        "no watchdog while the boot loader works",
        "set BOOT_WATCHDOG_TIMEOUT=60 with rpi-eeprom-config --edit",
      ),
    );
  }
  if (!/(^|\s)panic=-?[1-9]/.test(await readFile(commandLineFile, "utf8").catch(() => ""))) {
    findings.push(
      warning("a kernel that panics stays where it is", "add panic=10 to cmdline.txt of the images"),
    );
  }
  if (!/^\s*RuntimeWatchdogSec\s*=\s*(?!0|off|\s*$)/m.test(await systemdSettings(systemdFolder))) {
    findings.push(
      warning(
        "no watchdog while the system runs",
        "set RuntimeWatchdogSec=15 in /etc/systemd/system.conf of the images",
      ),
    );
  }
  return findings;
}

async function bootLoaderConfigurationOf(facts: RaspberryPiFacts): Promise<string | undefined> {
  const { program, arguments: words } = facts.bootLoaderConfiguration;
  try {
    const result = await runProgram(program, {
      arguments: words,
      clock: facts.clock,
      timeLimit: seconds(10),
    });
    return result.exitCode === 0 ? result.output : undefined;
  } catch {
    return undefined; // vcgencmd is not part of every image
  }
}

async function systemdSettings(folder: string): Promise<string> {
  const dropIns = await readdir(join(folder, "system.conf.d")).catch(() => []);
  const paths = [
    join(folder, "system.conf"),
    ...dropIns.sort().map((name) => join(folder, "system.conf.d", name)),
  ];
  return (await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")))).join("\n");
}

const error = (found: string, remedy: string): Finding => ({ level: "error", found, remedy });
const warning = (found: string, remedy: string): Finding => ({ level: "warning", found, remedy });
const info = (found: string): Finding => ({ level: "info", found, remedy: "" });
