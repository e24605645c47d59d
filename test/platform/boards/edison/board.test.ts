import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Board, BusyError, type ImageFile, type UpdateAttempt } from "../../../../agent/ports.js";
import { createEdisonBoard, type EdisonBoardOptions } from "../../../../platform/boards/edison/board.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { boardContract } from "../board.contract.js";
import {
  bundleOf,
  flashFiles,
  imageFile,
  rootName,
  scriptImage,
  withFile,
  without,
  zipFile,
} from "./package.js";
import { EdisonWorld, PowerCut } from "./world.js";
import { zipOf } from "./zip-writer.js";

const never = new AbortController().signal;
const apply = (board: Board, image: ImageFile, attempt = "attempt-1", progress = () => {}) =>
  board.apply(image, { signal: never, progress, attempt });

boardContract(
  "edison",
  async () => {
    const world = new EdisonWorld("1.0");
    return {
      board: world.board(),
      oldVersion: "1.0",
      goodImage: zipFile(world.directory, flashFiles("2.0")),
      goodPackage: { name: "edison-image", version: "2.0" },
      badImage: zipFile(world.directory, without(flashFiles("2.0"), "ota_update.scr"), "bad.zip"),
      badFailure: "unsupported-package",
      async reboot() {
        world.boot();
        return world.board();
      },
      restarts: () => world.restarts().length,
    };
  },
  { revert: "impossible", fallsBack: false, tellsAttempt: false },
);

function prepared(options: Partial<EdisonBoardOptions> = {}) {
  const world = new EdisonWorld("1.0");
  const image = zipFile(world.directory, flashFiles("2.0"));
  return { world, image, board: world.board(options) };
}

async function attemptOn(
  world: EdisonWorld,
  board: Board,
  image: ImageFile,
  version = "2.0",
): Promise<UpdateAttempt> {
  return {
    id: "attempt-1",
    package: { name: "edison-image", version },
    image,
    bootId: `boot-${world.bootNumber}`,
    previousVersion: (await board.describe()).firmwareVersion,
  };
}

test("a signed bundle that holds the archive is as good as the archive, and says name and version", async () => {
  const { world } = prepared();
  const image = await bundleOf(world.directory, flashFiles("2.0"));
  const board = world.board({ packageVersionFile: "" });
  expect(await board.inspect(image, { signal: never })).toEqual({ name: "gateway", version: "2.0" });
  await apply(board, image);
  for (const { name, content } of flashFiles("2.0")) {
    expect(readFileSync(join(world.partition, name)).equals(content), name).toBe(true);
  }
  world.boot();
  expect(world.verdicts).toEqual(["status 0"]);
  const { path } = image;
  const damaged = readFileSync(path);
  damaged[damaged.indexOf(rootName) + 100] = 0x55;
  writeFileSync(path, damaged);
  await expect(board.inspect(image, { signal: never })).rejects.toMatchObject({ failure: "integrity" });
});

describe("what the board says of itself", () => {
  test("serial number, and the version up to the @", async () => {
    expect(await prepared().board.describe()).toEqual({
      manufacturer: "Intel",
      modelNumber: "Edison",
      serialNumber: "FZED451A00001234",
      hardwareVersion: "",
      firmwareVersion: "1.0",
    });
  });

  test("the dummy of a board without factory data is no serial number", async () => {
    const { world, board } = prepared();
    writeFileSync(join(world.directory, "serial_number"), "VSPPYWWDXXXXXNNN\n");
    expect((await board.describe()).serialNumber).toBe("");
    expect(await board.check?.()).toContainEqual(
      expect.objectContaining({ level: "warning", found: expect.stringContaining("no serial number") }),
    );
  });
});

