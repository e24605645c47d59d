/**
 * A guest that is a board with two slots: real RAUC, real `fw_setenv`, and a boot loader that counts attempts as U-Boot's
 * script of RAUC does. A slot holds no root file system but a few lines, which say what the image in it is like:
 * `VERSION=…` and `HEALTH=good|bad`.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Guest, type GuestOptions } from "./guest.js";

const run = promisify(execFile);

export const compatible = "Lab-Board";
const slotSize = 1 << 20;

export interface SlotImage {
  readonly version: string;
  readonly health: "good" | "bad";
}

export async function createRaucBoard(
  options: GuestOptions = {},
): Promise<{ guest: Guest; keys: SigningKeys }> {
  const guest = await Guest.create({ loopDevices: [0, 1, 2, 3, 4, 5, 6, 7], ...options });
  const keys = await createSigningKeys();
  await makeDisk(guest);
  await guest.write("/etc/rauc/ca.pem", await readFile(keys.authority));
  await guest.write("/etc/rauc/system.conf", systemConfiguration);
  await guest.write("/etc/fw_env.config", "/disk/env0 0x0 0x4000\n/disk/env1 0x0 0x4000\n");
  await guest.write(
    "/etc/fstab",
    partitions.map(({ image, mount }) => `/disk/${image} ${mount} ext4 loop,nofail 0 0\n`).join(""),
  );
  for (const { mount } of partitions) await mkdir(join(guest.root, mount), { recursive: true });
  await guest.write("/usr/local/sbin/boot-loader", bootLoader, 0o755);
  await guest.write("/etc/systemd/system/boot-loader.service", bootLoaderUnit);
  await guest.write(
    "/usr/local/bin/healthy",
    "#!/bin/sh\ngrep -q HEALTH=good /run/image || { echo 'this image is not healthy' >&2; exit 1; }\n",
    0o755,
  );
  await mkdir(join(guest.root, "etc/systemd/system/sysinit.target.wants"), { recursive: true });
  await guest.chroot("systemctl", "enable", "boot-loader.service");
  await guest.chroot(
    "sh",
    "-c",
    "fw_setenv -f /dev/null BOOT_ORDER 'A B'; fw_setenv BOOT_A_LEFT 3; fw_setenv BOOT_B_LEFT 3",
  );
  return { guest, keys };
}

/** Partitions of their own, as on a board: what they hold outlives the slots, and RAUC can stat the device under a bundle. */
const partitions = [
  { image: "state.img", mount: "/var/lib/lwm2m-agent" },
  { image: "cache.img", mount: "/var/cache/lwm2m-agent" },
] as const;

async function makeDisk(guest: Guest): Promise<void> {
  for (const { image } of partitions) {
    await run("truncate", ["-s", "64M", join(guest.disk, image)]);
    await run("mkfs.ext4", ["-q", "-F", join(guest.disk, image)]);
  }
  await writeFile(join(guest.disk, "slot-a.img"), slotContent({ version: "1.0", health: "good" }));
  await writeFile(join(guest.disk, "slot-b.img"), Buffer.alloc(slotSize));
  for (const copy of ["env0", "env1"]) await writeFile(join(guest.disk, copy), Buffer.alloc(0x4000, 0xff));
}

/**
 * Power goes: what was written and not synced is lost. It lies in the caches of the guest's file systems, so the files under
 * their loop devices are what a disk would hold.
 */
export async function cutPower(guest: Guest): Promise<void> {
  await guest.run("sh", "-c", "kill -STOP -1"); // all but itself, so that slots, boot loader and files are of one moment
  for (const { image } of partitions) {
    await run("cp", ["--sparse=always", join(guest.disk, image), join(guest.disk, `${image}.durable`)]);
  }
  await guest.cut();
  for (const { image } of partitions)
    await rename(join(guest.disk, `${image}.durable`), join(guest.disk, image));
}

function slotContent({ version, health }: SlotImage): Buffer {
  const content = Buffer.alloc(slotSize);
  content.write(`VERSION=${version}\nHEALTH=${health}\n`);
  return content;
}

const systemConfiguration = `[system]
compatible=${compatible}
bootloader=uboot
mountprefix=/run/rauc-mounts
statusfile=/var/lib/lwm2m-agent/rauc.status
bundle-formats=plain

[keyring]
path=/etc/rauc/ca.pem

[slot.rootfs.0]
device=/disk/slot-a.img
type=raw
bootname=A

[slot.rootfs.1]
device=/disk/slot-b.img
type=raw
bootname=B
`;

/**
 * What the firmware of a board does before Linux: the first slot of BOOT_ORDER that has attempts left loses one and is
 * started. The kernel of a guest is that of its host, so its command line is laid over; systemd-nspawn gives each boot an id
 * of its own.
 */
const bootLoader = `#!/bin/sh
set -eu
chosen=
for slot in $(fw_printenv -n BOOT_ORDER); do
  left=$(fw_printenv -n BOOT_\${slot}_LEFT)
  if [ "$left" -gt 0 ]; then
    fw_setenv BOOT_\${slot}_LEFT $((left - 1))
    chosen=$slot
    break
  fi
done
if [ -z "$chosen" ]; then
  chosen=A
fi
mkdir -p /run/firmware
echo "console=ttyS0 rauc.slot=$chosen" > /run/firmware/cmdline
mount --bind /run/firmware/cmdline /proc/cmdline
head -c 512 "/disk/slot-$(echo "$chosen" | tr AB ab).img" | tr -d '\\000' > /run/image
`;

const bootLoaderUnit = `[Unit]
Description=Firmware of the board
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/boot-loader

[Install]
WantedBy=sysinit.target
`;

export interface SigningKeys {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority and a signer below it. */
export async function createSigningKeys(): Promise<SigningKeys> {
  const folder = await mkdtemp(join(tmpdir(), "rauc-keys-"));
  const at = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => run("openssl", words);
  await openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "7300",
    "-subj",
    "/CN=Lab authority",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
  );
  await openssl(
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=Lab signer",
    "-keyout",
    at("signer.key"),
    "-out",
    at("signer.csr"),
  );
  await writeFile(at("signer.ext"), "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n");
  await openssl(
    "x509",
    "-req",
    "-in",
    at("signer.csr"),
    "-CA",
    at("ca.pem"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    "7300",
    "-extfile",
    at("signer.ext"),
    "-out",
    at("signer.pem"),
  );
  return { authority: at("ca.pem"), certificate: at("signer.pem"), key: at("signer.key") };
}

/** @returns a bundle that RAUC installs */
export async function createBundle(image: SlotImage, keys: SigningKeys): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "rauc-bundle-"));
  try {
    const content = join(folder, "content");
    await mkdir(content);
    await writeFile(join(content, "rootfs.img"), slotContent(image));
    await writeFile(
      join(content, "manifest.raucm"),
      `[update]\ncompatible=${compatible}\nversion=${image.version}\n\n[bundle]\nformat=plain\n\n[image.rootfs]\nfilename=rootfs.img\n`,
    );
    const bundle = join(folder, "update.raucb");
    await run("rauc", [
      "bundle",
      `--cert=${keys.certificate}`,
      `--key=${keys.key}`,
      `--keyring=${keys.authority}`,
      content,
      bundle,
    ]);
    return await readFile(bundle);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
