import { describe, expect, test } from "vitest";
import { PackageError, seconds } from "../../../agent/ports.js";
import { goodUri, World } from "./world.js";

async function started(world = new World()) {
  const agent = world.agent();
  await agent.start();
  await agent.settle();
  world.acts.length = 0;
  return { world, agent };
}

const bytes = (content: string) => Buffer.from(content);

describe("a pushed package", () => {
  test("is Downloading while it comes and Downloaded before it is answered", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package");
    expect(await agent.status()).toBe("0/0");
    await sink.write(bytes("2"));
    expect(await agent.status()).toBe("1/0");
    await sink.write(bytes(".0"));
    await sink.end();

    expect(await agent.status()).toBe("2/0");
    expect(await agent.read("pkgVersion")).toBe("2.0");
    expect(await agent.read("packageUri")).toBe("");
    expect(world.acts).toEqual([
      "create",
      "record downloading/0",
      "record verifying/0",
      "inspect",
      "record downloaded/0",
    ]);
  });

  test("can be installed", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package", 3);
    await sink.write(bytes("2.0"));
    await sink.end();
    await agent.execute("update");
    await agent.soon();
    expect(world.armed).toBe("2.0");
  });

  test("is answered while still Downloading when its verification takes long", async () => {
    const { world, agent } = await started();
    let verified = () => {};
    world.inspect = () =>
      new Promise((resolve) => {
        verified = () => resolve({ name: "fw", version: "2.0" });
      });
    const sink = await agent.receive("package", 3);
    await sink.write(bytes("2.0"));
    let answered = false;
    const end = Promise.resolve(sink.end()).then(() => {
      answered = true;
    });
    await agent.clock.advance(seconds(4));
    expect(answered).toBe(false);
    await agent.clock.advance(seconds(1));
    await end;
    expect(await agent.status()).toBe("1/0");
    verified();
    await agent.settle();
    expect(await agent.status()).toBe("2/0");
  });

  test.each(["integrity", "unsupported-package"] as const)(
    "that fails by %s is answered all the same; the Result tells",
    async (failure) => {
      const { world, agent } = await started();
      world.inspect = async () => {
        throw new PackageError(failure, "no");
      };
      const sink = await agent.receive("package", 4);
      await sink.write(bytes("junk"));
      await sink.end();
      await agent.settle();
      expect(await agent.status()).toBe(failure === "integrity" ? "0/5" : "0/6");
      expect(world.package).toBeUndefined();
    },
  );

  test("announced too large is refused before the first byte, with Result 2", async () => {
    const { world, agent } = await started();
    world.storageLimit = 100;
    await expect(agent.receive("package", 101)).rejects.toMatchObject({ code: "4.13" });
    expect(await agent.status()).toBe("0/2");
  });

  test("that turns out too large is refused at the piece that is too much", async () => {
    const { world, agent } = await started();
    world.storageLimit = 3;
    const sink = await agent.receive("package");
    await sink.write(bytes("2.0"));
    await expect(Promise.resolve(sink.write(bytes("!")))).rejects.toMatchObject({ code: "4.13" });
    expect(await agent.status()).toBe("0/2");
    expect(world.acts).toContain("discard pushed");
    await expect(Promise.resolve(sink.end())).rejects.toMatchObject({ code: "4.08" });
    expect(await agent.status()).toBe("0/2");
  });

  test("that is abandoned ends with Result 4, and another may come", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package");
    await sink.write(bytes("2."));
    sink.abort(new Error("no block for 247 s"));
    const next = await agent.receive("package", 3);
    expect(world.acts).toContain("record idle/4");
    await next.write(bytes("3.0"));
    await next.end();
    expect(await agent.status()).toBe("2/0");
    expect(await agent.read("pkgVersion")).toBe("3.0");
  });

  test("does not begin before the remains of the last one are gone", async () => {
    const { world, agent } = await started();
    let discarded = () => {};
    world.discard = () =>
      new Promise((resolve) => {
        discarded = resolve;
      });
    const sink = await agent.receive("package", 3);
    await sink.write(bytes("2."));
    sink.abort(new Error("gone"));
    world.acts.length = 0;
    const next = agent.receive("package", 3);
    await agent.settle();
    expect(world.acts).toEqual(["record idle/4"]);
    discarded();
    await next;
    expect(world.acts).toEqual(["record idle/4", "clear", "create", "record downloading/0"]);
  });

  test("that is abandoned before its first byte changes nothing", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package");
    sink.abort(new Error("gone"));
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    expect(world.acts).toEqual([]);
  });

  test("is given up when a Server resets meanwhile", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package");
    await sink.write(bytes("2."));
    await agent.write("packageUri", "");
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    await expect(Promise.resolve(sink.write(bytes("0")))).rejects.toMatchObject({ code: "4.08" });
    await expect(Promise.resolve(sink.end())).rejects.toMatchObject({ code: "4.08" });
    expect(await agent.status()).toBe("0/0");
    expect(world.acts.slice(-2)).toEqual(["discard pushed", "clear"]);
  });

  test("is refused when another one is coming or has come", async () => {
    const { agent } = await started();
    const sink = await agent.receive("package", 3);
    await sink.write(bytes("2.0"));
    await expect(agent.receive("package", 3)).rejects.toMatchObject({ code: "4.05" });
    await sink.end();
    const late = await agent.receive("package");
    await expect(Promise.resolve(late.write(bytes("3.0")))).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status()).toBe("2/0");
    expect(await agent.read("pkgVersion")).toBe("2.0");
  });

  test("is lost with the agent", async () => {
    const { world, agent } = await started();
    const sink = await agent.receive("package");
    await sink.write(bytes("2."));
    world.boot();
    const { agent: next } = await started(world);
    expect(await next.status()).toBe("0/4");
  });

  test("may begin with a zero byte", async () => {
    const { world, agent } = await started();
    const seen: string[] = [];
    world.inspect = async (image) => {
      seen.push(image.sha256.slice(0, 8));
      return { name: "fw", version: "?" };
    };
    const sink = await agent.receive("package");
    await sink.write(Uint8Array.of(0));
    await sink.write(Uint8Array.of(1, 2, 3));
    await sink.end();
    expect(seen).toEqual(["00010203"]);
  });
});

describe.each([
  ["a single zero", [Uint8Array.of(0)], 1],
  ["a single zero of unknown size", [Uint8Array.of(0)], undefined],
  ["nothing", [], 0],
  ["an empty piece", [new Uint8Array()], undefined],
])("a Package of %s", (_, pieces, size) => {
  async function pushed(agent: ReturnType<World["agent"]>) {
    const sink = await agent.receive("package", size);
    for (const piece of pieces) await sink.write(piece);
    await sink.end();
    await agent.settle();
  }

  test("resets a failure", async () => {
    const { agent } = await started();
    await agent.write("packageUri", "nonsense");
    expect(await agent.status()).toBe("0/7");
    await pushed(agent);
    expect(await agent.status()).toBe("0/0");
  });

  test("discards a downloaded package", async () => {
    const { world, agent } = await started();
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await pushed(agent);
    expect(await agent.status()).toBe("0/0");
    expect(world.package).toBeUndefined();
  });

  test("is refused while Updating", async () => {
    const { agent } = await started();
    await agent.write("packageUri", goodUri);
    await agent.settle();
    await agent.execute("update");
    await expect(pushed(agent)).rejects.toMatchObject({ code: "4.05" });
    expect(await agent.status()).toBe("3/0");
  });
});
