import { describe, expect, test } from "vitest";
import { type PackageError, seconds } from "../../agent/ports.js";
import { AgentStatus, createAgentStatus } from "../../objects/agent-status.js";
import { createRestartReasons } from "../../objects/restart-reason.js";
import { tested } from "./doubles.js";
import { goodUri, trialBy, World } from "./firmware-update/world.js";

/** Agent Status beside a Firmware Update Object that it tells about. */
async function started(world = new World(), options: Parameters<World["agent"]>[0] = {}) {
  const agent = world.agent(options);
  const object = createAgentStatus({
    clock: agent.clock,
    log: agent.log,
    firmwareUpdate: agent.object,
    restarts: createRestartReasons({
      store: world.store,
      log: agent.log,
      bootId: async () => `boot-${world.bootNumber}`,
    }),
  });
  const status = tested(object);
  await agent.start();
  await status.start();
  await agent.settle();
  return { world, agent, object, status };
}

describe("Agent Status", () => {
  test("says why the device restarted, and nothing of updates while there was none", async () => {
    const { status } = await started();
    const values = await Promise.all(Object.keys(AgentStatus.resources).map((name) => status.read(name)));
    expect(values.filter((value) => value !== undefined)).toEqual(["first-start", "boot-1"]);
  });

  test("says how far a download is, once the size is known", async () => {
    const world = new World();
    let tell = (_: { received: number; total: number | undefined }) => {};
    world.download = (_, { progress }) => {
      tell = progress;
      return new Promise(() => {});
    };
    const { agent, status } = await started(world);
    await agent.write("packageUri", goodUri);
    await agent.settle();
    tell({ received: 999, total: undefined });
    expect(await status.read("updateProgress")).toBeUndefined();
    expect(await status.read("updateActivity")).toBe("999 bytes received");
    tell({ received: 999, total: 1000 });
    expect(await status.read("updateProgress")).toBe(99);
  });

  test("says what the installer says, and how the update ended", async () => {
    const world = new World();
    let fail = (_: PackageError) => {};
    world.apply = (_, { progress }) => {
      progress(0.42, "writing rootfs");
      return new Promise((_, reject) => {
        fail = reject;
      });
    };
    const { agent, status } = await started(world);
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.execute("update");
    await agent.soon();
    expect(await status.read("updateProgress")).toBe(42);
    expect(await status.read("updateActivity")).toBe("writing rootfs");
    fail(new Error("No space left on device") as PackageError);
    await agent.settle();
    expect(await status.read("lastUpdateResult")).toBe(8);
    expect(await status.read("lastUpdateReason")).toBe("No space left on device");
    expect(await status.read("lastUpdatePackage")).toBe("fw 2.0");
    expect(await status.read("lastUpdateTime")).toBe(Date.parse("2026-01-01T00:00:01Z") / 1000);
    expect(await status.read("updateActivity")).toBeUndefined();
  });

  test("says what is waited for, and how long a trial may still take", async () => {
    const gate = { before: async () => ({ later: "the mill runs" }), after: async () => {} };
    const waiting = await started(new World(), { gate });
    await waiting.agent.write("packageUri", goodUri);
    await waiting.agent.settle();
    expect(await waiting.status.read("updateWaitsFor")).toBe("the mill runs");

    const trial = trialBy(() => new Promise(() => {}));
    const first = await started(new World(), { trial });
    await first.agent.write("packageUri", goodUri);
    await first.agent.settle();
    await first.agent.execute("update");
    await first.agent.soon();
    first.world.boot();
    const next = await started(first.world, { trial });
    expect(await next.status.read("trialSecondsLeft")).toBe(300);
    expect(await next.status.read("updateActivity")).toBe("on trial: health");
  });

  test("tells its observers, and leaves no timer behind", async () => {
    const { agent, object, status } = await started();
    object.watched?.(true);
    await agent.settle();
    await agent.write("packageUri", "ftp://x/1");
    await agent.clock.advance(seconds(10));
    expect(status.changes).toEqual(["0/lastUpdateResult", "0/lastUpdateReason", "0/lastUpdateTime"]);
    await object.close?.();
    expect(agent.clock.pending).toBe(0);
  });
});
