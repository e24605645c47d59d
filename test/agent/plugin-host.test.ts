import { describe, expect, test } from "vitest";
import type { ObjectImplementation } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import { defineObject, type Plugin, singleInstance } from "../../agent/plugin.js";
import { PluginHost, type PluginHostOptions } from "../../agent/plugin-host.js";
import { seconds } from "../../agent/ports.js";
import type { FirmwareUpdateObject } from "../../objects/firmware-update/object.js";
import { createSimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";

const never = () => new Promise<void>(() => undefined);
const unused = () => Promise.reject(new Error("not part of this test"));

function host(plugins: readonly Plugin[], options: Partial<PluginHostOptions> = {}) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const objects: ObjectImplementation[] = [];
  const of = new PluginHost({
    plugins,
    endpointName: "board",
    log,
    clock,
    hasObject: (id) => objects.some(({ definition }) => definition.id === id),
    addObject: (object) => void objects.push(object),
    send: unused,
    firmwareUpdate: () => ({ setFirmwareUpdateState: unused }) as unknown as FirmwareUpdateObject,
    object: () => {
      throw new Error("no Object was configured");
    },
    ...options,
  });
  const said = () =>
    log.lines
      .filter(({ level }) => level !== "info")
      .map(({ event, fields }) => `${fields["plugin"]}: ${event}`);
  return { host: of, clock, log, objects, said };
}

const Door = defineObject({
  id: 40002,
  name: "Door",
  version: "1.0",
  instances: "single",
  resources: { open: { id: 0, operations: "R", type: "boolean", mandatory: true } },
});

describe("a plugin that cannot start is left out, and the others go on:", () => {
  const starts: readonly (readonly [how: string, start: NonNullable<Plugin["start"]>, reason: string])[] = [
    [
      "it throws",
      () => {
        throw new Error("no such device");
      },
      "start: no such device",
    ],
    ["it rejects", () => Promise.reject(new Error("no such device")), "start: no such device"],
    ["it hangs", never, "start: the plugin bad did not return from start within 30 s"],
  ];
  test.each(starts)("%s", async (_how, start, reason) => {
    const asked: string[] = [];
    const bad: Plugin = {
      name: "bad",
      start(agent) {
        agent.addObject(singleInstance(Door, { open: { read: () => true } }));
        return start(agent);
      },
      stop: () => void asked.push("bad stop"),
      reboot: () => void asked.push("bad reboot"),
      configurationApplied: () => void asked.push("bad configuration"),
    };
    const good: Plugin = { name: "good", start: () => void asked.push("good start") };
    const { host: of, clock, objects, said } = host([bad, good]);
    const started = of.start();
    await clock.advance(seconds(30));
    await started;
    expect(of.health()).toEqual([
      { name: "bad", health: "failed", reason },
      { name: "good", health: "running" },
    ]);
    expect(said().at(-1)).toBe("bad: plugin left out");
    expect(objects).toEqual([]); // nobody would feed it
    await of.reboot(async () => void asked.push("reboot"));
    await of.configurationApplied({ objectInstanceId: 0, name: undefined, value: undefined });
    await of.stop();
    expect(asked).toEqual(["good start", "reboot"]);
    expect(clock.pending).toBe(0);
  });
});

test("an Object can be added while the plugin starts, not by one that was given up", async () => {
  let addLate: () => void = () => undefined;
  const slow: Plugin = {
    name: "slow",
    async start(agent) {
      addLate = () => agent.addObject(singleInstance(Door, { open: { read: () => true } }));
      await never();
    },
  };
  const { host: of, clock } = host([slow]);
  const started = of.start();
  await clock.advance(seconds(30));
  await started;
  expect(addLate).toThrow("addObject is for the start of a plugin");
});

test("the number of an Object that is there is refused where the plugin asks for it", async () => {
  const reasons: unknown[] = [];
  const doors = (name: string): Plugin => ({
    name,
    start(agent) {
      try {
        agent.addObject(singleInstance(Door, { open: { read: () => true } }));
      } catch (error) {
        reasons.push((error as Error).message);
      }
    },
  });
  const { host: of, objects } = host([doors("first"), doors("second")]);
  await of.start();
  expect(reasons).toEqual(["Object 40002 exists already; Door cannot take its number"]);
  expect(objects).toHaveLength(1);
});

