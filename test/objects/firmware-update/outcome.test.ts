import { describe, expect, test } from "vitest";
import { BusyError, PackageError, type PackageVerifier, seconds } from "../../../agent/ports.js";
import type { FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import { plainText } from "../../../objects/firmware-update/results.js";
import { goodUri, World } from "./world.js";

async function started(options: Partial<FirmwareUpdateOptions> = {}, world = new World()) {
  const agent = world.agent(options);
  await agent.start();
  await agent.settle();
  return { world, agent };
}

async function downloaded(options: Partial<FirmwareUpdateOptions> = {}, world = new World()) {
  const { agent } = await started(options, world);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  return { world, agent };
}

const at = Date.parse("2026-01-01T00:00:00Z") / 1000;

describe("the last outcome", () => {
  test("is none until an update has ended", async () => {
    const { agent } = await downloaded();
    expect(agent.object.lastOutcome()).toBeUndefined();
    expect(agent.object.package()).toEqual({ name: "fw", version: "2.0" });
  });

  test("of a download has the words of the downloader", async () => {
    const world = new World();
    world.download = async () => {
      throw new PackageError("connection", "the server closed the connection after 4096 bytes");
    };
    const { agent } = await downloaded({}, world);
    expect(agent.object.lastOutcome()).toEqual({
      result: 4,
      reason: "the server closed the connection after 4096 bytes",
      at,
    });
  });

  test("of an installation has the words of the installer, the package, and what ran before", async () => {
    const { world, agent } = await downloaded();
    world.apply = async () => {
      throw new PackageError("failed", "rootfs.1: write error\n  Input/output error");
    };
    await agent.execute("update");
    await agent.soon();
    expect(agent.object.lastOutcome()).toEqual({
      result: 8,
      reason: "rootfs.1: write error Input/output error",
      package: { name: "fw", version: "2.0" },
      previousVersion: "1.0",
      at,
    });
  });

  test("of a success is there in the new image, and stays while the next update goes on", async () => {
    const { world, agent } = await downloaded();
    await agent.execute("update");
    await agent.soon();
    world.boot();
    const { agent: next } = await started({}, world);
    const success = {
      result: 1,
      reason: "the new firmware runs and is to stay",
      package: { name: "fw", version: "2.0" },
      previousVersion: "1.0",
      at,
    };
    expect(next.object.lastOutcome()).toEqual(success);
    await next.write("packageUri", "http://images.example/3.0");
    await next.settle();
    expect(await next.status()).toBe("2/0");
    expect(next.object.lastOutcome()).toEqual(success);
  });

  test.each<[string, (agent: Agent) => Promise<unknown>, number, string]>([
    ["a malformed URI", (agent) => agent.write("packageUri", "x"), 7, "malformed"],
    ["another protocol", (agent) => agent.write("packageUri", "ftp://x/1"), 9, "scheme"],
    ["a cancel", (agent) => downloadedThen(agent, () => agent.execute("cancel")), 10, "cancelled"],
    ["a push that is too large", (agent) => tooLarge(agent), 2, "too large"],
  ])("of %s says so", async (_, act, result, reason) => {
    const { agent } = await started();
    await act(agent).catch(() => undefined);
    expect(agent.object.lastOutcome()?.result).toBe(result);
    expect(agent.object.lastOutcome()?.reason).toContain(reason);
  });

  test("of a push that was lost with the agent says so", async () => {
    const { world, agent } = await started();
    await (await agent.receive("package", 3)).write(Buffer.from("2."));
    world.kill();
    const { agent: next } = await started({}, world);
    expect(await next.status()).toBe("0/4");
    expect(next.object.lastOutcome()?.reason).toContain("pushed");
  });

  test("of an image that the boot loader does not start says so", async () => {
    const { world, agent } = await downloaded({ maxResumes: 0 });
    await agent.execute("update");
    await agent.soon();
    world.armed = undefined;
    world.boot();
    const { agent: next } = await started({ maxResumes: 0 }, world);
    expect(next.object.lastOutcome()).toMatchObject({
      result: 8,
      reason: "the board started the previous firmware",
      previousVersion: "1.0",
    });
  });

  test("of a plugin names its Result", async () => {
    const { agent } = await started({ hooks: { packageUriWritten: () => {} } });
    await agent.write("packageUri", goodUri);
    await agent.object.setFirmwareUpdateResult(0, 6);
    expect(agent.object.lastOutcome()).toBeUndefined();
    await agent.object.setFirmwareUpdateState(0, 0);
    expect(agent.object.lastOutcome()).toMatchObject({
      result: 6,
      reason: "a plugin reported Update Result 6",
    });
  });
});

type Agent = Awaited<ReturnType<typeof started>>["agent"];

async function downloadedThen(agent: Agent, act: () => Promise<unknown>) {
  await agent.write("packageUri", goodUri);
  await agent.settle();
  await act();
}

async function tooLarge(agent: Agent) {
  await agent.receive("package", 2_000_000);
}

describe("words of others", () => {
  test("are one line of bounded length, whole characters, and nothing that a terminal obeys", () => {
    expect(plainText("a\u001b[31mb\r\n\tc\u0000")).toBe("a [31mb c");
    expect(plainText("🚀".repeat(400))).toBe("🚀".repeat(256));
  });

  test("of the installer show with the progress", async () => {
    const { world, agent } = await downloaded();
    world.apply = (_, { progress }) => {
      progress(0.25, "Copying image to rootfs.1\n");
      return new Promise(() => {});
    };
    await agent.execute("update");
    await agent.soon();
    expect(agent.object.progress()).toEqual({
      phase: "installing",
      fraction: 0.25,
      message: "Copying image to rootfs.1",
    });
  });
});

describe("a verifier", () => {
  const verifier = (verify: PackageVerifier["verify"]) => ({ verifier: { verify } });

  test("sees the package, with its URI, before the board does", async () => {
    const seen: unknown[] = [];
    const world = new World();
    const { agent } = await downloaded(
      verifier(async (image, { uri }) => {
        seen.push([image.sha256, uri, world.acts.includes("inspect")]);
        return {};
      }),
      world,
    );
    expect(seen).toEqual([[world.package?.sha256, goodUri, false]]);
    expect(await agent.status()).toBe("2/0");
  });

  test("does not know of a URI where the package was pushed", async () => {
    const uris: unknown[] = [];
    const { agent } = await started(
      verifier(async (_, { uri }) => {
        uris.push(uri);
        return {};
      }),
    );
    const sink = await agent.receive("package", 3);
    await sink.write(Buffer.from("2.0"));
    await sink.end();
    expect(uris).toEqual([undefined]);
  });

  test("counts more than the board where it vouches for a name or a version", async () => {
    const { agent } = await downloaded(verifier(async () => ({ version: "2.0.1+signed" })));
    expect(await agent.read("pkgName")).toBe("fw");
    expect(await agent.read("pkgVersion")).toBe("2.0.1+signed");
  });

  test.each([
    ["integrity", "0/5"],
    ["unsupported-package", "0/6"],
    ["connection", "0/4"],
  ] as const)(
    "that refuses by %s ends as %s, and the board never sees the package",
    async (failure, status) => {
      const { world, agent } = await downloaded(
        verifier(async () => {
          throw new PackageError(failure, "signed by nobody");
        }),
      );
      expect(await agent.status()).toBe(status);
      expect(agent.object.lastOutcome()?.reason).toBe("signed by nobody");
      expect(world.acts).not.toContain("inspect");
      expect(world.package).toBeUndefined();
    },
  );

  test("that is busy is asked again", async () => {
    let asked = 0;
    const { agent } = await downloaded(
      verifier(async () => {
        if (++asked === 1) throw new BusyError("the clock is not set yet");
        return {};
      }),
    );
    expect(await agent.status()).toBe("1/0");
    expect(agent.object.waiting()?.reason).toBe("the clock is not set yet");
    await agent.clock.advance(seconds(30));
    expect(await agent.status()).toBe("2/0");
    expect(agent.object.waiting()).toBeUndefined();
  });
});

describe("a rule of acceptance", () => {
  test("sees what is offered and what runs, and may refuse", async () => {
    const seen: unknown[] = [];
    const { agent } = await downloaded({
      acceptance: (offered, running) => {
        seen.push([offered, running.firmwareVersion]);
        throw new PackageError("unsupported-package", "2.0 is older than 1.0");
      },
    });
    expect(seen).toEqual([[{ name: "fw", version: "2.0" }, "1.0"]]);
    expect(await agent.status()).toBe("0/6");
    expect(agent.object.lastOutcome()?.reason).toBe("2.0 is older than 1.0");
  });

  test("that has nothing against it lets it in", async () => {
    const { agent } = await downloaded({ acceptance: () => {} });
    expect(await agent.status()).toBe("2/0");
  });
});

describe("a device that takes packages in one way only", () => {
  test("by push: a URI is refused, and no protocol is named", async () => {
    const { agent } = await started({ delivery: "push" });
    expect(await agent.read("deliveryMethod")).toBe(1);
    expect(await agent.read("protocolSupport")).toBeUndefined();
    for (const uri of [goodUri, ""]) {
      await expect(agent.write("packageUri", uri)).rejects.toMatchObject({ code: "4.05" });
    }
    expect(await agent.status()).toBe("0/0");
  });

  test("by pull: a package is refused, and so is a reset by one", async () => {
    const { agent } = await started({ delivery: "pull" });
    expect(await agent.read("deliveryMethod")).toBe(0);
    await expect(agent.receive("package", 1)).rejects.toMatchObject({ code: "4.05" });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
  });

  test("by some protocols: the others end with Result 9", async () => {
    const { agent } = await started({ schemes: ["coaps"] });
    expect(await agent.read("protocolSupport")).toEqual(new Map([[0, 1]]));
    await agent.write("packageUri", goodUri);
    expect(await agent.status()).toBe("0/9");
    await agent.write("packageUri", "coaps://images.example/2.0");
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
  });

  test("has to take them somehow", () => {
    expect(() => new World().agent({ delivery: "pull", schemes: ["ftp"] })).toThrow("allow a scheme");
  });
});
