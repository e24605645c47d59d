import { describe, expect, test } from "vitest";
import type { ExecuteArguments } from "../../agent/model/definition.js";
import type { ResourceContent } from "../../agent/model/value.js";
import { PackageError, seconds } from "../../agent/ports.js";
import {
  type AdvancedFirmwareUpdateOptions,
  createAdvancedFirmwareUpdate,
} from "../../objects/advanced-firmware-update/object.js";
import { createSimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createSeededRandom } from "../simulated/random.js";
import { createMemoryStore } from "../simulated/store.js";
import { tested } from "./doubles.js";
import { unhealthy, World } from "./firmware-update/world.js";

const uri = (version: string) => `http://images.example/${version}`;

/** A gateway of three parts; each has a disk and images of its own, and all of them restart at once. */
class Gateway {
  readonly names = ["host", "radio", "meter"];
  readonly worlds = this.names.map(() => new World());
  readonly store = createMemoryStore();
  otherIsBusy = false;

  async start(options: Partial<AdvancedFirmwareUpdateOptions> = {}) {
    const clock = createSimulatedClock();
    const log = createRecordingLog();
    const object = createAdvancedFirmwareUpdate({
      ...{ clock, log, store: this.store, random: createSeededRandom(1) },
      isOtherBusy: () => this.otherIsBusy,
      ...options,
      components:
        options.components ??
        this.worlds.map((world, id) => {
          const { store: _, ...ports } = world.ports();
          return { ...ports, name: this.names[id] ?? "" };
        }),
    });
    const server = tested(object);
    await server.start();
    await clock.advance(seconds(0));
    return {
      ...server,
      object,
      clock,
      log,
      status: async (id: number) =>
        `${await server.read("state", id)}/${await server.read("updateResult", id)}`,
      links: async (name: string, id: number) => linkIds(await server.read(name, id)),
      execute: async (id: number, args: ExecuteArguments = new Map()) => {
        const answer = await object.instances.get(id)?.["update"]?.execute?.(args);
        answer?.();
      },
      async download(id: number, version = "2.0") {
        await server.write("packageUri", uri(version), id);
        await clock.advance(seconds(0));
        expect(await server.read("state", id)).toBe(2);
      },
      soon: () => clock.advance(seconds(1)),
    };
  }

  world(id: number): World {
    const world = this.worlds[id];
    if (world === undefined) throw new Error(`no component ${id}`);
    return world;
  }

  get restarting(): boolean {
    return this.worlds.some(({ restarting }) => restarting);
  }

  boot(): void {
    for (const world of this.worlds) world.boot();
  }
}

const linkIds = (content: ResourceContent | undefined) =>
  content instanceof Map
    ? [...content.values()].map((link) => (link as { objectInstanceId: number }).objectInstanceId)
    : [];

const only: ExecuteArguments = new Map([[0, undefined]]);
const listed = (list: string): ExecuteArguments => new Map([[0, list]]);

describe("each component", () => {
  test("has an instance with its name and the version that it runs", async () => {
    const gateway = new Gateway();
    gateway.world(1).running = "7.1";
    const agent = await gateway.start();
    expect([...agent.object.instances.keys()]).toEqual([0, 1, 2]);
    expect(await agent.read("componentName", 1)).toBe("radio");
    expect(await agent.read("currentVersion", 1)).toBe("7.1");
    expect(await agent.status(1)).toBe("0/0");
    expect(agent.object.create).toBeUndefined();
    expect(agent.object.delete).toBeUndefined();
  });

  test("is updated by itself, and its record is its own", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start();
    await agent.download(1);
    await agent.execute(1);
    await agent.soon();
    expect(gateway.world(1).restarting).toBe(true);
    expect(gateway.world(0).acts).not.toContain("apply");
    expect(await agent.status(0)).toBe("0/0");
    gateway.boot();
    const next = await gateway.start();
    expect(await next.status(1)).toBe("0/1");
    expect(await next.read("currentVersion", 1)).toBe("2.0");
    expect(await next.status(0)).toBe("0/0");
    expect(next.object.components()).toMatchObject([
      { objectInstanceId: 0, name: "host", state: 0, result: 0, lastOutcome: undefined },
      { objectInstanceId: 1, name: "radio", state: 0, result: 1, lastOutcome: { result: 1 } },
      { objectInstanceId: 2, name: "meter" },
    ]);
    expect([...gateway.store.records.keys()].sort()).toEqual(["firmware-update-1"]);
  });

  test("takes packages that are pushed", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start();
    const sink = await agent.object.instances.get(2)?.["package"]?.receive?.(3);
    await sink?.write(Buffer.from("3.0"));
    await sink?.end();
    expect(await agent.status(2)).toBe("2/0");
    expect(await agent.read("pkgVersion", 2)).toBe("3.0");
  });
});

