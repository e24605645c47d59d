import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Board, ImageFile, UpdateAttempt } from "../../../../agent/ports.js";
import { readFatFile } from "../../../../platform/boards/raspberry-pi/fat.js";
import { boardContract } from "../board.contract.js";
import {
  bootImage,
  bootSize,
  bundleFile,
  compressed,
  fatImage,
  rootImage,
  rootSize,
  systemFiles,
} from "./images.js";
import { capabilities, integer, PiWorld, PowerCut } from "./world.js";

const never = new AbortController().signal;
const apply = (board: Board, image: ImageFile, progress = () => {}) =>
  board.apply(image, { signal: never, progress, attempt: "attempt-1" });

boardContract(
  "raspberry-pi",
  async () => {
    const world = await PiWorld.create("1.0");
    let board = world.board();
    let ours = 0;
    /** A try needs a restart that asks for it: it does not wait for the next power cycle. */
    const restarted = async (tryHangs: boolean) => {
      await board.restart();
      ours += 1;
      await world.boot({ tryHangs });
      board = world.board();
      return board;
    };
    return {
      board,
      oldVersion: "1.0",
      goodImage: await bundleFile(world.directory, "2.0"),
      goodPackage: { name: "pi-image", version: "2.0" },
      badImage: await bundleFile(world.directory, "2.0", { "boot.img": bootImage("2.0") }, "bad.bundle"),
      badFailure: "unsupported-package",
      reboot: () => restarted(false),
      fallBack: () => restarted(true),
      restarts: () => world.restarts().length - ours,
    };
  },
  { tellsAttempt: false },
);

async function prepared(files?: Record<string, Buffer>) {
  const world = await PiWorld.create("1.0");
  const image = await bundleFile(world.directory, "2.0", files ?? systemFiles("2.0"));
  return { world, image, board: world.board() };
}

const attemptOn = (world: PiWorld, image: ImageFile): UpdateAttempt => ({
  id: "attempt-1",
  package: { name: "pi-image", version: "2.0" },
  image,
  bootId: `boot-${world.bootNumber}`,
  previousVersion: "1.0",
});

describe("what the board says of itself", () => {
  test("comes from the device tree and the release file", async () => {
    expect(await (await prepared()).board.describe()).toEqual({
      manufacturer: "Raspberry Pi",
      modelNumber: "Raspberry Pi 4 Model B Rev 1.4",
      serialNumber: "10000000abcdef01",
      hardwareVersion: "c03114",
      firmwareVersion: "1.0",
    });
  });

  test("has other sources for serial number and version", async () => {
    const { world } = await prepared();
    world.put("os-release", "VERSION_ID='12'\n");
    rmSync(`${world.directory}/tree/serial-number`);
    expect(await world.board().describe()).toMatchObject({
      serialNumber: "10000000ffffffff",
      firmwareVersion: "12",
    });
  });
});

