import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess, optionNumber, optionText } from "./process.js";

const text = 0;
const cbor = 60;
const senmlJson = 110;
const senmlCbor = 112;
const tlv = 11542;

let leshan: LeshanProcess;
let board: ManagedDevice;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
  board = await ManagedDevice.start(leshan, { endpointName: "board" });
});
afterAll(async () => {
  await board?.close();
  await leshan?.close();
});

describe("a registration", () => {
  test("is understood in every part", () => {
    expect(board.registered).toMatchObject({
      version: "1.1",
      lifetime: 300,
      binding: "[U]",
      queueMode: false,
    });
    expect(board.registered.rootPath).toBe("/");
    expect(board.registered.formats).toEqual(expect.arrayContaining([senmlJson, senmlCbor]));
    expect(board.registered.attributes).toEqual({});
  });

  test("lists every Object but Security", () => {
    const paths = board.registered.links.map((link) => /^<([^>]*)>/.exec(link)?.[1]);
    expect(paths).toEqual(expect.arrayContaining(["/1/0", "/3/0", "/5/0", "/42769/0"]));
    expect(paths.filter((path) => path?.startsWith("/0"))).toEqual([]);
  });

  test("goes out as a confirmable POST for each version, until one is taken", () => {
    const registers = leshan.trace().filter((message) => optionText(message, "Uri-Path") === "/rd");
    expect(registers.map((register) => optionText(register, "Uri-Query").split("&").sort())).toEqual(
      ["1.2", "1.1"].map((version) => ["b=U", "ep=board", "lt=300", `lwm2m=${version}`]),
    );
    for (const register of registers) {
      expect(register).toMatchObject({ code: "0.02", confirmable: true, direction: "received" });
    }
  });
});

describe.each([
  { name: "TLV", format: tlv },
  { name: "SenML JSON", format: senmlJson },
  { name: "SenML CBOR", format: senmlCbor },
])("in $name", ({ format }) => {
  test.each(["/1", "/3", "/5", "/42769"])("the Object %s is read whole", async (path) => {
    const { code, content = {}, format: answered } = await board.read(path, format);
    expect(code).toBe("2.05");
    expect(answered).toBe(format);
    expect(Object.keys(content).every((key) => key.startsWith(`${path}/0`))).toBe(true);
  });

  test("an Instance, a Resource and a Resource Instance are read", async () => {
    const instance = await board.read("/3/0", format);
    expect(instance.content).toMatchObject({
      "/3/0/0": "lwm2m-agent",
      "/3/0/3": "1.0",
      "/3/0/11/0": 0,
      "/3/0/16": "U",
      "/3/0/21": 512000,
    });
    expect((await board.read("/3/0/0", format)).content).toEqual({ "/3/0/0": "lwm2m-agent" });
    expect((await board.read("/3/0/6", format)).content).toEqual({ "/3/0/6/0": 1 });
    expect((await board.read("/3/0/6/0", format)).content).toEqual({ "/3/0/6/0": 1 });
  });

  test("an Instance is written and read back", async () => {
    const written = await board.writeInstance(
      "/42769/0",
      { 1: { type: "STRING", value: "ünï" }, 2: { type: "STRING", value: `as ${format}` } },
      { mode: "UPDATE", format },
    );
    expect(written.code).toBe("2.04");
    expect((await board.read("/42769/0", format)).content).toEqual({
      "/42769/0/1": "ünï",
      "/42769/0/2": `as ${format}`,
    });
  });

  test("a Resource of each type that can be written is", async () => {
    expect((await board.write("/1/0/2", { type: "INTEGER", value: 3 }, format)).code).toBe("2.04");
    expect((await board.write("/1/0/6", { type: "BOOLEAN", value: true }, format)).code).toBe("2.04");
    expect((await board.write("/3/0/14", { type: "STRING", value: "+02:00" }, format)).code).toBe("2.04");
    const { content = {} } = await board.read("/1/0", format);
    expect(content).toMatchObject({ "/1/0/2": 3, "/1/0/6": true });
    expect(await board.value("/3/0/14")).toBe("+02:00");
    await board.write("/1/0/2", { type: "INTEGER", value: 0 });
  });
});