describe("inspect", () => {
  const refused = async (files: ReturnType<typeof flashFiles>) => {
    const { world, board } = prepared();
    const error = await board.inspect(zipFile(world.directory, files), { signal: never }).catch((e) => e);
    return `${error.failure}: ${error.message}`;
  };

  test.each(["ota_update.scr", "u-boot-edison.bin", "edison-image-edison.hddimg", rootName])(
    "a package without %s is refused",
    async (name) => {
      expect(await refused(without(flashFiles("2.0"), name))).toMatch(
        new RegExp(`^unsupported-package: .*${name}`),
      );
    },
  );

  test("one IFWI of several is enough, none is not", async () => {
    const { world, board } = prepared();
    const one = without(flashFiles("2.0"), "edison_ifwi-dbg-00-dfu.bin");
    await board.inspect(zipFile(world.directory, one), { signal: never });
    expect(await refused(without(one, "edison_ifwi-dbg-05-dfu.bin"))).toContain("hardware_id");
  });

  test("an image that U-Boot could not hold in memory is refused before it is unpacked", async () => {
    const huge = { name: rootName, content: Buffer.from("x"), claims: { size: 850_000_001 } };
    expect(await refused(withFile(flashFiles("2.0"), huge))).toMatch(/^unsupported-package: .*850000001/);
  });

  test("an image above 4 GiB is refused", async () => {
    const huge = { name: rootName, content: Buffer.from("x"), claims: { size: 0xffffffff } };
    expect(await refused(withFile(flashFiles("2.0"), huge))).toMatch(/^unsupported-package: .*4 GiB/);
  });

  test("a package that is larger than the partition is refused", async () => {
    const big = { name: "more.bin", content: Buffer.from("x"), claims: { size: 65 * 1024 ** 2 } };
    expect(await refused([...flashFiles("2.0"), big])).toMatch(/^storage: /);
  });

  test.each(["../evil", "/etc/passwd"])("the name %s is refused", async (name) => {
    expect(await refused([...flashFiles("2.0"), { name, content: Buffer.from("x") }])).toMatch(
      /^unsupported-package: /,
    );
  });

  test("an image whose SHA-1 the script does not know is refused", async () => {
    const other = { name: "u-boot-edison.bin", content: Buffer.from("another") };
    expect(await refused(withFile(flashFiles("2.0"), other))).toMatch(/^integrity: .*SHA-1/);
  });

  test("a script that was cut, or is none, is refused", async () => {
    const script = scriptImage("setenv ota_image_name u-boot-edison.bin\n");
    const replaced = (content: Uint8Array) =>
      refused(withFile(flashFiles("2.0"), { name: "ota_update.scr", content }));
    expect(await replaced(script.subarray(0, -1))).toMatch(/^integrity: /);
    for (const at of [5, 40, 80]) {
      const flipped = Buffer.from(script);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(await replaced(flipped)).toMatch(/^integrity: /);
    }
    expect(await replaced(Buffer.from("setenv ota_image_name x\n".repeat(9)))).toMatch(
      /^unsupported-package: /,
    );
  });

  test("without a file that says so, the version of a zip archive is unknown", async () => {
    const { world, image } = prepared();
    const board = world.board({ packageVersionFile: "" });
    expect((await board.inspect(image, { signal: never })).version).toBe("");
  });

  test("where there is no update partition, that is said", async () => {
    const { image, board } = prepared({ updatePartition: "/no/such/partition" });
    await expect(board.inspect(image, { signal: never })).rejects.toThrow("there is no update partition");
  });
});

