import { readFile } from "node:fs/promises";
import type { Finding } from "../../../agent/ports.js";
import { describeError, errorCode } from "../../system-error.js";
import type { BootEnvironment } from "../boot-environment.js";
import { findFileSystem } from "./update-partition.js";

export interface EdisonFacts {
  readonly device: string;
  readonly fileSystem: string;
  readonly environment: BootEnvironment;
  /** Without a serial number of its own. */
  readonly isAnonymous: boolean;
  readonly version: string;
  readonly factoryPackage: object | undefined;
  readonly packageVersionFile: string | undefined;
  readonly fileSystemsFile?: string;
  readonly mountsFile?: string;
}

/** What would keep an update of an Edison from going well. */
export async function checkEdison(facts: EdisonFacts): Promise<readonly Finding[]> {
  const { isAnonymous, version, factoryPackage, packageVersionFile } = facts;
  const findings: Finding[] = [
    ...(await checkPartition(facts)),
    ...(await checkKernel(facts)),
    ...(await facts.environment.check()),
    {
      level: "info",
      found: "an Edison has one root file system: an image that does not come up cannot be taken back",
      remedy: "",
    },
  ];
  if (isAnonymous) {
    findings.push({
      level: "warning",
      found: "the board has no serial number of its own",
      remedy: "write one to /factory/serial_number, or name another file in the configuration of the board",
    });
  }
  if (version === "") {
    findings.push({
      level: "error",
      found: "the version that runs is not known: an update could not be told from none",
      remedy: "build images with /etc/version, or name another file in the configuration of the board",
    });
  }
  if (packageVersionFile === undefined) {
    findings.push({
      level: "info",
      found:
        "the version of a bare zip archive is not known: what runs after an update only has to be another version",
      remedy: "",
    });
  }
  if (factoryPackage === undefined) {
    findings.push({
      level: "info",
      found: "no factory package is configured: a factory reset is refused",
      remedy: "",
    });
  }
  return findings;
}

async function checkPartition({
  device,
  mountsFile = "/proc/mounts",
}: EdisonFacts): Promise<readonly Finding[]> {
  const usesBtrfs = /^\S+ \/ btrfs /m.test(await readFile(mountsFile, "utf8").catch(() => ""));
  try {
    await findFileSystem(device);
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    return [
      {
        level: "error",
        found: isMissing ? `there is no update partition ${device}` : describeError(error),
        remedy: usesBtrfs
          ? "images with btrfs have no update partition, and `reboot ota` does nothing there: use the command board with their own way to update"
          : "flash the partitions of the factory image, or format the partition as its first boot does",
      },
    ];
  }
  if (!usesBtrfs) return [];
  return [
    {
      level: "warning",
      found: "the root file system is btrfs: images of that kind do not install from the update partition",
      remedy: "use the command board with their own way to update",
    },
  ];
}

async function checkKernel({ fileSystem, fileSystemsFile = "/proc/filesystems" }: EdisonFacts) {
  const known = await readFile(fileSystemsFile, "utf8").catch(() => undefined);
  if (known === undefined || known.split(/\s+/).includes(fileSystem)) return [];
  return [
    {
      level: "warning",
      found: `the kernel does not know the file system ${fileSystem} at the moment`,
      remedy: `modprobe ${fileSystem}, or build it into the kernel`,
    } as const,
  ];
}