describe.each([
  { name: "text", format: text },
  { name: "CBOR", format: cbor },
])("in $name", ({ format }) => {
  test.each([
    ["/3/0/0", "lwm2m-agent"],
    ["/3/0/9", expect.any(Number)],
    ["/1/0/6", expect.any(Boolean)],
    ["/3/0/6/0", 1],
  ])("the value of %s is read", async (path, value) => {
    const { code, content, format: answered } = await board.read(path, format);
    expect({ code, answered }).toEqual({ code: "2.05", answered: format });
    expect(content).toEqual({ [path]: value });
  });

  test("a value is written", async () => {
    expect((await board.write("/42769/0/2", { type: "STRING", value: `as ${format}` }, format)).code).toBe(
      "2.04",
    );
    expect(await board.value("/42769/0/2")).toBe(`as ${format}`);
  });

  test("more than one value cannot be asked for", async () => {
    expect((await board.read("/3/0", format)).code).toBe("4.06");
  });
});

describe("what a Server must not do", () => {
  test.each([
    ["a Read of an Object that does not exist", "read", { path: "/9999" }, "4.04"],
    ["a Read of a Resource that does not exist", "read", { path: "/3/0/99" }, "4.04"],
    ["a Read of Security", "read", { path: "/0" }, "4.01"],
    ["a Read of a Resource that is executable", "read", { path: "/3/0/4" }, "4.05"],
    ["an Execute of a Resource that is readable", "execute", { path: "/3/0/0" }, "4.05"],
    ["an Execute with arguments that make no sense to it", "execute", { path: "/3/0/9999" }, "4.04"],
    ["a Delete of the Device", "delete", { path: "/3/0" }, "4.05"],
    ["a Discover of what is not there", "discover", { path: "/9999" }, "4.04"],
  ])("%s is answered with the right code", async (_, operation, fields, code) => {
    expect((await board.perform(operation, fields)).code).toBe(code);
  });

  test("a Write to a Resource that is read only changes nothing", async () => {
    const { code } = await board.write("/3/0/0", { type: "STRING", value: "somebody else" });
    expect(code).toBe("4.05");
    expect(await board.value("/3/0/0")).toBe("lwm2m-agent");
  });

  test("a Write of a value that is out of range is refused", async () => {
    expect((await board.write("/1/0/1", { type: "INTEGER", value: -1 })).code).toBe("4.00");
  });
});

describe("Create and Delete", () => {
  const content = { 1: { type: "STRING", value: "name" }, 2: { type: "STRING", value: "value" } };

  test.each([tlv, senmlCbor, senmlJson])("an Instance whose ID Leshan chooses, format %i", async (format) => {
    const created = await board.perform("create", { path: "/42769", instance: 7, content, format });
    expect(created.code).toBe("2.01");
    expect((await board.read("/42769/7")).content).toEqual({ "/42769/7/1": "name", "/42769/7/2": "value" });
    expect((await board.perform("delete", { path: "/42769/7" })).code).toBe("2.02");
    expect((await board.read("/42769/7")).code).toBe("4.04");
  });

  test("an Instance whose ID the client chooses is named in the answer", async () => {
    const after = leshan.mark();
    const created = await board.perform("create", { path: "/42769", content, format: tlv });
    expect(created.code).toBe("2.01");
    expect(created.location).toMatch(/42769\/\d+$/);
    const path = `/${created.location?.replace(/^\/?/, "")}`;
    // Updates for what earlier tests created may still be on their way.
    await board.event("updated", after, ({ links }) =>
      ((links ?? []) as string[]).some((link) => link.startsWith(`<${path}>`)),
    );
    await board.perform("delete", { path });
  });

  test("an Instance that exists is not created again", async () => {
    const again = await board.perform("create", { path: "/42769", instance: 0, content, format: tlv });
    expect(again.code).toMatch(/^4/);
  });
});

describe("Discover", () => {
  test("lists an Object with its Instances and Resources", async () => {
    const { code, links } = await board.perform("discover", { path: "/3" });
    expect(code).toBe("2.05");
    expect(links).toEqual(expect.arrayContaining([expect.stringContaining("</3/0/0>"), "</3/0/4>"]));
  });

  test("shows attributes where they were set", async () => {
    const set = await board.perform("writeAttributes", {
      path: "/3/0/9",
      attributes: "pmin=5&pmax=60&gt=80.5&lt=20&st=2",
    });
    expect(set.code).toBe("2.04");
    const { links } = await board.perform("discover", { path: "/3/0/9" });
    expect(links).toHaveLength(1);
    for (const attribute of ["pmin=5", "pmax=60", "gt=80.5", "lt=20", "st=2"]) {
      expect(links?.[0]?.split(";")).toContain(attribute);
    }
    const cleared = await board.perform("writeAttributes", {
      path: "/3/0/9",
      attributes: "pmin&pmax&gt&lt&st",
    });
    expect(cleared.code).toBe("2.04");
    expect((await board.perform("discover", { path: "/3/0/9" })).links).toEqual(["</3/0/9>"]);
  });
});