describe("apply", () => {
  test("the partition holds what the package holds, and nothing that was there before", async () => {
    const { world, image, board } = prepared();
    mkdirSync(join(world.partition, "old"));
    writeFileSync(join(world.partition, "old", "file"), "old");
    await apply(board, image);
    for (const { name, content } of flashFiles("2.0")) {
      expect(readFileSync(join(world.partition, name)).equals(content), name).toBe(true);
    }
    expect(readdirSync(world.partition).sort()).toEqual(
      flashFiles("2.0")
        .map(({ name }) => name)
        .sort(),
    );
  });

  test("it is mounted where the table says, and read again from a read-only mount", async () => {
    const { world, image, board } = prepared();
    await apply(board, image);
    expect(world.mounts.map(({ fileSystem, options }) => [fileSystem, ...options])).toEqual([
      ["vfat", "rw", "noatime", "loop", "offset=8192"],
      ["vfat", "ro", "loop", "offset=8192"],
    ]);
  });

  test("a FAT without a table begins at 0", async () => {
    const { world, image, board } = prepared();
    const sector = Buffer.alloc(512);
    sector.write("FAT32   ", 82, "latin1");
    sector.writeUInt16BE(0x55aa, 510);
    const bytes = readFileSync(world.device);
    sector.copy(bytes);
    writeFileSync(world.device, bytes);
    await apply(board, image);
    expect(world.mounts[0]?.options).toContain("offset=0");
  });

  test.each<[string, (sector: Buffer) => void]>([
    ["no signature", (sector) => sector.writeUInt16BE(0, 510)],
    ["another type", (sector) => void (sector[450] = 0x83)],
    ["a start at 0", (sector) => sector.writeUInt32LE(0, 454)],
    ["an end beyond the partition", (sector) => sector.writeUInt32LE(0x7fffffff, 458)],
  ])("a table with %s is refused, and nothing is mounted", async (_, spoil) => {
    const { world, image, board } = prepared();
    const bytes = readFileSync(world.device);
    spoil(bytes);
    writeFileSync(world.device, bytes);
    await expect(apply(board, image)).rejects.toHaveProperty("failure");
    expect(world.mounts).toEqual([]);
  });

  test("the boot loader is asked in one write, and ota_done is left alone", async () => {
    const { world, image, board } = prepared();
    world.variables = new Map(
      Object.entries({
        ota_done: "1",
        ota_abort: "1",
        ota_abort_reason: "x",
        ota_checked: "1",
        ota_status: "0",
      }),
    );
    await apply(board, image);
    expect(world.writes.at(-1)).toEqual({
      ota_status: "9",
      ota_abort: undefined,
      ota_abort_reason: undefined,
      ota_checked: undefined,
      bootargs_mode: "ota",
    });
    expect(Object.fromEntries(world.variables)).toEqual({
      ota_done: "1",
      ota_status: "9",
      bootargs_mode: "ota",
    });
  });

  test("an older request is taken back before the partition is touched, another mode is left", async () => {
    const { world, image, board } = prepared();
    world.variables.set("bootargs_mode", "ota");
    await apply(board, image);
    expect(world.writes[0]).toEqual({ ota_status: "9", bootargs_mode: undefined });
    const other = prepared();
    other.world.variables.set("bootargs_mode", "flash");
    other.world.cutAt = 6;
    await expect(apply(other.board, other.image)).rejects.toThrow(PowerCut);
    expect(other.world.variables.get("bootargs_mode")).toBe("flash");
  });

  test("what an agent that was killed left mounted is unmounted first", async () => {
    const { world, image, board } = prepared();
    const killed = apply(board, image, "attempt-1", () => {
      world.cutAt = world.moments;
      world.during();
    });
    await expect(killed).rejects.toThrow(PowerCut);
    world.revive();
    await apply(world.board(), image);
    world.boot();
    expect(world.verdicts).toEqual(["status 0"]);
  });

  test("a folder where the mount did not happen is not emptied", async () => {
    const { world, image } = prepared();
    writeFileSync(join(world.mountPoint, "precious"), "x");
    const board = createEdisonBoard(
      {
        clock: createSystemClock(),
        log: world.log,
        store: world.store,
        updatePartition: world.device,
        mountPoint: world.mountPoint,
        gadgetFiles: [],
      },
      {
        environment: { read: async () => ({}) as never, write: async () => {}, check: async () => [] },
        mounter: {
          mount: async () => {},
          unmount: async () => {},
          remount: async () => {},
          isMounted: async () => false,
        },
      },
    );
    await expect(apply(board, image)).rejects.toThrow("is not mounted");
    expect(readFileSync(join(world.mountPoint, "precious"), "utf8")).toBe("x");
  });

  test("a file that reads back in another way is a failure, and the boot loader is not asked", async () => {
    const { world, image } = prepared();
    const board = world.board();
    let calls = 0;
    const spoil = () => {
      calls += 1;
      const isComparing = world.mounts.length === 2;
      if (isComparing) writeFileSync(join(world.mountPoint, "version"), "flash is worn out");
    };
    await expect(apply(board, image, "attempt-1", spoil)).rejects.toThrow("is not on the update partition");
    expect(calls).toBeGreaterThan(3);
    expect(world.variables.get("bootargs_mode")).toBeUndefined();
  });

  test("a package that is damaged inside leaves no request", async () => {
    const { world, board } = prepared();
    world.variables.set("bootargs_mode", "ota");
    const bytes = zipOf(flashFiles("2.0"));
    bytes[bytes.indexOf(rootName) + 100] = 0x55;
    await expect(apply(board, imageFile(world.directory, "bad.zip", bytes))).rejects.toMatchObject({
      failure: "integrity",
    });
    expect(world.variables.get("bootargs_mode")).toBeUndefined();
  });
});

