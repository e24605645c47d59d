import { describe, expect, test } from "vitest";
import { PackageError, seconds } from "../../../agent/ports.js";
import { goodUri, World } from "./world.js";

const never = () => new Promise<never>(() => undefined);
const bytes = (content: string) => Buffer.from(content);

type Agent = Awaited<ReturnType<World["agent"]>>;

async function deliver(agent: Agent): Promise<void> {
  await agent.write("packageUri", goodUri);
  await agent.settle();
  expect(await agent.status()).toBe("3/3");
}

async function install(agent: Agent): Promise<void> {
  await deliver(agent);
  await agent.execute("install");
  await agent.settle();
  expect(await agent.status()).toBe("4/2");
}

async function activate(agent: Agent): Promise<void> {
  await install(agent);
  await agent.execute("activate");
  await agent.settle();
  expect(await agent.status()).toBe("4/2 active");
}

describe("software from a Package URI", () => {
  test("is delivered, installed, activated, deactivated and uninstalled", async () => {
    const world = new World();
    const agent = await world.agent();
    expect(await agent.status()).toBe("0/0");
    expect(await agent.read("pkgName")).toBe("");
    await activate(agent);
    expect(await agent.read("pkgName")).toBe("app");
    expect(await agent.read("pkgVersion")).toBe("2.0");
    expect(world.package).toBeUndefined();
    await agent.execute("deactivate");
    await agent.settle();
    expect(await agent.status()).toBe("4/2");
    await agent.execute("uninstall");
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    expect(world.acts).toEqual(["verify", "install 2.0", "activate", "deactivate", "uninstall"]);
  });

  test("shows each State on its way, Results first", async () => {
    const agent = await new World().agent();
    await deliver(agent);
    expect(agent.changes).toEqual([
      "0/updateResult",
      "0/updateState",
      "0/updateState",
      "0/pkgName",
      "0/pkgVersion",
      "0/updateResult",
      "0/updateState",
    ]);
  });

  test.each([
    ["not there", new PackageError("invalid-uri", "404"), "0/56"],
    ["cut off", new PackageError("connection", "reset"), "0/52"],
    ["too large", new PackageError("storage", "full"), "0/50"],
    ["lost for a reason that nobody knows", new Error("?"), "0/52"],
  ])("that is %s is reported, and the next may come", async (_, error, status) => {
    const world = new World();
    world.download = () => Promise.reject(error);
    const agent = await world.agent();
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe(status);
    world.download = new World().download;
    await deliver(agent);
  });

  test.each(["", "ftp://packages.example/2.0", "http:", "no uri"])("is not fetched from %j", async (uri) => {
    const agent = await new World().agent();
    await agent.write("packageUri", uri);
    expect(await agent.status()).toBe("0/56");
  });

  test("that the installer refuses is removed", async () => {
    const world = new World();
    world.installer = {
      ...world.installer,
      verify: () => Promise.reject(new PackageError("unsupported-package", "for another device")),
    };
    const agent = await world.agent();
    await agent.write("packageUri", goodUri);
    await agent.settle();
    expect(await agent.status()).toBe("0/54");
    expect(world.package).toBeUndefined();
  });
});

describe("pushed software", () => {
  test("is DELIVERED when its last piece is answered", async () => {
    const agent = await new World().agent();
    const sink = await agent.receive("package");
    expect(await agent.status()).toBe("1/1");
    await sink.write(bytes("3"));
    await sink.write(bytes(".0"));
    await sink.end();
    expect(await agent.status()).toBe("3/3");
    expect(await agent.read("pkgVersion")).toBe("3.0");
  });

  test("that is announced too large is refused", async () => {
    const world = new World();
    world.storageLimit = 2;
    const agent = await world.agent();
    await expect(agent.receive("package", 3)).rejects.toMatchObject({ code: "4.13" });
    expect(await agent.status()).toBe("0/50");
  });

  test("that grows too large is refused", async () => {
    const world = new World();
    world.storageLimit = 2;
    const agent = await world.agent();
    const sink = await agent.receive("package");
    await expect(sink.write(bytes("3.0"))).rejects.toMatchObject({ code: "4.13" });
    await agent.settle();
    expect(await agent.status()).toBe("0/50");
  });

  test("that the Server stops sending may come again", async () => {
    const agent = await new World().agent();
    const sink = await agent.receive("package");
    await sink.write(bytes("3"));
    sink.abort(new Error("too late"));
    await agent.settle();
    expect(await agent.status()).toBe("0/52");
    const again = await agent.receive("package");
    await again.write(bytes("4.0"));
    await again.end();
    expect(await agent.read("pkgVersion")).toBe("4.0");
  });

  test("is refused while another package comes or is there", async () => {
    const world = new World();
    world.download = never;
    const agent = await world.agent();
    await agent.write("packageUri", goodUri);
    await expect(agent.receive("package")).rejects.toMatchObject({ code: "4.05" });
    await expect(agent.write("packageUri", goodUri)).rejects.toMatchObject({ code: "4.05" });
  });
});

