import { describe, expect, test } from "vitest";
import { PackageError, seconds } from "../../../agent/ports.js";
import type {
  DownloadContext,
  FirmwareUpdateHooks,
  UpdateContext,
} from "../../../objects/firmware-update/hooks.js";
import { goodUri, World } from "./world.js";

async function started(hooks: FirmwareUpdateHooks, world = new World()) {
  const agent = world.agent({ hooks });
  await agent.start();
  await agent.settle();
  world.acts.length = 0;
  return { world, agent, object: agent.object };
}

describe("a plugin that handles Package URI", () => {
  test("is called once Downloading is answered, and reports by itself", async () => {
    const contexts: DownloadContext[] = [];
    const { world, agent, object } = await started({
      packageUriWritten: (context) => void contexts.push(context),
    });
    await agent.write("packageUri", "ftp://x/2.0");
    await agent.settle();
    expect(contexts).toMatchObject([{ instanceId: 0, uri: "ftp://x/2.0" }]);
    expect(await agent.status()).toBe("1/0");
    expect(world.acts).not.toContain("download");

    await object.setFirmwareUpdateState(0, 2);

    expect(await agent.status()).toBe("2/0");
    expect(await agent.read("packageUri")).toBe("ftp://x/2.0");
    expect(await agent.read("pkgName")).toBeUndefined();
  });

  test("reports a failure: first the Result, then the State", async () => {
    const { agent, object } = await started({ packageUriWritten: () => {} });
    await agent.write("packageUri", goodUri);
    await object.setFirmwareUpdateResult(0, 6);
    expect(await agent.status()).toBe("1/6");
    await object.setFirmwareUpdateState(0, 0);
    expect(await agent.status()).toBe("0/6");
  });

  test("hears of a cancel even after its hook has returned", async () => {
    let signal: AbortSignal | undefined;
    const { agent } = await started({
      packageUriWritten: (context) => {
        signal = context.signal;
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(signal?.aborted).toBe(false);
    await agent.execute("cancel");
    expect(signal?.aborted).toBe(true);
    expect(await agent.status()).toBe("0/10");
  });

  test("may leave the download to the agent", async () => {
    const { world, agent } = await started({
      packageUriWritten: async ({ uri, default: fetch }) => {
        if (!uri.startsWith("http:")) throw new PackageError("unsupported-protocol", "http only");
        await fetch();
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
    expect(world.acts).toContain("inspect");
    expect(await agent.read("pkgVersion")).toBe("2.0");
  });

  test("gets the failure of the agent's download, and may go on by itself", async () => {
    const world = new World();
    world.download = async () => {
      throw new PackageError("connection", "lost");
    };
    let failure: unknown;
    const { agent, object } = await started(
      {
        packageUriWritten: async ({ default: fetch }) => {
          try {
            await fetch();
          } catch (error) {
            failure = error;
          }
        },
      },
      world,
    );
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(failure).toMatchObject({ failure: "connection" });
    expect(await agent.status()).toBe("1/0");
    await object.setFirmwareUpdateState(0, 2);
    expect(await agent.status()).toBe("2/0");
  });

  test.each([
    ["an Error", new Error("oops"), "0/4"],
    ["a PackageError", new PackageError("unsupported-protocol", "no ftp"), "0/9"],
  ])("that throws %s ends the download", async (_, error, status) => {
    const { agent } = await started({
      packageUriWritten: () => {
        throw error;
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe(status);
  });

  test("that fails after it reported success changes nothing any more", async () => {
    const { agent, object } = await started({
      packageUriWritten: async () => {
        await object.setFirmwareUpdateState(0, 2);
        throw new Error("too late");
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
  });

  test("that fails when its package is long done with does not end the next download", async () => {
    let fail = () => {};
    let calls = 0;
    const { agent, object } = await started({
      packageUriWritten: async () => {
        if (++calls > 1) return;
        await object.setFirmwareUpdateState(0, 2);
        await new Promise((_, reject) => {
          fail = () => reject(new Error("very late"));
        });
      },
      updateExecuted: () => {
        throw new PackageError("integrity", "no");
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("0/5");
    await agent.write("packageUri", goodUri);
    fail();
    await agent.settle();
    expect(await agent.status()).toBe("1/0");
  });

  test("that ignores its signal does not keep the agent from stopping", async () => {
    const { agent, object } = await started({ packageUriWritten: () => new Promise(() => {}) });
    await agent.write("packageUri", goodUri);
    let closed = false;
    void Promise.resolve(object.close?.()).then(() => {
      closed = true;
    });
    await agent.clock.advance(seconds(30));
    expect(closed).toBe(true);
    expect(await agent.status()).toBe("1/0");
  });

  test("is not asked about a malformed URI", async () => {
    let called = false;
    const { agent } = await started({
      packageUriWritten: () => {
        called = true;
      },
    });
    await agent.write("packageUri", "nonsense");
    await agent.settle();
    expect(await agent.status()).toBe("0/7");
    expect(called).toBe(false);
  });

  test("may reset from within its hook", async () => {
    const { agent, object, world } = await started({
      packageUriWritten: async () => {
        await object.setFirmwareUpdateResult(0, 5);
        await object.setFirmwareUpdateState(0, 0);
      },
    });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("0/5");
    await agent.settle();
    expect(world.acts.at(-1)).toBe("clear");
  });
});

describe("a plugin that handles Update", () => {
  async function updating(
    updateExecuted: (context: UpdateContext) => void | Promise<void>,
    world = new World(),
  ) {
    const run = await started({ updateExecuted }, world);
    await run.agent.write("packageUri", goodUri);
    await run.agent.settle();
    return run;
  }

  test("is called after the answer, and reports success by itself", async () => {
    let called = 0;
    const { world, agent, object } = await updating(() => {
      called += 1;
    });
    const answer = await agent.executeUnanswered("update");
    expect(await agent.status()).toBe("3/0");
    expect(called).toBe(0);
    answer();
    await agent.soon();
    expect(called).toBe(1);
    expect(world.acts).not.toContain("apply");

    await object.setFirmwareUpdateResult(0, 1);
    await object.setFirmwareUpdateState(0, 0);
    expect(await agent.status()).toBe("0/1");
    expect(await agent.read("packageUri")).toBe("");
  });

  test("may defer", async () => {
    const { agent, object } = await updating(async ({ instanceId }) => {
      await object.setFirmwareUpdateResult(instanceId, 11);
      await object.setFirmwareUpdateState(instanceId, 2);
    });
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("2/11");
    await object.setFirmwareUpdateState(0, 3);
    expect(await agent.status()).toBe("3/11");
  });

  test("that throws leaves the package Downloaded with Result 8", async () => {
    const { agent } = await updating(() => Promise.reject(new Error("no")));
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("2/8");
  });

  test("may leave the installation to the board", async () => {
    const { world, agent } = await updating(({ default: install }) => install());
    await agent.execute("update");
    await agent.soon();
    expect(world.armed).toBe("2.0");
    world.boot();
    const next = world.agent();
    await next.start();
    await next.settle();
    expect(await next.status()).toBe("0/1");
  });

  test("has the work back when the board fails", async () => {
    const world = new World();
    world.apply = async () => {
      throw new PackageError("failed", "no");
    };
    const { agent, object } = await updating(async ({ default: install }) => {
      await install().catch(() => undefined);
    }, world);
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("3/0");
    await object.setFirmwareUpdateResult(0, 8);
    await object.setFirmwareUpdateState(0, 2);
    expect(await agent.status()).toBe("2/8");
  });

  test("cannot leave a package to the board that it kept for itself", async () => {
    const { agent, object } = await started({
      packageUriWritten: () => {},
      updateExecuted: ({ default: install }) => install(),
    });
    await agent.write("packageUri", goodUri);
    await object.setFirmwareUpdateState(0, 2);
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("2/8");
  });

  test("is called again when only the agent restarted, and never after a boot", async () => {
    let called = 0;
    const updateExecuted = () => {
      called += 1;
    };
    const { world, agent } = await updating(updateExecuted);
    await agent.execute("update");
    await agent.soon();
    world.kill();
    const again = await started({ updateExecuted }, world);
    await again.agent.soon();
    expect(called).toBe(2);

    world.boot();
    const booted = await started({ updateExecuted }, world);
    await booted.agent.soon();
    expect(called).toBe(2);
    expect(await booted.agent.status()).toBe("0/8"); // the version is the same as before
  });

  test("succeeded when another version runs after the boot", async () => {
    const { world, agent } = await updating(() => {});
    await agent.execute("update");
    await agent.soon();
    world.armed = "2.1";
    world.boot();
    const { agent: next } = await started({}, world);
    expect(await next.status()).toBe("0/1");
    expect(world.staying).toBe("2.1");
  });
});

describe("what a plugin reports", () => {
  test("is refused when it is illegal, naming what is legal, and nothing changes", async () => {
    const { agent, object } = await started({ packageUriWritten: () => {} });
    await expect(object.setFirmwareUpdateState(0, 2)).rejects.toThrow(
      "Firmware Update cannot go from Idle (0) to Downloaded (2); legal now: Idle (0)",
    );
    await agent.write("packageUri", goodUri);
    await expect(object.setFirmwareUpdateState(0, 3)).rejects.toThrow(
      "cannot go from Downloading (1) to Updating (3); legal now: Idle (0), Downloading (1), Downloaded (2)",
    );
    await object.setFirmwareUpdateState(0, 1);
    expect(await agent.status()).toBe("1/0");
  });

  test("does not interfere with an installation by the board", async () => {
    const world = new World();
    world.apply = () => new Promise(() => {});
    const { agent, object } = await started({}, world);
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.execute("update");
    await agent.soon();
    await expect(object.setFirmwareUpdateState(0, 0)).rejects.toThrow("legal now: Updating (3)");
    expect(await agent.status()).toBe("3/0");
  });

  test("is for instance 0, and within the numbers of the registry", async () => {
    const { object } = await started({});
    await expect(object.setFirmwareUpdateState(1, 0)).rejects.toThrow("instance 0");
    await expect(object.setFirmwareUpdateResult(1, 0)).rejects.toThrow("instance 0");
    const beyond: number = 12;
    await expect(object.setFirmwareUpdateResult(0, beyond as 0)).rejects.toThrow("no Update Result");
    await expect(object.setFirmwareUpdateState(0, beyond as 0)).rejects.toThrow("unknown (12)");
  });

  test("reaches observers and the disk", async () => {
    const { world, agent, object } = await started({ packageUriWritten: () => {} });
    await agent.write("packageUri", goodUri);
    agent.changes.length = 0;
    await object.setFirmwareUpdateState(0, 2);
    expect(agent.changes).toEqual(["0/state"]);
    expect(world.acts.at(-1)).toBe("record downloaded/0");
  });
});
