/** What would keep RAUC from a good end: asked for by the operator, before there is an update. */
import { X509Certificate } from "node:crypto";
import { readdir, readFile, stat, statfs } from "node:fs/promises";
import type { Finding } from "../../../agent/ports.js";
import { connectToBus, DBusError } from "../../dbus/connection.js";
import type { SystemFiles } from "../../linux/files.js";
import { describeError } from "../../system-error.js";
import { isOlder, readRaucVersion } from "./bundle.js";
import type { RaucBoardOptions } from "./options.js";
import { RaucRecords } from "./record.js";
import { RaucService } from "./service.js";
import type { Slot } from "./slots.js";
import { parseSystemConf, type SystemConf } from "./system-conf.js";

export interface CheckOptions extends RaucBoardOptions {
  readonly files: SystemFiles;
}

const defaultConfiguration = "/etc/rauc/system.conf";

export async function checkRauc(options: CheckOptions): Promise<readonly Finding[]> {
  const { packageDirectory } = options;
  const configuration = await readConfiguration(options.configurationPath ?? defaultConfiguration);
  return [
    ...(await checkProgram(options)),
    ...configuration.findings,
    ...(configuration.conf === undefined ? [] : await checkConfiguration(configuration.conf, options)),
    ...(await checkService(options, configuration.conf)),
    ...(configuration.conf?.bootloader === "uboot" ? await checkEnvironment(options.files) : []),
    ...(await checkForeignMarking(options.files)),
    ...(packageDirectory === undefined ? [] : await checkPackageDirectory(packageDirectory)),
  ];
}

const error = (found: string, remedy: string): Finding => ({ level: "error", found, remedy });
const warning = (found: string, remedy: string): Finding => ({ level: "warning", found, remedy });
const info = (found: string): Finding => ({ level: "info", found, remedy: "" });

async function checkProgram({ program = "rauc", clock }: CheckOptions): Promise<readonly Finding[]> {
  const version = await readRaucVersion({ program, clock });
  if (version === undefined) {
    return [
      error(
        `the program ${program} cannot be run`,
        "install RAUC (Debian: package rauc), or say where it is",
      ),
    ];
  }
  return isOlder(version, [1, 15, 2])
    ? [info(`RAUC ${version.join(".")} runs here; before 1.15.2, plain bundles above 2 GiB are refused`)]
    : [info(`RAUC ${version.join(".")} runs here`)];
}

async function readConfiguration(path: string) {
  try {
    return { conf: parseSystemConf(await readFile(path, "utf8"), path), findings: [] };
  } catch (cause) {
    const found = `${path} cannot be read: ${describeError(cause)}`;
    return {
      conf: undefined,
      findings: [warning(found, "make it readable for the agent; its keyring is needed to inspect bundles")],
    };
  }
}

async function checkConfiguration(
  conf: SystemConf,
  { files, clock }: CheckOptions,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  if (!conf.hasCentralStatus) {
    findings.push(
      warning(
        "RAUC keeps the status of slots inside the slots (no data-directory or statusfile in system.conf), so it does not know what a raw slot holds",
        "set data-directory= to a folder on a partition that both images see",
      ),
    );
  }
  if (!(await files.exists("dev/mapper/control"))) findings.push(...checkWithoutDeviceMapper(conf));
  return [...findings, ...(await checkKeyring(conf, clock.date()))];
}

function checkWithoutDeviceMapper({ bundleFormats }: SystemConf): readonly Finding[] {
  return bundleFormats.has("plain")
    ? [info("the kernel has no device mapper: only bundles of format plain can be installed")]
    : [
        error(
          "system.conf allows no plain bundles, and the kernel has no device mapper for others (/dev/mapper/control is missing)",
          "enable CONFIG_DM_VERITY in the kernel",
        ),
      ];
}

async function checkKeyring(
  { keyringPath, keyringDirectory }: SystemConf,
  now: Date,
): Promise<readonly Finding[]> {
  if (keyringPath === undefined && keyringDirectory === undefined) {
    return [error("system.conf names no keyring", "set path= in its section [keyring]")];
  }
  try {
    if (keyringDirectory !== undefined) await readdir(keyringDirectory);
    if (keyringPath === undefined) return [];
    const texts = (await readFile(keyringPath, "utf8")).match(pem) ?? [];
    if (texts.length === 0)
      return [error(`${keyringPath} holds no certificate`, "put the CA of your bundles there")];
    return texts.flatMap((text) => checkCertificate(new X509Certificate(text), keyringPath, now));
  } catch (cause) {
    return [
      error(
        `the keyring cannot be read: ${describeError(cause)}`,
        "see [keyring] in system.conf; the agent must be able to read it",
      ),
    ];
  }
}

const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function checkCertificate(certificate: X509Certificate, path: string, now: Date): readonly Finding[] {
  const { validFrom, validTo } = certificate;
  const subject = certificate.subject.replace(/\n/g, ", ");
  if (new Date(validTo) < now) {
    return [error(`${path}: the certificate of ${subject} has expired on ${validTo}`, "renew the keyring")];
  }
  return new Date(validFrom) > now
    ? [
        warning(
          `${path}: the certificate of ${subject} is not valid before ${validFrom}`,
          "is the clock of this device set?",
        ),
      ]
    : [];
}

async function checkService(
  options: CheckOptions,
  conf: SystemConf | undefined,
): Promise<readonly Finding[]> {
  try {
    const bus = await connectToBus({ address: options.busAddress, clock: options.clock });
    try {
      return await checkAnswers(new RaucService(bus), options, conf);
    } finally {
      bus.close();
    }
  } catch (cause) {
    if (!(cause instanceof DBusError)) throw cause;
    return [
      error(
        `the service of RAUC does not answer on the system bus: ${cause.message}`,
        "install and start it (Debian: package rauc-service; `systemctl status rauc` says why it does not run)",
      ),
    ];
  }
}