describe("inspect", () => {
  const refused = async (files: Record<string, Buffer>) => {
    const { board, image } = await prepared(files);
    return board.inspect(image, { signal: never }).then(
      () => "accepted",
      (error) => `${error.failure}: ${error.message}`,
    );
  };

  test("images may be compressed", async () => {
    expect(await refused(compressed(systemFiles("2.0")))).toBe("accepted");
  });

  test.each(["boot", "root"])("an image that is larger than the %s partition is refused", async (kind) => {
    const large = Buffer.alloc((kind === "boot" ? bootSize : rootSize) + 1);
    expect(await refused({ ...systemFiles("2.0"), [`${kind}.img`]: large })).toMatch(/^storage: /);
    const { [`${kind}.img`]: _, ...others } = systemFiles("2.0");
    expect(await refused({ ...others, ...compressed({ [`${kind}.img`]: large }) })).toMatch(/^storage: /);
  });

  test("a bundle without one of the images, or with two of one, is refused", async () => {
    const { "boot.img": boot, "root.img": root } = systemFiles("2.0");
    if (boot === undefined || root === undefined) throw new Error("both are made");
    expect(await refused({ "boot.img": boot })).toMatch(/^unsupported-package: .*root.img/);
    expect(await refused({ "boot.img": boot, "root.img": root, "root.img.gz": root })).toMatch(
      /^unsupported-package: /,
    );
  });

  test("what does not unpack, or has another digest, is damaged", async () => {
    const { "boot.img.gz": boot, "root.img.gz": root } = compressed(systemFiles("2.0"));
    if (boot === undefined || root === undefined) throw new Error("both are made");
    const cut = root.subarray(0, root.length - 100);
    expect(await refused({ "boot.img.gz": boot, "root.img.gz": cut })).toMatch(/^integrity: /);
    const { board, image } = await prepared();
    const bytes = readFileSync(image.path);
    bytes[bytes.length - 100_000] = (bytes[bytes.length - 100_000] ?? 0) ^ 1;
    writeFileSync(image.path, bytes);
    await expect(board.inspect(image, { signal: never })).rejects.toMatchObject({ failure: "integrity" });
  });

  test("anything but a bundle is refused, with the way to make one", async () => {
    const { board, image } = await prepared();
    writeFileSync(image.path, "an ext4 image");
    await expect(board.inspect(image, { signal: never })).rejects.toThrow("firmware sign --bundle");
  });
});

