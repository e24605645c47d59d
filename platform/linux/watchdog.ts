/** Does something restart the board when its kernel hangs? An image that does so on trial comes back in no other way. */
import type { Finding } from "../../agent/ports.js";
import type { SystemFiles } from "./files.js";

const remedy =
  "Let systemd feed it: RuntimeWatchdogSec=30 and RebootWatchdogSec=10min below [Manager] in /etc/systemd/system.conf.d/watchdog.conf";

/** Empty when a hardware watchdog runs. */
export async function checkWatchdog(files: SystemFiles): Promise<readonly Finding[]> {
  const watchdogs = await files.list("sys/class/watchdog");
  if (watchdogs.length === 0) {
    return [
      {
        level: "warning",
        found:
          "there is no hardware watchdog (/sys/class/watchdog): a new image that hangs stays, until somebody comes",
        remedy:
          "Load the driver of the board's watchdog, or softdog where it has none; then see RuntimeWatchdogSec in docs/service.md",
      },
    ];
  }
  const states = await Promise.all(watchdogs.map((name) => files.text(`sys/class/watchdog/${name}/state`)));
  if (states.includes("active") || (await isFedBySystemd(files))) return [];
  return [
    {
      level: "warning",
      found: `the hardware watchdog (${watchdogs.join(", ")}) is not running: a new image that hangs stays, until somebody comes`,
      remedy,
    },
  ];
}

/** For kernels that do not tell its state. systemd reads the folders in this order, and the last word counts. */
async function isFedBySystemd(files: SystemFiles): Promise<boolean> {
  const folders = ["usr/lib/systemd/system.conf.d", "run/systemd/system.conf.d", "etc/systemd/system.conf.d"];
  const dropIns = await Promise.all(
    folders.map(async (folder) => {
      const names = (await files.list(folder)).filter((name) => name.endsWith(".conf"));
      return names.toSorted().map((name) => `${folder}/${name}`);
    }),
  );
  let value = "";
  for (const path of ["etc/systemd/system.conf", ...dropIns.flat()]) {
    const text = (await files.text(path)) ?? "";
    for (const [, given = ""] of text.matchAll(/^RuntimeWatchdogSec=(.*)$/gm)) value = given.trim();
  }
  return !["", "0", "0s", "off"].includes(value);
}
