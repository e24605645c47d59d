import { describe, expect, test } from "vitest";
import { BusyError, PackageError, type PackageFailure, seconds } from "../../../agent/ports.js";
import { goodUri, imageOf, World } from "./world.js";

async function started(world = new World(), options: Parameters<World["agent"]>[0] = {}) {
  const agent = world.agent(options);
  await agent.start();
  await agent.settle();
  world.acts.length = 0;
  agent.changes.length = 0;
  return { world, agent };
}

async function downloaded(world = new World(), options: Parameters<World["agent"]>[0] = {}) {
  const { agent } = await started(world, options);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  expect(await agent.status()).toBe("2/0");
  return { world, agent };
}

/** A download that goes on until it is aborted. */
const endless: World["download"] = (_, { signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("a fresh Firmware Update Object", () => {
  test("is Idle, with the capabilities it has", async () => {
    const { agent } = await started();
    expect(await agent.status()).toBe("0/0");
    expect(await agent.read("packageUri")).toBe("");
    expect(await agent.read("pkgName")).toBeUndefined();
    expect(await agent.read("lastStateChangeTime")).toBeUndefined();
    expect(await agent.read("protocolSupport")).toEqual(
      new Map([
        [0, 0],
        [1, 1],
        [2, 2],
      ]),
    );
    expect(await agent.read("deliveryMethod")).toBe(2);
    expect(await agent.read("severity")).toBe(1);
  });

  test("is push only where nothing downloads", async () => {
    const { agent } = await started(new World(), { downloaders: [] });
    expect(await agent.read("deliveryMethod")).toBe(1);
    expect(await agent.read("protocolSupport")).toBeUndefined();
  });

  test("keeps Severity and Maximum Defer Period over a restart", async () => {
    const { world, agent } = await started();
    await agent.write("severity", 2);
    await agent.write("maximumDeferPeriod", 3600);
    await agent.object.close?.();
    const { agent: next } = await started(world);
    expect(await next.read("severity")).toBe(2);
    expect(await next.read("maximumDeferPeriod")).toBe(3600);
  });
});

describe("Package URI", () => {
  test("fetches, verifies, and names the package; the URI stays readable", async () => {
    const { world, agent } = await downloaded();
    expect(await agent.read("packageUri")).toBe(goodUri);
    expect(await agent.read("pkgName")).toBe("fw");
    expect(await agent.read("pkgVersion")).toBe("2.0");
    expect(await agent.read("lastStateChangeTime")).toBe(Date.parse("2026-01-01T00:00:00Z") / 1000);
    expect(world.acts).toEqual([
      "record downloading/0",
      "download",
      "record verifying/0",
      "inspect",
      "record downloaded/0",
    ]);
  });

  test("is answered when Downloading is durable", async () => {
    const { world, agent } = await started();
    world.download = endless;
    await agent.write("packageUri", goodUri);
    expect(world.acts).toContain("record downloading/0");
    expect(await agent.status()).toBe("1/0");
  });

  test("tells observers of the Result and the time before the State", async () => {
    const { agent } = await downloaded();
    expect(agent.changes).toEqual([
      "0/packageUri",
      "0/lastStateChangeTime",
      "0/state",
      "0/pkgName",
      "0/pkgVersion",
      "0/state",
    ]);
    agent.changes.length = 0;
    await agent.clock.advance(seconds(5));
    await agent.execute("cancel");
    expect(agent.changes).toEqual([
      "0/packageUri",
      "0/pkgName",
      "0/pkgVersion",
      "0/updateResult",
      "0/lastStateChangeTime",
      "0/state",
    ]);
  });

  test.each([
    ["ftp://images.example/2.0", "0/9"],
    ["HTTPS://images.example/2.0", "0/9"],
    ["images.example/2.0", "0/7"],
    ["http:///2.0", "0/7"],
    ["http:images.example", "0/7"],
    ["http://images.example/a b", "0/7"],
    ["http://images.example:99999/", "0/7"],
    ["http://images.example/%zz", "0/7"],
  ])("%s is answered, and ends as %s without a download", async (uri, status) => {
    const { world, agent } = await started();
    await agent.write("packageUri", uri);
    await agent.settle();
    expect(await agent.status()).toBe(status);
    expect(await agent.read("packageUri")).toBe(uri);
    expect(world.acts).not.toContain("download");
  });

  test("of more than 255 bytes is refused", async () => {
    const { agent } = await started();
    await expect(agent.write("packageUri", `http://x/${"ä".repeat(124)}`)).rejects.toMatchObject({
      code: "4.00",
    });
    expect(await agent.status()).toBe("0/0");
  });

  test("takes its scheme in capitals", async () => {
    const { agent } = await started();
    await agent.write("packageUri", "HTTP://images.example/2.0");
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
  });

  test("is refused while Downloading and while Downloaded, and nothing changes", async () => {
    const { world, agent } = await started();
    world.download = endless;
    await agent.write("packageUri", goodUri);
    await expect(agent.write("packageUri", "http://x/3.0")).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.read("packageUri")).toBe(goodUri);

    const later = (await downloaded()).agent;
    await expect(later.write("packageUri", "http://x/3.0")).rejects.toMatchObject({ code: "4.05" });
    expect(await later.status()).toBe("2/0");
  });

  test("is refused, with State unchanged, when the record cannot be stored", async () => {
    const { world, agent } = await started();
    world.storeFailure = new Error("disk full");
    await expect(agent.write("packageUri", goodUri)).rejects.toThrow("disk full");
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    expect(world.acts).not.toContain("download");
  });

  test.each<[PackageFailure | "other", string]>([
    ["storage", "0/2"],
    ["memory", "0/3"],
    ["connection", "0/4"],
    ["integrity", "0/5"],
    ["unsupported-package", "0/6"],
    ["invalid-uri", "0/7"],
    ["unsupported-protocol", "0/9"],
    ["other", "0/4"],
  ])("ends a download that fails by %s as %s", async (failure, status) => {
    const { world, agent } = await started();
    world.download = async () => {
      throw failure === "other" ? new Error("surprise") : new PackageError(failure, "no");
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe(status);
    expect(await agent.read("packageUri")).toBe(goodUri);
    expect(world.acts.at(-1)).toBe("clear");
  });

  test.each<[PackageFailure | "other", string]>([
    ["integrity", "0/5"],
    ["unsupported-package", "0/6"],
    ["other", "0/8"],
  ])("ends a package that the board refuses by %s as %s", async (failure, status) => {
    const { world, agent } = await started();
    world.inspect = async () => {
      throw failure === "other" ? new Error("no such program") : new PackageError(failure, "no");
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe(status);
    expect(world.package).toBeUndefined();
  });

  test("waits for a board that is busy", async () => {
    const { world, agent } = await started();
    let asked = 0;
    world.inspect = async () => {
      if (++asked < 3) throw new BusyError("installing");
      return { name: "fw", version: "2.0" };
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("1/0");
    await agent.clock.advance(seconds(60));
    expect(await agent.status()).toBe("2/0");
  });

  test("shows how far the download is", async () => {
    const { world, agent } = await started();
    world.download = (uri, options) => {
      options.progress({ received: 400, total: 1000 });
      return endless(uri, options);
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(agent.object.progress()).toEqual({ phase: "downloading", received: 400, total: 1000 });
    await agent.execute("cancel");
    expect(agent.object.progress()).toBeUndefined();
  });
});

describe("a reset by an empty Package URI", () => {
  test("clears what failed", async () => {
    const { agent } = await started();
    await agent.write("packageUri", "ftp://x/1");
    await agent.write("packageUri", "");
    expect(await agent.status()).toBe("0/0");
    expect(await agent.read("packageUri")).toBe("");
  });

  test("aborts a download", async () => {
    const { world, agent } = await started();
    let signal: AbortSignal | undefined;
    world.download = (uri, options) => {
      signal = options.signal;
      return endless(uri, options);
    };
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.write("packageUri", "");
    await agent.settle();
    expect(signal?.aborted).toBe(true);
    expect(await agent.status()).toBe("0/0");
    expect(world.acts.at(-1)).toBe("clear");
  });

  test("discards a downloaded package", async () => {
    const { world, agent } = await downloaded();
    await agent.write("packageUri", "");
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    expect(await agent.read("pkgName")).toBeUndefined();
    expect(world.package).toBeUndefined();
  });

  test("lets the next download begin only when the last has let go of its file", async () => {
    const { world, agent } = await started();
    let letGo = () => {};
    world.download = () =>
      new Promise((_, reject) => {
        letGo = () => reject(new Error("aborted"));
      });
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.write("packageUri", "");
    world.download = async () => imageOf("3.0");
    await agent.write("packageUri", "http://x/3.0");
    await agent.settle();
    expect(world.acts.filter((act) => act === "download")).toHaveLength(1);

    letGo();
    await agent.settle();

    expect(await agent.status()).toBe("2/0");
    expect(world.acts.slice(world.acts.indexOf("clear"))).toContain("download");
    expect(await agent.read("pkgVersion")).toBe("3.0");
  });
});

describe("Cancel", () => {
  test.each(["downloading", "downloaded"])("ends with Result 10 while %s", async (state) => {
    const world = new World();
    if (state === "downloading") world.download = endless;
    const { agent } = await started(world);
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.execute("cancel");
    await agent.settle();
    expect(await agent.status()).toBe("0/10");
    expect(await agent.read("packageUri")).toBe("");
    expect(world.package).toBeUndefined();
  });

  test("is refused while Idle and while Updating", async () => {
    const { agent } = await downloaded();
    await agent.execute("update");
    await expect(agent.execute("cancel")).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status()).toBe("3/0");
    const idle = (await started()).agent;
    await expect(idle.execute("cancel")).rejects.toMatchObject({ code: "4.05" });
  });
});

describe("Update", () => {
  test("is refused unless a package is downloaded, and the State stays", async () => {
    const { world, agent } = await started();
    await expect(agent.execute("update")).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status()).toBe("0/0");
    world.download = endless;
    await agent.write("packageUri", goodUri);
    await expect(agent.execute("update")).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status()).toBe("1/0");
  });

  test("records Updating, answers, lets observers hear, and only then installs and restarts", async () => {
    const { world, agent } = await downloaded();
    world.acts.length = 0;
    const answer = await agent.executeUnanswered("update");
    expect(await agent.status()).toBe("3/0");
    expect(world.acts.at(-1)).toBe("record updating apply/0");
    await agent.clock.advance(seconds(2));
    expect(world.acts).not.toContain("apply");

    answer();
    await agent.clock.advance(seconds(0.4));
    expect(world.acts).not.toContain("apply");
    await agent.clock.advance(seconds(0.1));

    expect(world.acts.slice(-4)).toEqual(["verify file", "apply", "record updating restart/0", "restart"]);
    expect(await agent.status()).toBe("3/0");
  });

  test("waits for the operator's word that observers have heard", async () => {
    let heard = () => {};
    const beforeApply = () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      });
    const { world, agent } = await downloaded(new World(), { beforeApply });
    await agent.execute("update");
    await agent.clock.advance(seconds(5));
    expect(world.acts).not.toContain("apply");
    heard();
    await agent.settle();
    expect(world.acts).toContain("apply");
  });

  test("happens even when its answer is never sent", async () => {
    const { world, agent } = await downloaded();
    await agent.executeUnanswered("update");
    await agent.clock.advance(seconds(11));
    expect(world.acts).toContain("apply");
  });

  test("is refused when it cannot be recorded, and does not begin", async () => {
    const { world, agent } = await downloaded();
    world.storeFailure = new Error("disk full");
    await expect(agent.execute("update")).rejects.toThrow("disk full");
    await agent.clock.advance(seconds(60));
    expect(await agent.status()).toBe("2/0");
    expect(world.acts).not.toContain("apply");
  });

  test.each<[PackageFailure | "other", string]>([
    ["failed", "2/8"],
    ["storage", "2/8"],
    ["other", "2/8"],
    ["integrity", "0/5"],
    ["unsupported-package", "0/6"],
  ])("that fails by %s ends as %s", async (failure, status) => {
    const { world, agent } = await downloaded();
    world.apply = async () => {
      throw failure === "other" ? new Error("surprise") : new PackageError(failure, "no");
    };
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe(status);
    expect(world.package === undefined).toBe(status.startsWith("0"));
    expect(world.acts).not.toContain("restart");
  });

  test("can be tried again after it failed", async () => {
    const { world, agent } = await downloaded();
    const { apply } = world;
    world.apply = async () => {
      throw new PackageError("failed", "no");
    };
    await agent.execute("update");
    await agent.soon();
    world.apply = apply;
    await agent.execute("update");
    expect(await agent.status()).toBe("3/0");
    await agent.soon();
    expect(world.restarting).toBe(true);
  });

  test("does not hand a package to the installer that changed on disk", async () => {
    const { world, agent } = await downloaded();
    world.package = imageOf("evil");
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("0/5");
    expect(world.acts).not.toContain("apply");
  });

  test("waits for an installer that is busy, but not for ever", async () => {
    const { world, agent } = await downloaded();
    world.apply = async () => {
      throw new BusyError("another installation");
    };
    await agent.execute("update");
    await agent.clock.advance(seconds(120));
    expect(await agent.status()).toBe("3/0");
    await agent.clock.advance(seconds(600));
    expect(await agent.status()).toBe("2/8");
  });

  test("of a board that needs no restart succeeds at once", async () => {
    const { world, agent } = await downloaded();
    world.apply = async () => {
      world.running = "2.0";
      return "running";
    };
    await agent.execute("update");
    await agent.soon();
    expect(await agent.status()).toBe("0/1");
    expect(await agent.read("packageUri")).toBe("");
    expect(world.staying).toBe("2.0");
    expect(world.acts).not.toContain("restart");
  });

  test("asks again for a restart that does not come", async () => {
    const { world, agent } = await downloaded();
    await agent.execute("update");
    await agent.soon();
    await agent.clock.advance(seconds(650));
    expect(world.acts.filter((act) => act === "restart")).toHaveLength(3);
    expect(agent.log.lines).toContainEqual(
      expect.objectContaining({ level: "error", event: "the board did not restart; asking again" }),
    );
    expect(await agent.status()).toBe("3/0");
  });
});

test("closing ends everything and leaves no timer", async () => {
  const world = new World();
  world.download = endless;
  const { agent } = await started(world);
  await agent.write("packageUri", goodUri);
  await agent.settle();
  await agent.object.close?.();
  await agent.object.close?.();
  expect(agent.clock.pending).toBe(0);
  expect(agent.object.state().name).toBe("downloading");

  const updating = await downloaded();
  await updating.agent.executeUnanswered("update");
  await updating.agent.settle();
  await updating.agent.object.close?.();
  expect(updating.agent.clock.pending).toBe(0);
});