describe("apply", () => {
  test("the other partitions hold the images, and what runs is untouched", async () => {
    const { world, image, board } = await prepared();
    const before = [2, 5].map((number) => readFileSync(world.device(number)));
    await apply(board, image);
    expect(readFileSync(world.device(6)).subarray(0, rootImage("2.0").length).equals(rootImage("2.0"))).toBe(
      true,
    );
    expect(
      [2, 5].map((number, index) => readFileSync(world.device(number)).equals(before[index] ?? Buffer.of())),
    ).toEqual([true, true]);
    expect(world.text("autoboot/autoboot.txt")).toContain("[all]\ntryboot_a_b=1\nboot_partition=2");
  });

  test("each slot names its own root, whatever the image names", async () => {
    const { world, image, board } = await prepared(compressed(systemFiles("2.0")));
    await apply(board, image);
    expect((await readFatFile(world.device(3), "cmdline.txt"))?.toString()).toMatch(
      /^console=tty1 root=PARTUUID=abcd1234-06 ro panic=10\s*\n$/,
    );
    await board.restart();
    await world.boot();
    await world.board().commit();
    await apply(world.board(), await bundleFile(world.directory, "3.0"));
    expect((await readFatFile(world.device(2), "cmdline.txt"))?.toString()).toContain(
      "root=PARTUUID=abcd1234-05 ",
    );
  });

  test("a root that is named by its device is right where it is its own", async () => {
    const { world, image } = await prepared();
    const line = `root=${world.device(6)} ro\n`;
    const files = { ...systemFiles("2.0"), "boot.img": bootImage("2.0", line) };
    await apply(world.board(), await bundleFile(world.directory, "2.0", files));
    expect((await readFatFile(world.device(3), "cmdline.txt"))?.toString()).toBe(line);
    expect(image.size).toBeGreaterThan(0);
  });

  test.each<[string, Buffer]>([
    ["without cmdline.txt", fatImage({ "config.txt": "x" })],
    ["whose cmdline.txt names no root", bootImage("2.0", "console=tty1\n")],
    ["that is no FAT", Buffer.alloc(bootSize, 1)],
  ])("a boot image %s is refused, and never tried", async (_, boot) => {
    const { world, image, board } = await prepared({ ...systemFiles("2.0"), "boot.img": boot });
    await expect(apply(board, image)).rejects.toMatchObject({ failure: "unsupported-package" });
    await board.restart();
    await world.boot();
    expect(world.boots).toEqual(["2", "2"]);
  });

  test("what autoboot.txt boots is never written, nor what runs", async () => {
    const { world, image, board } = await prepared();
    await apply(board, image);
    await board.restart();
    await world.boot(); // on trial: 3 runs, 2 is booted next
    const before = readFileSync(world.device(5));
    await expect(apply(world.board(), image)).rejects.toThrow("commit or revert");
    expect(readFileSync(world.device(5)).equals(before)).toBe(true);
    await world.board().commit(); // without a restart: 3 runs, and 3 is booted next
    await apply(world.board(), await bundleFile(world.directory, "3.0"));
    expect(readFileSync(world.device(5), "latin1")).toContain("3.0\n");
  });

  test.each([
    ["[all]\nboot_partition=2\n[tryboot]\nboot_partition=3\n", "tryboot_a_b=1"],
    ["[all]\ntryboot_a_b=1\nboot_partition=2\n", "must try partition 3"],
    ["[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=4\n", "must try partition 3"],
    ["x".repeat(513), "513 bytes"],
  ])("an autoboot.txt of %j cannot switch: nothing is written", async (text, reason) => {
    const { world, image, board } = await prepared();
    world.put("autoboot/autoboot.txt", text);
    await expect(apply(board, image)).rejects.toThrow(reason);
    expect(readFileSync(world.device(6)).every((byte) => byte === 0xff)).toBe(true);
  });

  test("a partition that is in no slot, or a firmware that says nothing, is a failure", async () => {
    const { world, image, board } = await prepared();
    world.put("tree/chosen/bootloader/partition", integer(7));
    await expect(apply(board, image)).rejects.toThrow("in no slot");
    world.put("tree/chosen/bootloader/partition", "");
    await expect(apply(board, image)).rejects.toThrow("older than 2022");
  });

  test("the numbers of the firmware are big-endian", async () => {
    const { world, image, board } = await prepared();
    world.put("tree/chosen/bootloader/partition", Buffer.from([2, 0, 0, 0]));
    await expect(apply(board, image)).rejects.toThrow("partition 33554432 runs");
  });

  test("a card that forgets what was written is found out", async () => {
    const { world, image, board } = await prepared();
    const forget = (_: number, message = "") => {
      if (message.includes("writing the root")) world.put("p6.img", Buffer.alloc(rootSize));
    };
    await expect(
      board.apply(image, { signal: never, progress: forget, attempt: "attempt-1" }),
    ).rejects.toThrow("does not hold what was written");
    await board.restart();
    expect(world.restarts()).toEqual(["--no-block --no-ask-password reboot"]);
  });
});

describe("a try", () => {
  test("is asked for with exactly this text, in the boot in which the image was written", async () => {
    const { world, image, board } = await prepared();
    await board.restart();
    await apply(board, image);
    await board.restart();
    await world.boot();
    await world.board().restart();
    await world.boot();
    await world.board().restart();
    const plain = "--no-block --no-ask-password reboot";
    expect(world.restarts()).toEqual([plain, `${plain} --reboot-argument=0 tryboot`, plain, plain]);
    expect(world.boots).toEqual(["2", "3?", "2"]);
  });

  test("may be asked for through the file that systemd reads", async () => {
    const { world, image } = await prepared();
    const board = world.board({ tryRequest: "parameter-file" });
    await apply(board, image);
    await board.restart();
    expect(world.text("reboot-param")).toBe("0 tryboot\n");
    expect(world.restarts()).toEqual(["--no-block --no-ask-password reboot"]);
  });
});

