import { describe, expect, test } from "vitest";
import {
  BusyError,
  PackageError,
  type Postponement,
  type StageContext,
  seconds,
  type UpdateGate,
  type UpdateStage,
} from "../../../agent/ports.js";
import { composeGates } from "../../../objects/firmware-update/gates.js";
import type { FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import { goodUri, trialBy, unhealthy, World } from "./world.js";

type Verdict = "go" | Postponement | Error;

/** An operator whose word can be changed, and who notes what he was asked and told. */
function operator(verdicts: Partial<Record<UpdateStage, Verdict>> = {}) {
  const asked: [UpdateStage, StageContext][] = [];
  const told: [UpdateStage, StageContext][] = [];
  const gate: UpdateGate = {
    async before(stage, context) {
      asked.push([stage, context]);
      const verdict = verdicts[stage] ?? "go";
      if (verdict instanceof Error) throw verdict;
      return verdict;
    },
    async after(stage, context) {
      told.push([stage, context]);
    },
  };
  return { verdicts, asked, told, gate };
}

async function started(options: Partial<FirmwareUpdateOptions>, world = new World()) {
  const agent = world.agent(options);
  await agent.start();
  await agent.settle();
  return { world, agent };
}

async function downloaded(options: Partial<FirmwareUpdateOptions>, world = new World()) {
  const { agent } = await started(options, world);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  expect(await agent.status()).toBe("2/0");
  return { world, agent };
}

const later = { later: "the crane is up" };

test("the operator is asked before each stage of an update, and told after it", async () => {
  const { gate, asked, told } = operator();
  const { world, agent } = await downloaded({ gate });
  await agent.write("severity", 0);
  await agent.execute("update");
  await agent.soon();
  world.boot();
  const next = (await started({ gate }, world)).agent;
  expect(await next.status()).toBe("0/1");

  const stages = ["download", "apply", "restart", "commit"];
  expect(asked.map(([stage]) => stage)).toEqual(stages);
  expect(told.map(([stage]) => stage)).toEqual(stages);
  const [before, apply, , commit] = asked.map(([, context]) => context);
  expect(before).toMatchObject({ uri: goodUri, package: undefined, image: undefined, attempt: undefined });
  expect(apply).toMatchObject({ uri: goodUri, package: { name: "fw", version: "2.0" }, severity: 0 });
  expect(apply?.attempt).toMatch(/^[0-9a-f]{16}$/);
  expect(commit?.attempt).toBe(apply?.attempt);
});

test("what he throws after a stage changes nothing", async () => {
  const { gate } = operator();
  const after = () => Promise.reject(new Error("the hook is gone"));
  const { world, agent } = await downloaded({ gate: { ...gate, after } });
  await agent.execute("update");
  await agent.soon();
  expect(world.restarting).toBe(true);
});

describe("an Update that the operator puts off", () => {
  test("is answered, stays Downloaded with Result 11, and goes on when he agrees", async () => {
    const { gate, verdicts } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    expect(await agent.status()).toBe("2/11");
    expect(agent.changes.at(-1)).toBe("0/updateResult");
    expect(agent.object.waiting()).toEqual({ stage: "apply", reason: "the crane is up" });
    await agent.clock.advance(seconds(7200));
    expect(await agent.status()).toBe("2/11");
    expect(world.acts).not.toContain("apply");

    verdicts.apply = "go";
    await agent.clock.advance(seconds(601));
    expect(world.acts).toContain("apply");
    expect(agent.object.waiting()).toBeUndefined();
  });

  test("is asked for rarely, but at once when something has changed", async () => {
    const { gate, verdicts, asked } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    await agent.clock.advance(seconds(24 * 3600));
    expect(asked.length).toBeLessThan(160);
    verdicts.apply = "go";
    agent.object.askAgain();
    await agent.soon();
    expect(world.acts).toContain("apply");
  });

  test("goes ahead when Maximum Defer Period is over", async () => {
    const { gate } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.write("maximumDeferPeriod", 100);
    await agent.execute("update");
    await agent.clock.advance(seconds(99));
    expect(await agent.status()).toBe("2/11");
    await agent.clock.advance(seconds(2));
    expect(world.acts).toContain("apply");
  });

  test("is not put off where Maximum Defer Period is 0", async () => {
    const { gate } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.write("maximumDeferPeriod", 0);
    await agent.execute("update");
    expect(await agent.status()).toBe("3/0");
    await agent.soon();
    expect(world.acts).toContain("apply");
  });

  test("is held by who is on the spot, whatever Maximum Defer Period a Server writes", async () => {
    const { gate, verdicts } = operator({ apply: { later: "hands in the machine", isUnbounded: true } });
    const { world, agent } = await downloaded({ gate });
    await agent.write("maximumDeferPeriod", 0);
    await agent.execute("update");
    await agent.clock.advance(seconds(86_400));
    expect(await agent.status()).toBe("2/11");
    verdicts.apply = "go";
    expect(world.acts).not.toContain("apply");
    await agent.clock.advance(seconds(601));
    expect(world.acts).toContain("apply");
  });

  test("goes ahead when a Server forbids the deferral meanwhile", async () => {
    const { gate } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    await agent.clock.advance(seconds(5));
    await agent.write("maximumDeferPeriod", 0);
    await agent.soon();
    expect(world.acts).toContain("apply");
  });

  test("waits on over restarts of the agent, and the time that has passed counts", async () => {
    const { gate } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.write("maximumDeferPeriod", 200);
    await agent.execute("update");
    await agent.clock.advance(seconds(100)); // asked after 0, 30 and 90 seconds
    world.boot();

    const next = (await started({ gate }, world)).agent;
    expect(await next.status()).toBe("2/11");
    expect(next.object.waiting()?.stage).toBe("apply");
    await next.clock.advance(seconds(109));
    expect(world.acts).not.toContain("apply");
    await next.clock.advance(seconds(2));
    expect(world.acts).toContain("apply");
  });

  test.each([
    ["cancelled", "0/10", (agent: Agent) => agent.execute("cancel")],
    ["reset", "0/0", (agent: Agent) => agent.write("packageUri", "")],
  ])("can be %s", async (_, status, act) => {
    const { gate, verdicts } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    await act(agent);
    verdicts.apply = "go";
    await agent.clock.advance(seconds(3600));
    expect(await agent.status()).toBe(status);
    expect(world.acts).not.toContain("apply");
    expect(world.package).toBeUndefined();
    expect(agent.object.waiting()).toBeUndefined();
    expect(agent.clock.pending).toBe(0);
  });

  test("can be executed again, which asks at once", async () => {
    const { gate, verdicts } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    verdicts.apply = "go";
    await agent.execute("update");
    expect(await agent.status()).toBe("3/0");
    await agent.soon();
    expect(world.acts.filter((act) => act === "apply")).toHaveLength(1);
  });

  test("whose package is gone after a restart ends with Result 8, not in silence", async () => {
    const { gate } = operator({ apply: later });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    world.boot();
    world.package = undefined;
    const next = (await started({ gate }, world)).agent;
    expect(await next.status()).toBe("0/8");
    expect(next.object.lastOutcome()?.reason).toContain("gone");
  });

  test("leaves no timer when the agent stops", async () => {
    const { gate } = operator({ apply: later });
    const { agent } = await downloaded({ gate });
    await agent.execute("update");
    await agent.object.close?.();
    expect(agent.clock.pending).toBe(0);
    expect(agent.object.state().name).toBe("downloaded");
  });
});

type Agent = ReturnType<World["agent"]>;

test("the answer to Update waits a moment for the operator's word, but not for ever", async () => {
  let agree = () => {};
  const before: UpdateGate["before"] = (stage) =>
    stage === "apply" ? new Promise((resolve) => (agree = () => resolve("go"))) : Promise.resolve("go");
  const { world, agent } = await downloaded({ gate: { before, after: async () => {} } });
  let isAnswered = false;
  const answered = agent.execute("update").then(() => {
    isAnswered = true;
  });
  await agent.clock.advance(seconds(4));
  expect(isAnswered).toBe(false);
  await agent.clock.advance(seconds(2));
  expect(isAnswered).toBe(true);
  await answered;
  expect(await agent.status()).toBe("2/0");
  agree();
  await agent.soon();
  expect(world.acts).toContain("apply");
});

describe("an update that the operator refuses", () => {
  test.each([
    ["failed", "2/8"],
    ["storage", "2/2"],
    ["integrity", "0/5"],
    ["unsupported-package", "0/6"],
  ] as const)("by %s before apply ends as %s", async (failure, status) => {
    const { gate } = operator({ apply: new PackageError(failure, "not this one") });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    expect(await agent.status()).toBe(status);
    expect(world.package === undefined).toBe(status.startsWith("0"));
    expect(agent.object.lastOutcome()).toMatchObject({ reason: "not this one" });
    expect(world.acts).not.toContain("apply");
  });

  test("before download ends with its Result, and nothing is fetched", async () => {
    const { gate } = operator({ download: new PackageError("unsupported-package", "no image of that site") });
    const { world, agent } = await started({ gate });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("0/6");
    expect(world.acts).not.toContain("download");
  });

  test("before restart takes the image back, and ends with its Result", async () => {
    const { gate } = operator({ restart: new PackageError("failed", "the boot menu is locked") });
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    await agent.soon();
    expect(world.acts).toContain("revert");
    world.boot();
    const next = (await started({ gate }, world)).agent;
    expect(await next.status()).toBe("0/8");
    expect(world.running).toBe("1.0");
    expect(next.object.lastOutcome()?.reason).toBe("the boot menu is locked");
  });

  test("before commit goes back to the previous image", async () => {
    const { gate, verdicts } = operator();
    const { world, agent } = await downloaded({ gate });
    await agent.execute("update");
    await agent.soon();
    world.boot();
    verdicts.commit = new PackageError("failed", "the robot arm does not move");
    await started({ gate }, world);
    expect(world.restarting).toBe(true);
    world.boot();
    const back = (await started({ gate }, world)).agent;
    expect(await back.status()).toBe("0/8");
    expect(world.running).toBe("1.0");
    expect(back.object.lastOutcome()?.reason).toBe("the robot arm does not move");
  });
});

describe("an operator who is not ready", () => {
  test("keeps a download waiting in Downloading, which can be cancelled", async () => {
    const { gate, verdicts } = operator({ download: { later: "not before 2 o'clock" } });
    const { world, agent } = await started({ gate });
    await agent.write("packageUri", goodUri);
    await agent.clock.advance(seconds(3600));
    expect(await agent.status()).toBe("1/0");
    expect(agent.object.waiting()).toEqual({ stage: "download", reason: "not before 2 o'clock" });
    expect(world.acts).not.toContain("download");
    await agent.execute("cancel");
    expect(await agent.status()).toBe("0/10");

    await agent.write("packageUri", goodUri);
    verdicts.download = "go";
    await agent.clock.advance(seconds(601));
    expect(await agent.status()).toBe("2/0");
  });

  test("has a push come again later", async () => {
    const { gate, verdicts } = operator({ download: later });
    const { agent } = await started({ gate });
    await expect(agent.receive("package", 3)).rejects.toMatchObject({ code: "5.03" });
    expect(await agent.status()).toBe("0/0");
    verdicts.download = new PackageError("unsupported-package", "never");
    await expect(agent.receive("package", 3)).rejects.toMatchObject({ code: "5.00" });
    expect(await agent.status()).toBe("0/6");
    verdicts.download = "go";
    const sink = await agent.receive("package", 3);
    await sink.write(Buffer.from("2.0"));
    await sink.end();
    expect(await agent.status()).toBe("2/0");
  });

  test("keeps the restart waiting in Updating, up to Maximum Defer Period", async () => {
    const { gate } = operator({ restart: { later: "passengers on board" } });
    const { world, agent } = await downloaded({ gate });
    await agent.write("maximumDeferPeriod", 300);
    await agent.execute("update");
    await agent.clock.advance(seconds(200));
    expect(await agent.status()).toBe("3/0");
    expect(agent.object.waiting()).toEqual({ stage: "restart", reason: "passengers on board" });
    world.kill();

    const next = (await started({ gate }, world)).agent;
    await next.clock.advance(seconds(30 + 209)); // the restart's own grace, and what is left: 90 were on record
    expect(world.restarting).toBe(false);
    await next.clock.advance(seconds(2));
    expect(world.restarting).toBe(true);
  });

  test("is a gate that is busy, too", async () => {
    const { gate } = operator({ apply: new BusyError("another hook runs") });
    const { agent } = await downloaded({ gate });
    await agent.execute("update");
    expect(await agent.status()).toBe("2/11");
  });

  test("loses the new image when he never lets it stay", async () => {
    const { gate } = operator({ commit: later });
    const options = { gate, trial: trialBy(undefined, { timeLimit: seconds(120) }) };
    const { world, agent } = await downloaded(options);
    await agent.execute("update");
    await agent.soon();
    world.boot();
    const next = (await started(options, world)).agent;
    expect(next.object.waiting()).toMatchObject({ stage: "commit" });
    await next.clock.advance(seconds(121));
    expect(world.restarting).toBe(true);
  });
});

describe("Automatic Upgrade", () => {
  test("installs what is downloaded without an Execute, once it is Downloaded", async () => {
    const { world, agent } = await started({});
    await agent.write("automaticUpgrade", true);
    await agent.write("packageUri", goodUri);
    await agent.soon();
    expect(world.acts.filter((act) => act.startsWith("record"))).toEqual([
      "record idle/0",
      "record downloading/0",
      "record verifying/0",
      "record downloaded/0",
      "record updating apply/0",
      "record updating restart/0",
    ]);
    expect(world.restarting).toBe(true);
  });

  test("goes on when the agent stopped in between, and asks the operator", async () => {
    const { gate, verdicts } = operator({ apply: later });
    const { world, agent } = await started({ gate });
    await agent.write("automaticUpgrade", true);
    await agent.write("packageUri", goodUri);
    await agent.soon();
    expect(await agent.status()).toBe("2/11");
    world.kill();
    verdicts.apply = "go";
    const next = (await started({ gate }, world)).agent;
    expect(await next.read("automaticUpgrade")).toBe(true);
    await next.soon();
    expect(world.restarting).toBe(true);
  });

  test("leaves what was downloaded before alone, and off waits for Update", async () => {
    const { world, agent } = await downloaded({});
    await agent.write("automaticUpgrade", true);
    await agent.soon();
    expect(await agent.status()).toBe("2/0");
    await agent.write("packageUri", "");
    await agent.write("automaticUpgrade", false);
    await agent.write("packageUri", goodUri);
    await agent.soon();
    expect(await agent.status()).toBe("2/0");
    expect(world.acts).not.toContain("apply");
  });
});

describe("several gates", () => {
  test("are one: the first `later` wins, and the rest is not asked", async () => {
    const first = operator();
    const second = operator({ apply: later });
    const third = operator();
    const gate = composeGates([first.gate, second.gate, third.gate]);
    const context = { uri: "", package: undefined, image: undefined, severity: 1, attempt: undefined };
    const signal = new AbortController().signal;
    expect(await gate?.before("apply", { ...context, signal })).toBe(later);
    expect(third.asked).toEqual([]);
    expect(await gate?.before("restart", { ...context, signal })).toBe("go");
    expect(third.asked).toHaveLength(1);
  });

  test("are all told, also when one of them fails", async () => {
    const last = operator();
    const failing = { ...operator().gate, after: () => Promise.reject(new Error("gone")) };
    const gate = composeGates([failing, last.gate]);
    const signal = new AbortController().signal;
    const context = {
      uri: "",
      package: undefined,
      image: undefined,
      severity: 1,
      attempt: undefined,
      signal,
    };
    await expect(gate?.after("commit", context)).rejects.toThrow("gone");
    expect(last.told).toHaveLength(1);
    expect(composeGates([])).toBeUndefined();
  });
});

test("an image that fails its trial is not committed, whatever the operator says", async () => {
  const { gate, asked } = operator();
  const { world, agent } = await downloaded({ gate, trial: unhealthy });
  await agent.execute("update");
  await agent.soon();
  world.boot();
  await started({ gate, trial: unhealthy }, world);
  expect(asked.map(([stage]) => stage)).not.toContain("commit");
});