test("a Package URI that cannot be taken is refused before anything else of its Write is applied", async () => {
  const agent = await new World().agent();
  const uri = agent.object.instances.get(0)?.["packageUri"];
  expect(() => uri?.check?.(goodUri as never)).not.toThrow(); // the codec would have checked the type
  await deliver(agent);
  expect(() => uri?.check?.(goodUri as never)).toThrow(expect.objectContaining({ code: "4.05" }));
});

describe("what the installer cannot do", () => {
  test("an installation that fails leaves the package, to be tried again", async () => {
    const world = new World();
    const agent = await world.agent();
    const { install } = world.installer;
    world.installer = { ...world.installer, install: () => Promise.reject(new Error("no room")) };
    await deliver(agent);
    await agent.execute("install");
    await agent.settle();
    expect(await agent.status()).toBe("3/58");
    world.installer = { ...world.installer, install };
    await agent.execute("install");
    await agent.settle();
    expect(await agent.status()).toBe("4/2");
  });

  test("a package that changed on disk never reaches it", async () => {
    const world = new World();
    const agent = await world.agent();
    await deliver(agent);
    world.package = undefined;
    await agent.execute("install");
    await agent.settle();
    expect(await agent.status()).toBe("0/53");
    expect(world.acts).toEqual(["verify"]);
  });

  test("software that cannot be uninstalled stays as it is", async () => {
    const world = new World();
    world.installer = { ...world.installer, uninstall: () => Promise.reject(new Error("in use")) };
    const agent = await world.agent();
    await activate(agent);
    await agent.execute("uninstall");
    await agent.settle();
    expect(await agent.status()).toBe("4/59 active");
  });

  test("software that cannot be activated stays inactive", async () => {
    const world = new World();
    world.installer = { ...world.installer, activate: () => Promise.reject(new Error("crashes")) };
    const agent = await world.agent();
    await install(agent);
    await agent.execute("activate");
    await agent.settle();
    expect(await agent.status()).toBe("4/57");
  });
});

describe("Uninstall", () => {
  test.each([
    ["without argument", new Map(), "uninstall"],
    ["with 0", new Map([[0, undefined]]), "uninstall"],
    ["with 1", new Map([[1, undefined]]), "uninstall for update"],
  ])("%s: %s", async (_, args: ReadonlyMap<number, string | undefined>, act) => {
    const world = new World();
    const agent = await world.agent();
    await install(agent);
    await agent.uninstall(args);
    await agent.settle();
    expect(await agent.status()).toBe("0/0");
    expect(world.acts.at(-1)).toBe(act);
  });

  test.each([
    ["2", new Map([[2, undefined]])],
    ["1 with a value", new Map([[1, "x"]])],
    [
      "two arguments",
      new Map([
        [0, undefined],
        [1, undefined],
      ]),
    ],
  ])("with %s is 4.00", async (_, args: ReadonlyMap<number, string | undefined>) => {
    const agent = await new World().agent();
    await install(agent);
    await expect(agent.uninstall(args)).rejects.toMatchObject({ code: "4.00" });
    expect(await agent.status()).toBe("4/2");
  });
});

test("with Update Supported Objects the registration hears of what was installed, activated and uninstalled", async () => {
  const agent = await new World().agent();
  await install(agent);
  expect(agent.changes).not.toContain("0 added");
  await agent.execute("uninstall");
  await agent.settle();
  await agent.write("updateSupportedObjects", true);
  agent.changes.length = 0;
  await activate(agent);
  await agent.execute("uninstall");
  await agent.settle();
  expect(agent.changes.filter((change) => change === "0 added")).toHaveLength(3);
});