describe("outcome", () => {
  test("expected partition, on trial: new", async () => {
    const { world, image, board } = await prepared();
    const attempt = attemptOn(world, image);
    await apply(board, image);
    await board.restart();
    await world.boot();
    expect(await world.board().outcome(attempt)).toBe("new");
  });

  test("expected partition, not on trial: committed, and power went before that was on record", async () => {
    const { world, image, board } = await prepared();
    const attempt = attemptOn(world, image);
    await apply(board, image);
    await board.restart();
    await world.boot();
    await world.board().commit();
    await world.powerCut();
    expect(world.boots).toEqual(["2", "3?", "3"]);
    expect(await world.board().outcome(attempt)).toBe("new");
  });

  test("old partition: never tried, or the try was lost", async () => {
    const { world, image, board } = await prepared();
    const attempt = attemptOn(world, image);
    await apply(board, image);
    await world.powerCut(); // before the restart: the firmware never heard of a try
    expect(await world.board().outcome(attempt)).toBe("old");
    await apply(world.board(), image);
    await world.board().restart();
    await world.boot({ tryHangs: true });
    expect(world.boots).toEqual(["2", "2", "3!", "2"]);
    expect(await world.board().outcome(attempt)).toBe("old");
  });

  test("old partition, taken back by us: old, and not tried again by any restart", async () => {
    const { world, image, board } = await prepared();
    const attempt = attemptOn(world, image);
    await apply(board, image);
    await board.restart();
    await world.boot();
    expect(await world.board().revert()).toBe("restart");
    await world.board().restart();
    await world.boot();
    expect(await world.board().outcome(attempt)).toBe("old");
    expect(await world.board().revert()).toBe("done");
    await world.board().restart();
    await world.boot();
    expect(world.boots).toEqual(["2", "3?", "2", "2"]);
  });

  test("without a record of ours the version decides", async () => {
    const { world, image, board } = await prepared();
    expect(await board.outcome(attemptOn(world, image))).toBe("old");
    world.put("os-release", "IMAGE_VERSION=2.0\n");
    expect(await board.outcome(attemptOn(world, image))).toBe("new");
  });
});

describe("commit", () => {
  test("writes over two digits of the file, which is read-write for that moment only", async () => {
    const { world, image, board } = await prepared();
    const before = world.text("autoboot/autoboot.txt");
    await apply(board, image);
    await board.restart();
    await world.boot();
    await world.board().commit();
    expect(world.remounts).toEqual(["rw", "ro"]);
    const after = world.text("autoboot/autoboot.txt");
    expect(after).toHaveLength(before.length);
    expect([...after].filter((letter, index) => letter !== before[index])).toEqual(["3", "2"]);
    await world.board().commit();
    expect(world.remounts).toHaveLength(2);
  });

  test("a partition to which the firmware went by itself is not made the one that stays", async () => {
    const { world, board } = await prepared();
    world.put("tree/chosen/bootloader/partition", integer(3));
    await board.commit();
    expect(world.text("autoboot/autoboot.txt")).toContain("[all]\ntryboot_a_b=1\nboot_partition=2");
    expect(world.log.lines).toContainEqual(expect.objectContaining({ level: "warn" }));
  });
});