describe("the USB gadget", () => {
  const gadget = (world: EdisonWorld, shown: string) => {
    const folder = join(world.directory, "sys/gadget/lun0");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "file"), `${shown}\n`);
    return { shows: () => readFileSync(join(folder, "file"), "utf8").trim() };
  };

  test("lets go of the partition while it is written, and has it back afterwards", async () => {
    const { world, image, board } = prepared();
    const { shows } = gadget(world, world.device);
    const seen = new Set<string>();
    await apply(board, image, "attempt-1", () => {
      if (world.mounts.length === 1) seen.add(shows());
    });
    expect([...seen]).toEqual([""]);
    expect(shows()).toBe(world.device);
  });

  test("that shows something else is left alone", async () => {
    const { world, image, board } = prepared();
    const { shows } = gadget(world, join(world.directory, "version"));
    const seen = new Set<string>();
    await apply(board, image, "attempt-1", () => seen.add(shows()));
    expect([...seen]).toEqual([join(world.directory, "version")]);
  });
});

describe("outcome, as the boot loader tells it", () => {
  const rows: readonly [Record<string, string>, string, string][] = [
    [{ ota_status: "9" }, "1.0", "old"],
    [{ ota_status: "9", ota_abort: "1", ota_done: "1" }, "1.0", "old"],
    [{ ota_status: "1" }, "1.0", "failed: could not read ota_update.scr"],
    [{ ota_status: "2" }, "1.0", "failed: broken"],
    [
      { ota_status: "0", ota_abort: "1", ota_done: "0", ota_abort_reason: "x hash mismatch (1 / 2)" },
      "1.0",
      "integrity: hash",
    ],
    [
      { ota_status: "0", ota_abort: "1", ota_done: "0", ota_abort_reason: "x.ext4 bad hash 1 != 2" },
      "1.0",
      "integrity: hash",
    ],
    [
      { ota_status: "0", ota_abort: "1", ota_abort_reason: "Partition rootfs too small for x.ext4" },
      "1.0",
      "storage: too small",
    ],
    [
      { ota_status: "0", ota_abort: "1", ota_abort_reason: "mmc write 1 2 3 failed" },
      "1.0",
      "failed: mmc write",
    ],
    [{ ota_status: "0", ota_abort: "1" }, "1.0", "failed: no reason"],
    [{ ota_status: "0", ota_abort: "0", ota_done: "0" }, "1.0", "failed: ended before"],
    [{ ota_status: "0", ota_abort: "0", ota_done: "1" }, "2.0", "new"],
    [{ ota_status: "0", ota_abort: "0", ota_done: "1" }, "1.0", "old"],
    [{}, "2.0", "new"],
    [{}, "1.0", "unknown"],
  ];

  test.each(rows)("%j with %s running is %s", async (variables, running, expected) => {
    const { world, image, board } = prepared();
    const attempt = await attemptOn(world, board, image);
    await apply(board, image);
    world.variables = new Map(Object.entries(variables));
    writeFileSync(join(world.directory, "version"), `${running}@x\n`);
    const said = await board.outcome(attempt).catch((error) => `${error.failure}: ${error.message}`);
    const [failure, words] = expected.split(": ");
    expect(said).toContain(failure);
    if (words !== undefined) expect(said).toContain(words);
  });

  test("of a package without a version it is new when another version runs", async () => {
    const { world, image, board } = prepared();
    const attempt = await attemptOn(world, board, image, "");
    await apply(board, image);
    world.variables.set("ota_status", "0").set("ota_done", "1");
    expect(await board.outcome(attempt)).toBe("old");
    writeFileSync(join(world.directory, "version"), "3.0\n");
    expect(await board.outcome(attempt)).toBe("new");
  });

  test("what the boot loader says of an older update is not taken for this one", async () => {
    const { world, image, board } = prepared();
    world.variables.set("ota_status", "0").set("ota_done", "1").set("ota_abort", "0");
    expect(await board.outcome(await attemptOn(world, board, image, "1.0"))).toBe("old");
  });
});

