/** Where are we? For an agent that is told `auto`: which way of updating this device was built for, and why that one. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

export type DetectedType = "rauc" | "swupdate" | "edison" | "raspberry-pi" | "none";

export interface Detection {
  readonly type: DetectedType;
  /** For each type that was looked for, in order, what was found or missing, as sentences. */
  readonly reasons: readonly string[];
}

export interface DetectOptions {
  /** What `/` is for us; `/` when not given. */
  readonly root?: string;
}

/** Everything that speaks for a type has to be there; of each entry, one of its paths. */
interface Candidate {
  readonly type: Exclude<DetectedType, "none">;
  readonly signs: readonly Sign[];
}

interface Sign {
  readonly meaning: string;
  readonly anyOf: readonly string[];
  /** What the file has to contain. */
  readonly content?: RegExp;
}

/**
 * Installers come first: somebody put them there on purpose, and on a Raspberry Pi with RAUC it is RAUC that knows the slots.
 */
const candidates: readonly Candidate[] = [
  {
    type: "rauc",
    signs: [
      {
        meaning: "the configuration of RAUC",
        anyOf: ["etc/rauc/system.conf", "run/rauc/system.conf", "usr/lib/rauc/system.conf"],
      },
      {
        meaning: "its service on D-Bus, de.pengutronix.rauc",
        anyOf: [
          "usr/share/dbus-1/system-services/de.pengutronix.rauc.service",
          "usr/local/share/dbus-1/system-services/de.pengutronix.rauc.service",
          "etc/dbus-1/system-services/de.pengutronix.rauc.service",
        ],
      },
    ],
  },
  {
    type: "swupdate",
    signs: [
      {
        meaning: "a socket or the configuration of SWUpdate",
        anyOf: [
          "tmp/sockinstctrl",
          "run/swupdate/sockinstctrl",
          "etc/swupdate.cfg",
          "etc/swupdate/swupdate.cfg",
        ],
      },
      {
        meaning: "the program swupdate",
        anyOf: ["usr/bin/swupdate", "bin/swupdate", "usr/local/bin/swupdate"],
      },
    ],
  },
  {
    type: "edison",
    signs: [
      { meaning: "a partition with the label `update`", anyOf: ["dev/disk/by-partlabel/update"] },
      {
        meaning: "the factory data of an Edison",
        anyOf: ["factory/serial_number", "factory/bluetooth_address"],
      },
    ],
  },
  {
    type: "raspberry-pi",
    signs: [
      {
        meaning: "the device tree of a Raspberry Pi",
        anyOf: ["proc/device-tree/model"],
        content: /^Raspberry Pi/,
      },
      {
        meaning: "autoboot.txt, which switches between two systems",
        anyOf: ["boot/autoboot/autoboot.txt", "boot/autoboot.txt"],
      },
    ],
  },
];

export async function detectBoard({ root = "/" }: DetectOptions = {}): Promise<Detection> {
  const reasons: string[] = [];
  for (const { type, signs } of candidates) {
    const missing: Sign[] = [];
    for (const sign of signs) {
      const path = await findSign(root, sign);
      if (path === undefined) missing.push(sign);
      else reasons.push(`${type}: there is ${sign.meaning} (/${path})`);
    }
    if (missing.length === 0) return { type, reasons };
    for (const { meaning, anyOf } of missing) {
      reasons.push(`${type}: there is not ${meaning} (${anyOf.map((path) => `/${path}`).join(", ")})`);
    }
  }
  return { type: "none", reasons };
}

async function findSign(root: string, { anyOf, content }: Sign): Promise<string | undefined> {
  for (const path of anyOf) {
    const full = join(root, path);
    const isThere =
      content === undefined
        ? await stat(full).then(
            () => true,
            () => false,
          )
        : content.test(await readFile(full, "latin1").catch(() => ""));
    if (isThere) return path;
  }
  return undefined;
}
