import { describe, expect, test } from "vitest";
import { PackageError, seconds } from "../../../agent/ports.js";
import type { FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import type { Connectivity, TrialOptions } from "../../../objects/firmware-update/trial.js";
import { goodUri, trialBy, World } from "./world.js";

/** Servers that answer, or not. */
function network(...registered: number[]) {
  const servers = new Set(registered);
  const listeners = new Set<() => void>();
  const connectivity: Connectivity = {
    registered: () => [...servers],
    onRegistered(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return {
    connectivity,
    listeners,
    register(shortServerId: number) {
      servers.add(shortServerId);
      for (const listener of listeners) listener();
    },
    lose: (shortServerId: number) => servers.delete(shortServerId),
  };
}

type Options = Partial<FirmwareUpdateOptions>;

async function started(world: World, options: Options) {
  const agent = world.agent(options);
  await agent.start();
  await agent.settle();
  return agent;
}

/** The new image has booted; its agent is still to start. */
async function booted(options: Options): Promise<World> {
  const world = new World();
  const agent = await started(world, options);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  await agent.execute("update");
  await agent.soon();
  expect(world.restarting).toBe(true);
  world.boot();
  expect(world.running).toBe("2.0");
  return world;
}

/** The previous image is asked for; it boots, and says what it was. */
async function wentBack(world: World) {
  expect(world.restarting).toBe(true);
  world.boot();
  const agent = await started(world, {});
  expect(world.running).toBe("1.0");
  expect(await agent.status()).toBe("0/8");
  return agent.object.lastOutcome()?.reason;
}

const required = (options: Partial<TrialOptions> = {}): TrialOptions =>
  trialBy(undefined, { connectivity: "required", ...options });

describe("a new image that has to be connected", () => {
  test("stays once it is registered where the previous one was", async () => {
    const before = network(1, 2);
    const world = await booted({ trial: required(), connectivity: before.connectivity });
    const now = network();
    const agent = await started(world, { trial: required(), connectivity: now.connectivity });
    expect(agent.object.trial()).toEqual({ phase: "connectivity", secondsLeft: 300 });
    now.register(3); // another one: the old image did not know it
    await agent.clock.advance(seconds(100));
    expect(await agent.status()).toBe("3/0");
    expect(agent.object.trial()?.secondsLeft).toBe(200);
    now.register(2);
    await agent.settle();
    expect(await agent.status()).toBe("0/1");
    expect(world.staying).toBe("2.0");
    expect(agent.object.trial()).toBeUndefined();
    expect(now.listeners.size).toBe(0);
    expect(agent.clock.pending).toBe(0);
  });

  test("goes when it is not in time, and says where it did not register", async () => {
    const world = await booted({ trial: required(), connectivity: network(7).connectivity });
    const agent = await started(world, { trial: required(), connectivity: network().connectivity });
    await agent.clock.advance(seconds(299));
    expect(world.restarting).toBe(false);
    await agent.clock.advance(seconds(1));
    expect(await wentBack(world)).toBe(
      "the new firmware did not register with Server 7, 300 s after its start",
    );
  });

  test("need not be where nothing was connected before the update", async () => {
    const world = await booted({ trial: required(), connectivity: network().connectivity });
    const agent = await started(world, { trial: required(), connectivity: network().connectivity });
    expect(await agent.status()).toBe("0/1");
  });

  test("need not be where the operator does not ask for it", async () => {
    const trial = required({ connectivity: "ignored" });
    const world = await booted({ trial, connectivity: network(1).connectivity });
    const agent = await started(world, { trial, connectivity: network().connectivity });
    expect(await agent.status()).toBe("0/1");
  });

  test("is not taken back once it was to stay, however long nobody hears of it", async () => {
    const world = await booted({ trial: required(), connectivity: network(1).connectivity });
    const now = network(1);
    const agent = await started(world, { trial: required(), connectivity: now.connectivity });
    now.lose(1);
    await agent.clock.advance(seconds(100_000));
    expect(await agent.status()).toBe("0/1");
    world.boot();
    const next = await started(world, { trial: required(), connectivity: network().connectivity });
    await next.clock.advance(seconds(100_000));
    expect(await next.status()).toBe("0/1");
    expect(world.running).toBe("2.0");
  });
});

describe("a new image that has to be healthy", () => {
  test("is asked until it is", async () => {
    let asked = 0;
    const trial = trialBy(async () => {
      if (++asked < 4) throw new Error("the database recovers");
    });
    const world = await booted({ trial });
    const agent = await started(world, { trial });
    expect(agent.object.trial()?.phase).toBe("health");
    await agent.clock.advance(seconds(29));
    expect(await agent.status()).toBe("3/0");
    await agent.clock.advance(seconds(1));
    expect(await agent.status()).toBe("0/1");
    expect(asked).toBe(4);
  });

  test("goes when it is not in time, with the last words of the check", async () => {
    const trial = trialBy(() => Promise.reject(new Error("no camera\u0007 found")));
    const world = await booted({ trial });
    const agent = await started(world, { trial });
    await agent.clock.advance(seconds(300));
    expect(await wentBack(world)).toBe(
      "the new firmware is not healthy: no camera found, 300 s after its start",
    );
  });

  test("goes when its check hangs, and the check is told", async () => {
    let signal: AbortSignal | undefined;
    const trial = trialBy((given) => {
      signal = given;
      return new Promise(() => {});
    });
    const world = await booted({ trial });
    const agent = await started(world, { trial });
    await agent.clock.advance(seconds(300));
    expect(signal?.aborted).toBe(true);
    expect(await wentBack(world)).toContain("the health check of the new firmware did not end");
  });

  test("goes at once when waiting is of no use", async () => {
    const trial = trialBy(() => Promise.reject(new PackageError("failed", "kernel module missing")));
    const world = await booted({ trial });
    await started(world, { trial });
    expect(await wentBack(world)).toBe("kernel module missing");
  });

  test("has to be connected at the same time", async () => {
    const now = network(1);
    let finish = () => {};
    const trial = required({
      health: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const world = await booted({ trial, connectivity: now.connectivity });
    const agent = await started(world, { trial, connectivity: now.connectivity });
    now.lose(1);
    finish();
    await agent.settle();
    expect(agent.object.trial()?.phase).toBe("connectivity");
    now.register(1);
    await agent.settle();
    finish();
    await agent.settle();
    expect(await agent.status()).toBe("0/1");
  });
});

describe("a trial that is interrupted", () => {
  const never = trialBy(() => new Promise(() => {}));

  test("begins again from the record, with all of its time", async () => {
    const world = await booted({ trial: never });
    const first = await started(world, { trial: never });
    await first.clock.advance(seconds(200));
    world.kill();
    const second = await started(world, { trial: never });
    expect(second.object.trial()).toEqual({ phase: "health", secondsLeft: 300 });
    expect(await second.status()).toBe("3/0");
  });

  test.each(["boot", "kill"] as const)("too often (%s) ends in the previous image", async (how) => {
    const world = await booted({ trial: never });
    for (let start = 1; start <= 3; start++) {
      await started(world, { trial: never });
      expect(world.restarting).toBe(false);
      if (how === "boot") world.armed = "2.0"; // its boot loader has patience
      world[how]();
    }
    world.acts.length = 0;
    await started(world, { trial: never });
    // Counted, and on record, before the image may do any harm.
    expect(world.acts).toContain("record updating revert/0");
    expect(await wentBack(world)).toBe("the new firmware was started 3 times and did not prove itself");
  });

  test("by an image that takes the board down at once is counted, too", async () => {
    const world = await booted({ trial: never });
    for (let boot = 1; boot <= 3; boot++) {
      world.cut = () => world.acts.at(-1) === "record updating trial/0";
      void started(world, { trial: never });
      await new Promise((resolve) => setImmediate(resolve));
      world.acts.length = 0;
      world.cut = () => false;
      world.armed = "2.0";
      world.boot();
    }
    await started(world, { trial: never });
    expect(await wentBack(world)).toContain("3 times");
  });
});

describe("an image that is to go", () => {
  const trial = trialBy(() => Promise.reject(new PackageError("failed", "not healthy")));

  test("but is started again and again ends the update, so that another one can come", async () => {
    const world = await booted({ trial });
    for (let boot = 0; boot < 4; boot++) {
      await started(world, { trial });
      expect(world.restarting).toBe(true);
      world.armed = "2.0"; // the board does not go back
      world.boot();
    }
    const agent = await started(world, { trial });
    expect(await agent.status()).toBe("0/8");
    expect(agent.object.lastOutcome()?.reason).toBe("not healthy");
  });

  test("but cannot be taken back ends the update after some tries, and says both", async () => {
    const world = await booted({ trial });
    world.revert = async () => {
      throw new Error("fw_setenv: no such device");
    };
    const agent = await started(world, { trial });
    await agent.clock.advance(seconds(30 * 20));
    expect(await agent.status()).toBe("0/8");
    expect(agent.object.lastOutcome()?.reason).toBe(
      "not healthy; the previous firmware did not come back: fw_setenv: no such device",
    );
  });
});

test("what somebody else installed is no outcome of ours", async () => {
  const world = await booted({});
  world.running = "3.0";
  world.staying = "3.0";
  world.outcome = async () => "old";
  const agent = await started(world, {});
  expect(await agent.status()).toBe("0/0");
  expect(agent.object.lastOutcome()).toBeUndefined();
  expect(world.acts).toContain("commit");
});