describe("a restart", () => {
  test("is an ordinary one where the environment carries the request", async () => {
    const { world, image, board } = prepared();
    await apply(board, image);
    await board.restart();
    expect(world.restarts()).toEqual(["--no-block --no-ask-password reboot"]);
  });

  test("takes `ota` along where the image wants it, in the boot of the update only", async () => {
    const { world, image, board } = prepared({ request: "restart-argument" });
    await board.restart();
    await apply(board, image);
    expect(world.variables.get("bootargs_mode")).toBeUndefined();
    await board.restart();
    world.boot();
    await world.board({ request: "restart-argument" }).restart();
    expect(world.restarts()).toEqual([
      "--no-block --no-ask-password reboot",
      "--no-block --no-ask-password reboot --reboot-argument=ota",
      "--no-block --no-ask-password reboot",
    ]);
  });

  test("that the program refuses is an error with its words", async () => {
    const { world, board } = prepared();
    writeFileSync(join(world.directory, "systemctl"), "#!/bin/sh\necho 'inhibited by backup' >&2\nexit 1\n");
    await expect(board.restart()).rejects.toThrow("inhibited by backup");
  });
});

test("a request that was given up is not carried out at some later boot", async () => {
  const { world, image, board } = prepared();
  await apply(board, image);
  world.boot = () => undefined; // a boot loader that knows nothing of updates
  writeFileSync(join(world.directory, "boot_id"), "boot-2\n");
  await world.board().commit();
  expect(world.variables.get("bootargs_mode")).toBeUndefined();
});

test("commit leaves a request alone that waits for its restart", async () => {
  const { world, image, board } = prepared();
  await apply(board, image);
  await board.commit();
  expect(world.variables.get("bootargs_mode")).toBe("ota");
});

describe("a factory reset", () => {
  const factory = (options: Partial<EdisonBoardOptions> = {}) => {
    const world = new EdisonWorld("2.0");
    const image = zipFile(world.directory, flashFiles("1.0"), "factory.zip");
    const forgotten: number[] = [];
    const all = {
      factoryPackage: { file: image.path },
      forget: async () => void forgotten.push(world.bootNumber),
      ...options,
    };
    return { world, image, forgotten, options: all, board: world.board(all) };
  };

  test("installs the package that is kept, forgets our state, and restarts", async () => {
    const { world, board, forgotten } = factory();
    await board.factoryReset();
    expect(forgotten).toEqual([1]);
    expect(world.restarts()).toHaveLength(1);
    world.boot();
    expect((await world.board().describe()).firmwareVersion).toBe("1.0");
    await world.board().commit();
    expect(forgotten).toEqual([1]);
  });

  test("fetches the package where only its place is known", async () => {
    const { image } = factory();
    const asked: string[] = [];
    const downloader = {
      download: async (uri: string) => {
        asked.push(uri);
        return image;
      },
    };
    const { world, board } = factory({
      factoryPackage: { uri: "https://images.example/1.0.zip" },
      downloader,
    });
    await board.factoryReset();
    expect(asked).toEqual(["https://images.example/1.0.zip"]);
    world.boot();
    expect((await world.board().describe()).firmwareVersion).toBe("1.0");
  });

  test("is refused without a package, and with a bad one: nothing is forgotten", async () => {
    const { world, forgotten } = factory();
    const none = world.board({ forget: async () => void forgotten.push(0) });
    await expect(none.factoryReset()).rejects.toThrow("no factory package");
    writeFileSync(join(world.directory, "factory.zip"), "not a zip");
    const bad = factory();
    writeFileSync(join(bad.world.directory, "factory.zip"), "not a zip");
    await expect(bad.board.factoryReset()).rejects.toMatchObject({ failure: "unsupported-package" });
    expect([...forgotten, ...bad.forgotten]).toEqual([]);
    expect(bad.world.restarts()).toEqual([]);
  });

  test("cut off at any moment, it has not begun, or it ends: factory image and empty state come together", async () => {
    for (let cutAt = 0; ; cutAt++) {
      const { world, board, forgotten, options } = factory();
      world.cutAt = cutAt;
      const isWhole = await board.factoryReset().then(
        () => true,
        (error) => {
          expect(error).toBeInstanceOf(PowerCut);
          return false;
        },
      );
      world.boot();
      const after = world.board(options);
      await after.commit();
      const { firmwareVersion } = await after.describe();
      if (forgotten.length > 0) expect(firmwareVersion, `cut at ${cutAt}`).toBe("1.0");
      if (isWhole) return expect(cutAt).toBeGreaterThan(20);
    }
  });
});