describe("a record that cannot be written", () => {
  test("refuses what a Server asks, and changes nothing", async () => {
    const world = new World();
    const agent = await world.agent();
    await deliver(agent);
    world.store.fail = new Error("disk full");
    for (const name of ["install", "uninstall"])
      await expect(agent.execute(name)).rejects.toThrow("disk full");
    expect(await agent.status()).toBe("3/3");
    expect(world.acts).toEqual(["verify"]);
    world.store.fail = undefined;
    await agent.execute("install");
    await agent.settle();
    expect(await agent.status()).toBe("4/2");
  });

  test("refuses a push before its first byte", async () => {
    const world = new World();
    const agent = await world.agent();
    world.store.fail = new Error("disk full");
    await expect(agent.receive("package")).rejects.toThrow("disk full");
    expect(await agent.status()).toBe("0/0");
  });

  test("does not take back what happened; after a restart the installation is repeated with its package", async () => {
    const world = new World();
    let installed = () => {};
    world.installer = {
      ...world.installer,
      install: () => new Promise((resolve) => (installed = resolve)),
    };
    const agent = await world.agent();
    await deliver(agent);
    await agent.execute("install");
    await agent.settle();
    world.store.fail = new Error("disk full");
    installed();
    await agent.settle();
    expect(await agent.status()).toBe("4/2");
    world.store.fail = undefined;
    world.installer = new World().installer;
    const next = await world.agent();
    await next.settle();
    expect(await next.status()).toBe("4/2");
    expect(world.acts).toEqual(["verify", "install 2.0", "install 2.0"]);
  });
});

describe("after a restart", () => {
  test("each state that waits for a Server is as before", async () => {
    const world = new World();
    const first = await world.agent();
    await first.write("updateSupportedObjects", true);
    await deliver(first);
    const second = await world.agent();
    expect(await second.status()).toBe("3/3");
    expect(await second.read("updateSupportedObjects")).toBe(true);
    await second.execute("install");
    await second.settle();
    const third = await world.agent();
    expect(await third.status()).toBe("4/2");
    await third.execute("activate");
    await third.settle();
    const fourth = await world.agent();
    expect(await fourth.status()).toBe("4/2 active");
    expect(world.acts).toEqual(["verify", "install 2.0", "activate"]);
  });

  test("a download begins again", async () => {
    const world = new World();
    world.download = never;
    const first = await world.agent();
    await first.write("packageUri", goodUri);
    await first.settle();
    world.download = new World().download;
    const second = await world.agent();
    await second.settle();
    expect(await second.status()).toBe("3/3");
  });

  test("a push is lost", async () => {
    const world = new World();
    const first = await world.agent();
    await (await first.receive("package")).write(bytes("3"));
    const second = await world.agent();
    expect(await second.status()).toBe("0/52");
  });

  test.each([
    ["install", "4/2"],
    ["uninstall", "0/0"],
    ["activate", "4/2 active"],
  ] as const)("%s that was cut off is repeated", async (work, status) => {
    const world = new World();
    const first = await world.agent();
    world.installer = { ...world.installer, [work]: never };
    await (work === "install" ? deliver : install)(first);
    await first.execute(work);
    await first.settle();
    world.installer = new World().installer;
    const second = await world.agent();
    await second.settle();
    expect(await second.status()).toBe(status);
    expect(world.acts.filter((act) => act.startsWith(work))).toHaveLength(2);
  });

  test("an installation that never comes to its end fails in time", async () => {
    const world = new World();
    const first = await world.agent();
    world.installer = { ...world.installer, install: never };
    await deliver(first);
    await first.execute("install");
    await first.settle();
    expect(await (await world.agent()).status()).toBe("3/3");
    expect(await (await world.agent()).status()).toBe("3/3");
    expect(await (await world.agent()).status()).toBe("3/58");
  });

  test("a record that is damaged is said, and INITIAL", async () => {
    const world = new World();
    await world.store.write("software-management-app", bytes("{"));
    const agent = await world.agent();
    expect(await agent.status()).toBe("0/0");
    expect(agent.log.lines.some(({ event }) => event.includes("unreadable"))).toBe(true);
  });
});

test("an agent that stops breaks off an installation, and tells nobody that it failed", async () => {
  const world = new World();
  world.installer = {
    ...world.installer,
    install: (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  };
  const agent = await world.agent();
  await deliver(agent);
  await agent.execute("install");
  await agent.settle();
  await agent.object.close?.();
  world.installer = new World().installer;
  const next = await world.agent();
  await next.settle();
  expect(await next.status()).toBe("4/2");
});

test("work that outlasts the agent writes nothing into the records of the next one", async () => {
  const world = new World();
  let end = () => {};
  world.installer = { ...world.installer, uninstall: () => new Promise((resolve) => (end = resolve)) };
  const agent = await world.agent();
  await install(agent);
  await agent.execute("uninstall");
  await agent.settle();
  const closed = agent.object.close?.();
  await agent.clock.advance(seconds(31));
  await closed;
  const left = [...world.store.records];
  end();
  await agent.settle();
  expect([...world.store.records]).toEqual(left);
});
