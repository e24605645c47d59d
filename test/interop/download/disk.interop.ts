/** Disks that are full, fill up or turn read-only, as real file systems: tmpfs, and ext4 in a file. Needs root. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { type DownloadProgress, millis } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHttpDownloader } from "../../../platform/download/http.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";

const mebibyte = 1024 ** 2;
const piece = new Uint8Array(mebibyte);
/** Bytes that a package has, that no disk here could take. */
const large = 100 * mebibyte;

const routes: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/announced": (response) => void response.writeHead(200, { "content-length": large }).write(piece),
  "/endless": (response) => sendWithoutEnd(response.writeHead(200)),
  "/understated": (response) => sendWithoutEnd(response.writeHead(200, { etag: '"1"' })),
  "/small": (response) => void response.end(piece),
};

function sendWithoutEnd(response: ServerResponse): void {
  const more = () =>
    response.write(piece, (error) => (error || response.destroyed ? undefined : setTimeout(more, 1)));
  more();
}

const server = createServer((request, response) => routes[request.url ?? ""]?.(response));
let origin: string;
beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error("mounting needs root: run these tests as root");
  if (spawnSync("mkfs.ext4", ["-V"]).error)
    throw new Error("mkfs.ext4 is not installed: apt-get install e2fsprogs");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function mountPoint(): string {
  const directory = mkdtempSync(join(tmpdir(), "lwm2m-agent-disk-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const mount = (directory: string, ...argv: readonly string[]) => {
  execFileSync("mount", [...argv, directory]);
  onTestFinished(() => void execFileSync("umount", [directory]));
};

/** 24 MiB. */
function mountTmpfs(): string {
  const directory = mountPoint();
  mount(directory, "-t", "tmpfs", "-o", "size=24m", "lwm2m-agent-test");
  return directory;
}

/** A file system with a journal, which can be made to give up while files are open. */
function mountExt4(): string {
  const directory = mountPoint();
  const image = join(mountPoint(), "disk.img");
  execFileSync("truncate", ["-s", "64M", image]);
  execFileSync("mkfs.ext4", ["-q", image]);
  mount(directory, "-o", "loop", image);
  return directory;
}

async function download(
  directory: string,
  path: string,
  {
    reserve = 2 * mebibyte,
    progress = () => {},
  }: { reserve?: number; progress?: (state: DownloadProgress) => void } = {},
) {
  const log = createRecordingLog();
  const settings = createTransferSettings(
    { attempts: 2, retryDelay: millis(1) },
    {
      storage: createPackageStorage({ directory, maximumSize: 1024 * mebibyte, reserve }),
      clock: createSystemClock(),
      random: systemRandom,
      log,
    },
  );
  const { signal } = new AbortController();
  return await createHttpDownloader(settings).download(`${origin}${path}`, { signal, progress });
}

const lacksRoom = (message: string) =>
  expect.objectContaining({
    name: "PackageError",
    failure: "storage",
    message: expect.stringContaining(message),
  });

describe.each([
  ["tmpfs", mountTmpfs],
  ["ext4", mountExt4],
])("on %s", (_, mountDisk) => {
  test("what is announced and does not fit is refused before the first byte", async () => {
    const directory = join(mountDisk(), "cache");
    const told: unknown[] = [];
    await expect(
      download(directory, "/announced", { progress: (state) => told.push(state) }),
    ).rejects.toEqual(lacksRoom("does not fit"));
    expect([told, readdirSync(directory)]).toEqual([[], []]);
  });

  test.each(["/endless", "/understated"])(
    "what comes without a length (%s) ends where the reserve begins",
    async (path) => {
      const directory = join(mountDisk(), "cache");
      await expect(download(directory, path)).rejects.toEqual(lacksRoom("does not fit"));
      expect(readdirSync(directory)).toEqual([]);
      expect(await download(directory, "/small")).toMatchObject({ size: mebibyte });
    },
  );

  test("a disk that something else fills meanwhile is full, with nothing left of the package", async () => {
    const disk = mountDisk();
    const directory = join(disk, "cache");
    let filled = false;
    const fill = () => {
      if (filled) return;
      filled = true;
      try {
        writeFileSync(join(disk, "other"), new Uint8Array(large));
      } catch {} // that it is full is what it is for
    };
    await expect(download(directory, "/endless", { reserve: 0, progress: fill })).rejects.toEqual(
      lacksRoom(""),
    );
    expect(readdirSync(directory)).toEqual([]);
    rmSync(join(disk, "other"));
    expect(await download(directory, "/small")).toMatchObject({ size: mebibyte });
  });

  test("a disk that is read-only has no room", async () => {
    const disk = mountDisk();
    mkdirSync(join(disk, "cache"));
    execFileSync("mount", ["-o", "remount,ro", disk]);
    await expect(download(join(disk, "cache"), "/small")).rejects.toEqual(lacksRoom("read-only"));
  });
});

test("a disk that turns read-only amid a package has no room", async () => {
  const disk = mountExt4();
  let aborted = false;
  const abort = ({ received }: DownloadProgress) => {
    if (aborted || received < 2 * mebibyte) return;
    aborted = true;
    // What ext4 does by itself when the medium fails: it gives up its journal.
    execFileSync("mount", ["-o", "remount,abort", disk]);
  };
  await expect(download(join(disk, "cache"), "/endless", { progress: abort })).rejects.toEqual(lacksRoom(""));
  expect(aborted).toBe(true);
});

test("the digest of what arrives on a small disk is right", async () => {
  const { sha256 } = await download(join(mountTmpfs(), "cache"), "/small");
  expect(sha256).toBe(createHash("sha256").update(piece).digest("hex"));
});