describe("check", () => {
  const found = async (world: EdisonWorld, options: Partial<EdisonBoardOptions> = {}) =>
    ((await world.board(options).check?.()) ?? []).map(({ level, found }) => `${level}: ${found}`).join("\n");

  test("names a board without an update partition, and what to do where it is btrfs", async () => {
    const { world } = prepared();
    writeFileSync(join(world.directory, "mounts"), "/dev/mmcblk0p8 / btrfs rw 0 0\n");
    const findings = await world.board({ updatePartition: join(world.directory, "none") }).check?.();
    expect(findings).toContainEqual({
      level: "error",
      found: expect.stringContaining("no update partition"),
      remedy: expect.stringContaining("btrfs"),
    });
    expect(await found(world)).toContain("warning: the root file system is btrfs");
  });

  test("names a kernel without FAT, a version that is not known, a factory reset that is not possible", async () => {
    const { world } = prepared();
    writeFileSync(join(world.directory, "filesystems"), "nodev\tsysfs\n\text4\n");
    writeFileSync(join(world.directory, "version"), "");
    const text = await found(world);
    expect(text).toContain("warning: the kernel does not know the file system vfat");
    expect(text).toContain("error: the version that runs is not known");
    expect(text).toContain("info: no factory package");
    expect(text).toContain("cannot be taken back");
  });
});

describe("power goes", () => {
  /** Goes on as the agent does: asks for the outcome, and takes the update up again where the old image runs. */
  async function finish(world: EdisonWorld, attempt: UpdateAttempt, image: ImageFile): Promise<number> {
    for (let tries = 0; tries < 3; tries++) {
      const board = world.board();
      if ((await board.outcome(attempt)) === "new") {
        await board.commit();
        return tries;
      }
      await apply(board, image);
      world.boot();
    }
    throw new Error("the update never ended");
  }

  test("at any moment of an update: the boot loader never meets half a package, and the update ends", async () => {
    let cuts = 0;
    for (;;) {
      const { world, image, board } = prepared();
      const attempt = await attemptOn(world, board, image);
      world.cutAt = cuts;
      const isWhole = await apply(board, image, "attempt-1", world.during).then(
        () => board.restart().then(() => true),
        (error) => {
          expect(error).toBeInstanceOf(PowerCut);
          return false;
        },
      );
      world.boot();
      await finish(world, attempt, image);
      expect((await world.board().describe()).firmwareVersion).toBe("2.0");
      expect(world.verdicts, `cut at ${cuts}`).toEqual(["status 0"]);
      if (isWhole) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(25);
  });

  test("at any moment of a second try, with an older request in place", async () => {
    for (let cut = 0; cut < 20; cut++) {
      const { world, image, board } = prepared();
      const attempt = await attemptOn(world, board, image);
      await apply(board, image); // asked, and then the agent is started again before the restart
      world.cutAt = world.moments + cut;
      await apply(world.board(), image, "attempt-1", world.during).catch((error) =>
        expect(error).toBeInstanceOf(PowerCut),
      );
      world.boot();
      await finish(world, attempt, image);
      expect(
        world.verdicts.every((verdict) => verdict === "status 0"),
        `cut at ${cut}`,
      ).toBe(true);
    }
  });

  test("while the boot loader installs: it starts over from a partition that is whole", async () => {
    const { world, image, board } = prepared();
    const attempt = await attemptOn(world, board, image);
    await apply(board, image);
    world.boot(3);
    expect(await world.board().outcome(attempt)).toBe("new");
    expect(world.verdicts).toEqual(["status 0"]);
  });

  test("after an update that failed while it was written, the next package is checked again", async () => {
    const { world, image, board } = prepared();
    world.variables.set("ota_checked", "1");
    await apply(board, image);
    world.boot();
    expect(world.verdicts).toEqual(["status 0"]);
  });
});

test("a second package at the same time is told to wait, and a factory reset too", async () => {
  const { image, board } = prepared({ factoryPackage: { file: "/factory.zip" } });
  const first = apply(board, image);
  await expect(apply(board, image)).rejects.toBeInstanceOf(BusyError);
  await expect(board.factoryReset()).rejects.toBeInstanceOf(BusyError);
  await first;
});