describe("a callback that does not return", () => {
  test.each(["reboot", "factoryReset"] as const)("%s: the agent does it itself", async (callback) => {
    const done: string[] = [];
    let late: (() => Promise<void>) | undefined;
    const hanging: Plugin = {
      name: "hanging",
      [callback]: ({ proceed }: { proceed: () => Promise<void> }) => {
        late = proceed;
        return never();
      },
    };
    const { host: of, clock, said } = host([hanging]);
    await of.start();
    const asked = of[callback](async () => void done.push(callback));
    await clock.advance(seconds(29));
    expect(done).toEqual([]);
    await clock.advance(seconds(1));
    await asked;
    expect(done).toEqual([callback]);
    expect(said()).toEqual(["hanging: plugin callback given up"]);
    expect(of.health()[0]?.reason).toBe(
      `${callback}: the plugin hanging did not return from ${callback} within 30 s`,
    );
    await expect(late?.()).rejects.toThrow("too late to proceed");
    expect(done).toHaveLength(1);
  });

  test("reboot that hangs after it has proceeded: once is enough", async () => {
    let restarts = 0;
    const { host: of, clock } = host([
      {
        name: "hanging",
        async reboot({ proceed }) {
          await proceed();
          await never();
        },
      },
    ]);
    await of.start();
    const asked = of.reboot(async () => void restarts++);
    await clock.advance(seconds(60));
    await asked;
    expect(restarts).toBe(1);
  });

  test("configurationApplied: the configuration is refused", async () => {
    const { host: of, clock } = host([{ name: "hanging", configurationApplied: never }]);
    await of.start();
    const applied = of.configurationApplied({ objectInstanceId: 0, name: undefined, value: "x" });
    const refused = expect(applied).rejects.toThrow("did not return from configurationApplied within 30 s");
    await clock.advance(seconds(30));
    await refused;
  });

  test("stop: the next one is stopped after 10 s", async () => {
    const stopped: string[] = [];
    const {
      host: of,
      clock,
      said,
    } = host([
      { name: "first", stop: () => void stopped.push("first") },
      { name: "hanging", stop: never },
    ]);
    await of.start();
    const stopping = of.stop();
    await clock.advance(seconds(10));
    await stopping;
    expect(stopped).toEqual(["first"]);
    expect(said()).toEqual(["hanging: plugin callback given up"]);
  });

  test.each(["packageUriWritten", "updateExecuted"] as const)(
    "%s: the update ends after a day, and its signal fires",
    async (callback) => {
      let signal: AbortSignal | undefined;
      const hanging: Plugin = {
        name: "hanging",
        [callback]: (event: { signal: AbortSignal }) => {
          signal = event.signal;
          return never();
        },
      };
      const { host: of, clock } = host([hanging]);
      await of.start();
      const context = {
        instanceId: 0,
        uri: "http://x/y",
        signal: new AbortController().signal,
        image: async () => undefined,
        default: async () => undefined,
      };
      const asked = of.firmwareUpdateHooks()[callback]?.(context);
      const refused = expect(asked).rejects.toThrow("did not return");
      await clock.advance(seconds(86_399));
      expect(signal?.aborted).toBe(false);
      await clock.advance(seconds(1));
      await refused;
      expect(signal?.aborted).toBe(true);
    },
  );

  test("what the agent does in `proceed` is not the plugin's time", async () => {
    const { host: of, clock, said } = host([{ name: "patient", reboot: ({ proceed }) => proceed() }]);
    await of.start();
    const asked = of.reboot(() => new Promise((resolve) => clock.after(seconds(7200), resolve)));
    await clock.advance(seconds(7200));
    await asked;
    expect(said()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("the limits are the operator's", async () => {
    const { host: of, clock } = host([{ name: "slow", start: never }], {
      timeLimits: { callback: seconds(2) },
    });
    const started = of.start();
    await clock.advance(seconds(2));
    await started;
    expect(of.health()[0]?.health).toBe("failed");
  });
});

describe("a callback that throws", () => {
  const throwing = () => {
    throw new Error("no");
  };
  test("is logged with the plugin's name, and says no to what it was asked", async () => {
    let restarts = 0;
    const { host: of, said } = host([{ name: "strict", reboot: throwing, configurationApplied: throwing }]);
    await of.start();
    await expect(of.reboot(async () => void restarts++)).rejects.toThrow("no");
    await expect(
      of.configurationApplied({ objectInstanceId: 0, name: undefined, value: undefined }),
    ).rejects.toThrow("no");
    expect(restarts).toBe(0);
    expect(said()).toEqual(["strict: plugin callback failed", "strict: plugin callback failed"]);
    expect(of.health()).toEqual([{ name: "strict", health: "running", reason: "configurationApplied: no" }]);
  });

  test("in an Object of a plugin, it is named, and the Server hears of it", async () => {
    const {
      host: of,
      objects,
      log,
    } = host([
      {
        name: "doors",
        start: (agent) => {
          const object = singleInstance(Door, { open: { read: throwing } });
          agent.addObject({ ...object, start: throwing });
        },
      },
    ]);
    await of.start();
    const [object] = objects;
    await object?.start?.({
      changed: () => undefined,
      instanceAdded: () => undefined,
      instanceRemoved: () => undefined,
    });
    expect(() => object?.instances.get(0)?.["open"]?.read?.()).toThrow("no");
    await settle();
    expect(log.lines.map(({ event, fields }) => [event, fields["plugin"], fields["callback"]])).toEqual([
      ["plugin callback failed", "doors", "start of Object 40002"],
      ["plugin callback failed", "doors", "read open of Object 40002"],
    ]);
  });

  test("a refusal by its own word is no failure", async () => {
    const { host: of, said } = host([
      {
        name: "strict",
        configurationApplied: () => {
          throw new RequestError("4.00", "the value is not for this device");
        },
      },
    ]);
    await of.start();
    await expect(
      of.configurationApplied({ objectInstanceId: 0, name: undefined, value: "" }),
    ).rejects.toMatchObject({ code: "4.00" });
    expect(said()).toEqual(["strict: plugin refused"]);
    expect(of.health()).toEqual([{ name: "strict", health: "running" }]);
  });
});