async function checkAnswers(
  service: RaucService,
  options: CheckOptions,
  conf: SystemConf | undefined,
): Promise<readonly Finding[]> {
  const compatible = await service.text("Compatible");
  const booted = (await service.slots()).find(({ isBooted }) => isBooted);
  const findings: Finding[] = [];
  if (conf?.compatible !== undefined && conf.compatible !== compatible) {
    findings.push(
      warning(
        `the service is for "${compatible}", system.conf says "${conf.compatible}"`,
        "restart rauc.service",
      ),
    );
  }
  if (booted === undefined) {
    findings.push(
      error(
        "RAUC does not know which slot runs",
        "the boot loader must pass rauc.slot= on the kernel command line",
      ),
    );
  } else findings.push(...(await checkTrial(booted, options, conf)));
  if (conf !== undefined) findings.push(...(await checkMounts(conf, service)));
  return findings;
}

/** These boot loaders remember that somebody said `good`; those that count attempts call a slot good before anybody did. */
const remembersGood = ["grub", "efi"];

async function checkTrial(
  booted: Slot,
  { store }: CheckOptions,
  conf: SystemConf | undefined,
): Promise<readonly Finding[]> {
  const record = await new RaucRecords(store).read();
  const isOnTrial = record?.expectedSlot === booted.name;
  if (!isOnTrial || booted.bootStatus !== "good" || !remembersGood.includes(conf?.bootloader ?? ""))
    return [];
  return [
    warning(
      `slot ${booted.name} is on trial, but somebody else has marked it good already`,
      "disable whatever runs `rauc status mark-good` at boot: the agent does it when the trial has passed",
    ),
  ];
}

async function checkMounts({ mountPrefix }: SystemConf, service: RaucService): Promise<readonly Finding[]> {
  if ((await service.text("Operation")) !== "idle") return [];
  const left = (await readMounts())
    .map(({ target }) => target)
    .filter((target) => target.startsWith(`${mountPrefix}/`));
  return left.map((target) =>
    warning(
      `${target} is still mounted, from an installation that was cut off`,
      `umount ${target}: it holds a loop device`,
    ),
  );
}

/** It is RAUC that reads and writes it, as root; whether there is one copy or two can be seen without. */
async function checkEnvironment(files: SystemFiles): Promise<readonly Finding[]> {
  const copies = ((await files.text("etc/fw_env.config")) ?? "")
    .split("\n")
    .filter((line) => /^\s*[^#\s]/.test(line));
  return copies.length === 1
    ? [
        warning(
          "the boot loader's environment has one copy alone (/etc/fw_env.config): a power cut while it is written loses it",
          "build U-Boot with CONFIG_SYS_REDUNDAND_ENVIRONMENT and name both copies",
        ),
      ]
    : [];
}

const units = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
const markGood = "rauc-mark-good.service";

/** The usual unit of others, where it is wanted by some target. */
async function checkForeignMarking(files: SystemFiles): Promise<readonly Finding[]> {
  const folders = await Promise.all(
    units.map(async (folder) =>
      (await files.list(folder)).filter((name) => name.endsWith(".wants")).map((name) => `${folder}/${name}`),
    ),
  );
  for (const folder of folders.flat()) {
    if (!(await files.list(folder)).includes(markGood)) continue;
    return [
      warning(
        `${markGood} marks each image good as soon as Linux is up (/${folder}): an image that boots but does not work would stay`,
        `systemctl disable ${markGood}: the agent marks good when the trial has passed`,
      ),
    ];
  }
  return [];
}

/** File systems that RAUC trusts without a device, or never: the numbers of statfs(2). */
const deviceless = [
  0x794c7630 /* overlay */, 0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */, 0x24051905 /* UBIFS */,
  0x2fc12fc1 /* ZFS */,
];
const refused = new Map([
  [0x65735546, "FUSE"],
  [0x6969, "NFS"],
]);

/** RAUC installs only from a file system that nobody else can change below it. */
async function checkPackageDirectory(directory: string): Promise<readonly Finding[]> {
  const remedy = "put the packages on a local file system whose device node exists";
  try {
    const [{ dev }, root, { type }] = await Promise.all([stat(directory), stat("/"), statfs(directory)]);
    if (dev === root.dev || deviceless.includes(type)) return [];
    const kind = refused.get(type);
    if (kind !== undefined)
      return [error(`${directory} is on ${kind}, from which RAUC does not install`, remedy)];
    const devices = await Promise.all((await readMounts()).map(({ source }) => deviceOf(source)));
    return devices.includes(dev)
      ? []
      : [
          error(
            `RAUC will not find the device that ${directory} is on ("unable to find mounted device for bundle")`,
            remedy,
          ),
        ];
  } catch (cause) {
    return [
      error(
        `${directory} cannot be looked at: ${describeError(cause)}`,
        "make the folder, owned by the agent",
      ),
    ];
  }
}

const deviceOf = (source: string): Promise<number | undefined> =>
  source.startsWith("/")
    ? stat(source).then(
        ({ rdev }) => rdev,
        () => undefined,
      )
    : Promise.resolve(undefined);

/** @see proc_pid_mountinfo(5) */
async function readMounts(): Promise<readonly { readonly source: string; readonly target: string }[]> {
  const text = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [, target, source] = /^\d+ \d+ \S+ \S+ (\S+) .* - \S+ (\S+)/.exec(line) ?? [];
    return target === undefined || source === undefined
      ? []
      : [{ source: withBlanks(source), target: withBlanks(target) }];
  });
}

/** Blanks are written as `\040`. */
const withBlanks = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