describe("power goes", () => {
  test("at any moment of an update: something boots, and the update ends", async () => {
    let cuts = 0;
    for (;;) {
      const { world, image } = await prepared();
      const attempt = attemptOn(world, image);
      world.cutAt = cuts;
      const steps = async () => {
        await apply(world.board(), image, world.during);
        world.during();
        await world.board().restart();
        await world.boot();
        await world.board().commit();
      };
      const isWhole = await steps().then(
        () => true,
        (error) => {
          expect(error).toBeInstanceOf(PowerCut);
          return false;
        },
      );
      await world.powerCut();
      // As the agent does: ask, and take it up again where the old image runs.
      if ((await world.board().outcome(attempt)) === "old") {
        expect((await world.board().describe()).firmwareVersion).toBe("1.0");
        await apply(world.board(), image);
        await world.board().restart();
        await world.boot();
      }
      expect(await world.board().outcome(attempt), `cut at ${cuts}`).toBe("new");
      await world.board().commit();
      await world.powerCut();
      expect((await world.board().describe()).firmwareVersion).toBe("2.0");
      expect(world.boots.filter((boot) => boot.endsWith("!"))).toEqual([]);
      if (isWhole) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(15);
  });
});

describe("check", () => {
  const found = async (change: (world: PiWorld) => void, options = {}) => {
    const { world } = await prepared();
    change(world);
    return ((await world.board(options).check?.()) ?? [])
      .map(({ level, found }) => `${level}: ${found}`)
      .join("\n");
  };

  test("a board that is set up well has nothing to say", async () => {
    expect(await found(() => {})).toBe("");
  });

  test.each<[string, (world: PiWorld) => void]>([
    ["error: .*older than 2022", (world) => world.put("tree/chosen/bootloader/tryboot", "")],
    [
      "error: .*cannot try another partition",
      (world) => world.put("tree/chosen/bootloader/capabilities", integer(capabilities & ~4)),
    ],
    [
      "error: .*cannot try another partition",
      (world) => world.put("tree/chosen/bootloader/capabilities", integer(capabilities & ~8)),
    ],
    ["warning: .*does not say whether", (world) => world.put("tree/chosen/bootloader/capabilities", "")],
    [
      "error: .*older than October 2022",
      (world) => world.put("tree/chosen/bootloader/build-timestamp", integer(Date.UTC(2022, 8, 30) / 1000)),
    ],
    [
      "warning: .*older than April 2024",
      (world) => world.put("tree/chosen/bootloader/build-timestamp", integer(Date.UTC(2024, 2, 30) / 1000)),
    ],
    [
      "error: .*does not switch between",
      (world) => world.put("autoboot/autoboot.txt", "[all]\nboot_partition=2\n"),
    ],
    ["error: .*600 bytes", (world) => world.put("autoboot/autoboot.txt", "\n".repeat(600))],
    ["info: .*EEPROM", (world) => world.put("cpuinfo", "Revision\t: c03111\n")],
    [
      "warning: .*mounted read-write",
      (world) => world.put("mountinfo", world.text("mountinfo").replace("ro,noatime", "rw,noatime")),
    ],
    ["error: p?.*in no slot", (world) => world.put("tree/chosen/bootloader/partition", integer(4))],
    [
      "error: .*root=PARTUUID=abcd1234-06",
      (world) => world.put("cmdline", "root=PARTUUID=abcd1234-06 panic=10"),
    ],
    ["warning: the root partitions have", (world) => world.put("p6.img", Buffer.alloc(rootSize + 512))],
    [
      "warning: .*GPT",
      (world) =>
        world.put("disk.img", Buffer.concat([Buffer.alloc(450), Buffer.from([0xee]), Buffer.alloc(61)])),
    ],
    ["warning: a kernel that panics", (world) => world.put("cmdline", "root=PARTUUID=abcd1234-05 panic=0")],
    [
      "warning: no watchdog while the system",
      (world) => world.put("systemd/system.conf", "#RuntimeWatchdogSec=0\n"),
    ],
    [
      "warning: no watchdog while the boot loader",
      (world) => world.program("vcgencmd", "echo BOOT_WATCHDOG_TIMEOUT=0"),
    ],
    ["info: .*whether it has a watchdog", (world) => world.program("vcgencmd", "exit 1")],
  ])("%s", async (expected, change) => {
    expect(await found(change)).toMatch(new RegExp(`^${expected}`, "m"));
  });
});

test("a factory reset forgets the settings where that is configured, and restarts without a try", async () => {
  const { world, image, board } = await prepared();
  await expect(board.factoryReset()).rejects.toThrow("no factory image");
  const forgotten: number[] = [];
  const able = world.board({ forget: async () => void forgotten.push(1) });
  await apply(able, image);
  await able.factoryReset();
  expect(forgotten).toEqual([1]);
  expect(world.restarts()).toEqual(["--no-block --no-ask-password reboot"]);
});
