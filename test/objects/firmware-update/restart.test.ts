import { describe, expect, test } from "vitest";
import { PackageError, seconds } from "../../../agent/ports.js";
import type { FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import { goodUri, trialBy, unhealthy, World } from "./world.js";

type Options = Partial<FirmwareUpdateOptions>;

async function started(world: World, options: Options = {}) {
  const agent = world.agent(options);
  await agent.start();
  await agent.settle();
  return agent;
}

/** Up to the moment at which the board is to restart. */
async function updated(options: Options = {}, world = new World()) {
  const agent = await started(world, options);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  await agent.execute("update");
  await agent.soon();
  expect(world.restarting).toBe(true);
  return { world, agent };
}

describe("after a restart of the board", () => {
  test("the new image is committed, then reported", async () => {
    const { world } = await updated();
    world.boot();
    world.acts.length = 0;
    const agent = await started(world);
    expect(await agent.status()).toBe("0/1");
    expect(world.staying).toBe("2.0");
    expect(world.acts.indexOf("commit")).toBeLessThan(world.acts.indexOf("record idle/1"));
    expect(world.package).toBeUndefined();
    expect(await agent.read("packageUri")).toBe("");
    expect(agent.changes).toContain("0/updateResult");
  });

  test("the new image is not reported before it is committed", async () => {
    const { world } = await updated();
    world.boot();
    const { commit } = world;
    world.commit = async () => {
      throw new Error("boot loader locked");
    };
    const agent = await started(world);
    await agent.clock.advance(seconds(300));
    expect(await agent.status()).toBe("3/0");
    world.commit = commit;
    await agent.clock.advance(seconds(30));
    expect(await agent.status()).toBe("0/1");
  });

  test("the old image is taken for an interruption twice, then for a failure", async () => {
    const { world } = await updated();
    for (const _ of [1, 2]) {
      world.armed = undefined;
      world.boot();
      const agent = await started(world);
      expect(await agent.status()).toBe("3/0");
      await agent.soon();
      expect(world.restarting).toBe(true);
    }
    world.armed = undefined;
    world.boot();
    const agent = await started(world);
    expect(await agent.status()).toBe("0/8");
    expect(world.running).toBe("1.0");
    expect(world.package).toBeUndefined();
    expect(await agent.read("packageUri")).toBe(goodUri);
  });

  test("the old image is a failure at once where that is configured", async () => {
    const { world } = await updated();
    world.armed = undefined;
    world.boot();
    expect(await (await started(world, { maxResumes: 0 })).status()).toBe("0/8");
  });

  test("an unknown outcome is asked for again, and ends in a failure", async () => {
    const { world } = await updated();
    world.boot();
    world.outcome = async () => "unknown";
    const agent = await started(world);
    await agent.clock.advance(seconds(30));
    expect(await agent.status()).toBe("3/0");
    await agent.clock.advance(seconds(30));
    expect(await agent.status()).toBe("0/8");
  });

  test("what a boot loader refused is not tried again, and has the result of its reason", async () => {
    const { world } = await updated();
    world.armed = undefined;
    world.boot();
    world.outcome = async () => {
      throw new PackageError("integrity", "rootfs hash mismatch");
    };
    const agent = await started(world);
    expect(await agent.status()).toBe("0/5");
    expect(world.restarting).toBe(false);
  });

  test("an outcome that becomes known is believed", async () => {
    const { world } = await updated();
    world.boot();
    let asked = 0;
    world.outcome = async () => {
      if (++asked === 1) throw new Error("the bus is not up yet");
      return asked === 2 ? "unknown" : "new";
    };
    const agent = await started(world);
    await agent.clock.advance(seconds(20));
    expect(await agent.status()).toBe("0/1");
  });

  test("a trial that passes commits, one that fails goes back and reports it", async () => {
    const passed = await updated();
    passed.world.boot();
    let pass = () => {};
    const trial = () =>
      new Promise<void>((resolve) => {
        pass = resolve;
      });
    const agent = await started(passed.world, { trial: trialBy(trial) });
    expect(await agent.status()).toBe("3/0");
    expect(passed.world.staying).toBe("1.0");
    pass();
    await agent.settle();
    expect(await agent.status()).toBe("0/1");
    expect(passed.world.staying).toBe("2.0");

    const { world } = await updated();
    world.boot();
    const failing = await started(world, { trial: unhealthy });
    expect(await failing.status()).toBe("3/0");
    expect(world.restarting).toBe(true);
    world.boot();
    const back = await started(world);
    expect(world.running).toBe("1.0");
    expect(await back.status()).toBe("0/8");
  });

  test("an image that was committed is not put on trial again", async () => {
    const { world } = await updated();
    world.boot();
    const { commit } = world;
    world.commit = async () => {
      await commit();
      return new Promise<void>(() => {}); // the power goes before anybody hears of it
    };
    await started(world);
    expect(world.staying).toBe("2.0");
    world.boot();
    world.commit = commit;
    const agent = await started(world, { trial: unhealthy });
    expect(await agent.status()).toBe("0/1");
  });

  test("a normal boot is committed, whatever is downloaded", async () => {
    const world = new World();
    const agent = await started(world);
    expect(world.acts).toContain("commit");
    await agent.write("packageUri", goodUri);
    await agent.settle();
    world.boot();
    world.acts.length = 0;
    const next = await started(world);
    expect(world.acts).toContain("commit");
    expect(await next.status()).toBe("2/0");
  });
});

describe("after a restart of the agent alone", () => {
  test("an interrupted installation is done again", async () => {
    const world = new World();
    const { apply } = world;
    world.apply = () => new Promise(() => {});
    const first = await started(world);
    await first.write("packageUri", goodUri);
    await first.settle();
    await first.execute("update");
    await first.soon();
    world.kill();
    world.apply = apply;

    const agent = await started(world);
    await agent.soon();

    expect(world.armed).toBe("2.0");
    expect(world.restarting).toBe(true);
  });

  test("an installation that takes the agent down each time fails in the end; the package stays", async () => {
    const world = new World();
    world.apply = () => new Promise(() => {});
    const first = await started(world);
    await first.write("packageUri", goodUri);
    await first.settle();
    await first.execute("update");
    for (const _ of [1, 2, 3]) {
      world.kill();
      await (await started(world)).soon();
    }
    const agent = await started(world);
    expect(await agent.status()).toBe("2/8");
    expect(world.acts.filter((act) => act === "apply")).toHaveLength(2);
  });

  test("a restart that was asked for is given its time before it is asked for again", async () => {
    const { world } = await updated();
    world.kill();
    world.acts.length = 0;
    const agent = await started(world);
    await agent.clock.advance(seconds(29));
    expect(world.acts).not.toContain("restart");
    expect(world.acts).not.toContain("apply");
    await agent.clock.advance(seconds(1));
    expect(world.acts).toContain("restart");
  });

  test("a download begins anew", async () => {
    const world = new World();
    const { download } = world;
    world.download = () => new Promise(() => {});
    const first = await started(world);
    await first.write("packageUri", goodUri);
    world.kill();
    world.download = download;
    const agent = await started(world);
    expect(await agent.status()).toBe("2/0");
  });

  test("a complete package is verified without another download", async () => {
    const world = new World();
    const { inspect } = world;
    world.inspect = () => new Promise(() => {});
    const first = await started(world);
    await first.write("packageUri", goodUri);
    await first.settle();
    world.kill();
    world.inspect = inspect;
    world.acts.length = 0;
    const agent = await started(world);
    expect(await agent.status()).toBe("2/0");
    expect(world.acts).not.toContain("download");
  });

  test("a downloaded package stays only if its file is intact", async () => {
    const world = new World();
    const first = await started(world);
    await first.write("packageUri", goodUri);
    await first.settle();
    world.kill();
    world.package = undefined;
    const agent = await started(world);
    expect(await agent.status()).toBe("0/0");
    expect(await agent.read("pkgVersion")).toBeUndefined();
  });
});

describe("a record", () => {
  test.each([
    ["damaged", "{"],
    ["of another version", '{"version":99,"content":{}}'],
    ["of an unknown state", '{"version":1,"content":{"severity":1,"state":{"name":"flying","result":0}}}'],
    [
      "of a state without its data",
      '{"version":1,"content":{"severity":1,"state":{"name":"updating","by":"board","result":0}}}',
    ],
    ["empty", ""],
  ])("that is %s starts from Idle with a line in the log", async (_, content) => {
    const world = new World();
    await world.store.write("firmware-update", Buffer.from(content));
    const agent = await started(world);
    expect(await agent.status()).toBe("0/0");
    expect(agent.log.lines).toMatchObject([{ level: "warn" }]);
  });

  test("that cannot be written does not hide what happened", async () => {
    const world = new World();
    const agent = await started(world);
    world.download = async (uri) => {
      world.storeFailure = new Error("disk full");
      return new World().download(uri, { signal: new AbortController().signal, progress: () => {} });
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
    expect(agent.log.lines).toContainEqual(expect.objectContaining({ level: "error" }));
  });
});