describe("an Update", () => {
  test("installs the linked components with it, and restarts when all of them are written", async () => {
    const gateway = new Gateway();
    let written = () => {};
    const { apply } = gateway.world(2);
    gateway.world(2).apply = async (...args) => {
      await new Promise<void>((resolve) => {
        written = resolve;
      });
      return apply(...args);
    };
    const agent = await gateway.start();
    await agent.download(0);
    await agent.download(2);
    expect(await agent.links("linkedInstances", 0)).toEqual([2]);
    expect(await agent.links("linkedInstances", 2)).toEqual([0]);
    expect(await agent.links("linkedInstances", 1)).toEqual([]);

    await agent.execute(0);
    expect(await agent.status(0)).toBe("3/0");
    expect(await agent.status(2)).toBe("3/0");
    await agent.clock.advance(seconds(600));
    expect(gateway.world(0).acts).toContain("apply");
    expect(gateway.restarting).toBe(false);

    written();
    await agent.soon();
    expect(gateway.restarting).toBe(true);
    gateway.boot();
    const next = await gateway.start();
    expect([await next.status(0), await next.status(1), await next.status(2)]).toEqual(["0/1", "0/0", "0/1"]);
  });

  test("with a bare 0 installs this one only", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start();
    await agent.download(0);
    await agent.download(1);
    await agent.execute(0, only);
    expect(await agent.status(0)).toBe("3/0");
    expect(await agent.status(1)).toBe("2/0");
  });

  test("with a list installs exactly those and this one", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start();
    for (const id of [0, 1, 2]) await agent.download(id);
    await agent.execute(0, listed("</33629/1>, </33629/0>"));
    expect([await agent.status(0), await agent.status(1), await agent.status(2)]).toEqual([
      "3/0",
      "3/0",
      "2/0",
    ]);
  });

  test.each(["</33629/9>", "</5/0>", "</33629/1", "x", "</33629/1>;</33629/2>"])(
    "with %s is a bad request",
    async (list) => {
      const agent = await new Gateway().start();
      await agent.download(0);
      await expect(agent.execute(0, listed(list))).rejects.toMatchObject({ code: "4.00" });
      expect(await agent.status(0)).toBe("2/0");
    },
  );

  test("that needs a component without a package ends with Result 13, and says which", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start();
    await agent.download(0);
    await agent.execute(0, listed("</33629/1>,</33629/2>"));
    expect(await agent.status(0)).toBe("2/13");
    expect(await agent.links("conflictingInstances", 0)).toEqual([1, 2]);
    expect(agent.object.components()[0]?.lastOutcome?.reason).toBe(
      "there is no package yet for radio, meter",
    );
    await agent.download(1);
    await agent.execute(0, listed("</33629/1>"));
    expect(await agent.status(0)).toBe("3/0");
    expect(await agent.links("conflictingInstances", 0)).toEqual([]);
  });

  test("is refused while there is no package, whatever it lists", async () => {
    const agent = await new Gateway().start();
    await expect(agent.execute(0, listed("</33629/1>"))).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status(0)).toBe("0/0");
  });

  test("whose linked component fails leaves the other one to succeed", async () => {
    const gateway = new Gateway();
    gateway.world(1).apply = async () => {
      throw new PackageError("failed", "the radio does not answer");
    };
    const agent = await gateway.start();
    await agent.download(0);
    await agent.download(1);
    await agent.execute(0);
    await agent.soon();
    expect(await agent.status(1)).toBe("2/8");
    expect(gateway.restarting).toBe(true);
    gateway.boot();
    const next = await gateway.start();
    expect([await next.status(0), await next.status(1)]).toEqual(["0/1", "2/8"]);
  });
});