describe("Observe", () => {
  test("a change is notified with the token of the observation, and cancelling ends it", async () => {
    const after = leshan.mark();
    const observed = await board.perform("observe", { path: "/42769/0/2" });
    expect(observed.code).toBe("2.05");
    await board.write("/42769/0/2", { type: "STRING", value: "changed" });
    const notified = await board.event("notification", after, (event) => event["path"] === "/42769/0/2");
    expect(notified["content"]).toEqual({ "/42769/0/2": "changed" });

    const trace = leshan.trace(after);
    const request = trace.find(
      (message) => message.code === "0.01" && optionNumber(message, "Observe") === 0,
    );
    const notifications = trace.filter(
      (message) => message.direction === "received" && optionNumber(message, "Observe") !== undefined,
    );
    expect(notifications.map(({ token }) => token.toString("hex"))).toEqual(
      notifications.map(() => request?.token.toString("hex")),
    );

    const beforeCancel = leshan.mark();
    expect((await board.perform("cancel", { path: "/42769/0/2" })).code).toBe("2.05");
    await board.write("/42769/0/2", { type: "STRING", value: "unseen" });
    expect(await board.value("/42769/0/2")).toBe("unseen");
    expect(leshan.events("notification", beforeCancel)).toEqual([]);
  });

  test("a Reset ends an observation that Leshan has forgotten", async () => {
    await board.perform("observe", { path: "/42769/0/1" });
    await board.perform("cancelPassively", { path: "/42769/0/1" });
    const after = leshan.mark();
    const isNotification = (message: Parameters<typeof optionNumber>[0]) =>
      optionNumber(message, "Observe") !== undefined;
    await board.write("/42769/0/1", { type: "STRING", value: "first" });
    await leshan.message((message) => message.direction === "received" && isNotification(message), { after });
    await leshan.message((message) => message.direction === "sent" && message.reset, { after });
    await expect.poll(() => board.device.agent().status().observations).toBe(0);
  });

  test.each([tlv, senmlJson, senmlCbor])("an Instance is observed in format %i", async (format) => {
    const after = leshan.mark();
    expect((await board.perform("observe", { path: "/42769/0", format })).code).toBe("2.05");
    await board.write("/42769/0/1", { type: "STRING", value: `in ${format}` });
    const notified = await board.event(
      "notification",
      after,
      (event) => (event["content"] as Record<string, unknown>)["/42769/0/1"] === `in ${format}`,
    );
    expect(notified["path"]).toBe("/42769/0");
    await board.perform("cancel", { path: "/42769/0" });
  });
});

describe("the registration follows what Leshan does", () => {
  test("a new Lifetime is told by an Update at once", async () => {
    const after = leshan.mark();
    await board.write("/1/0/1", { type: "INTEGER", value: 120 });
    const updated = await board.event("updated", after);
    expect(updated["lifetime"]).toBe(120);
    await board.write("/1/0/1", { type: "INTEGER", value: 300 });
  });

  test("Registration Update Trigger brings an Update", async () => {
    const after = leshan.mark();
    expect((await board.execute("/1/0/8")).code).toBe("2.04");
    await board.event("updated", after);
  });

  test("an Update that Leshan refuses with 4.04 brings a new registration", async () => {
    const other = await ManagedDevice.start(leshan, {
      endpointName: "forgotten",
      agent: { servers: [{ uri: leshan.uri, shortServerId: 1, lifetime: 4 }] },
    });
    try {
      await other.perform("forget");
      const after = leshan.mark();
      const registered = await other.event("registered", after);
      expect(registered["id"]).not.toBe(other.registered.id);
      const update = `/rd/${other.registered.id}`;
      const [refused] = leshan.trace(after).filter((message) => optionText(message, "Uri-Path") === update);
      const answer = leshan
        .trace(after)
        .find(({ messageId, ack }) => ack && messageId === refused?.messageId);
      expect(answer?.code).toBe("4.04");
    } finally {
      await other.close();
    }
  });

  test("a device that ends says so", async () => {
    const other = await ManagedDevice.start(leshan, { endpointName: "leaving" });
    const after = leshan.mark();
    await other.close();
    expect(await other.event("unregistered", after)).toMatchObject({ expired: false });
  });

  test("a device that restarts takes up its registration", async () => {
    const after = leshan.mark();
    expect((await board.execute("/3/0/4")).code).toBe("2.04");
    const updated = await board.event("updated", after);
    expect(updated["id"]).toBe(board.registered.id);
    expect(board.device.restarts()).toBe(1);
  });
});