describe("a package that changes other components, too", () => {
  const affecting = (gateway: Gateway) =>
    gateway.worlds.map((world, id) => {
      const { store: _, ...ports } = world.ports();
      return { ...ports, name: gateway.names[id] ?? "", affects: () => (id === 0 ? ["radio"] : []) };
    });

  test("ends with Result 12 while one of them is not Idle, and says which", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start({ components: affecting(gateway) });
    await agent.download(1);
    await agent.write("packageUri", uri("2.0"), 0);
    await agent.soon();
    expect(await agent.status(0)).toBe("0/12");
    expect(await agent.links("conflictingInstances", 0)).toEqual([1]);
    expect(await agent.status(1)).toBe("2/0");
  });

  test("is taken while they are Idle", async () => {
    const gateway = new Gateway();
    const agent = await gateway.start({ components: affecting(gateway) });
    await agent.download(2);
    await agent.download(0);
    expect(await agent.status(0)).toBe("2/0");
  });
});

test("a device uses one of its two Objects at a time", async () => {
  const gateway = new Gateway();
  const agent = await gateway.start();
  gateway.otherIsBusy = true;
  await expect(agent.write("packageUri", uri("2.0"), 1)).rejects.toMatchObject({ code: "4.05" });
  await expect(agent.object.instances.get(1)?.["package"]?.receive?.(3)).rejects.toMatchObject({
    code: "4.05",
  });
  await agent.write("packageUri", "", 1); // a reset harms nobody
  expect(agent.object.isBusy()).toBe(false);
  gateway.otherIsBusy = false;
  await agent.download(1);
  expect(agent.object.isBusy()).toBe(true);
});

test("each component has a verifier of its own, which its packages cannot go around", async () => {
  const gateway = new Gateway();
  const agent = await gateway.start({
    components: gateway.worlds.map((world, id) => {
      const { store: _, ...ports } = world.ports();
      const verify = async () => {
        if (id === 1) throw new PackageError("integrity", "not signed for the radio");
        return {};
      };
      return { ...ports, name: gateway.names[id] ?? "", verifier: { verify } };
    }),
  });
  await agent.download(0);
  await agent.write("packageUri", uri("2.0"), 1);
  await agent.soon();
  expect(await agent.status(1)).toBe("0/5");
  expect(gateway.world(1).acts).not.toContain("inspect");
});

test("each component has a trial of its own", async () => {
  const gateway = new Gateway();
  const agent = await gateway.start({ trial: unhealthy });
  await agent.download(1);
  await agent.execute(1);
  await agent.soon();
  gateway.boot();
  await gateway.start({ trial: unhealthy });
  expect(gateway.world(1).restarting).toBe(true);
  gateway.boot();
  const back = await gateway.start();
  expect(await back.status(1)).toBe("0/8");
  expect(gateway.world(1).running).toBe("1.0");
});

test("closing ends what is under way and leaves no timer", async () => {
  const gateway = new Gateway();
  const { apply } = gateway.world(2);
  gateway.world(2).apply = (_, options) =>
    new Promise((_resolve, reject) =>
      options.signal.addEventListener("abort", () => reject(options.signal.reason)),
    );
  const agent = await gateway.start();
  await agent.download(0);
  await agent.download(2);
  await agent.execute(0);
  await agent.soon();
  await agent.object.close?.();
  expect(agent.clock.pending).toBe(0);
  for (const world of gateway.worlds) world.kill();
  gateway.world(2).apply = apply;
  const next = await gateway.start();
  expect([await next.status(0), await next.status(2)]).toEqual(["3/0", "3/0"]);
  await next.clock.advance(seconds(31));
  expect(gateway.restarting).toBe(true);
});
