import { describe, expect, test } from "vitest";
import { AccessControl, type AccessControlEntry, rights } from "../../../agent/lwm2m/access-control.js";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import { VirtualObservations } from "../../../agent/lwm2m/virtual-observe/observations.js";
import { defineObject } from "../../../agent/model/definition.js";
import type { VirtualObserveRequest } from "../../../agent/model/virtual-observe.js";
import { seconds } from "../../../agent/ports.js";
import { createStoredObject } from "../../../objects/stored-object.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const Sensor = defineObject({
  id: 3300,
  name: "Sensor",
  version: "1.0",
  instances: "multiple",
  resources: {
    value: { id: 1, operations: "R", type: "integer" },
    open: { id: 2, operations: "R", type: "boolean" },
    names: { id: 3, operations: "R", type: "string", multiple: true },
    reset: { id: 4, operations: "E" },
  },
});

/** Two sensors, 10 and 20; two Servers. */
async function createWorld({ isStarted = true, entries = [] as AccessControlEntry[] } = {}) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const sensors = await createStoredObject({ definition: Sensor, store: createMemoryStore(), log });
  const tree = new ObjectTree();
  tree.add(sensors);
  sensors.createInstance(0, { 1: 10, 2: false });
  sensors.createInstance(1, { 1: 20, 3: new Map([[0, "a"], [1, "b"]]) }); // biome-ignore format: one sensor a line
  await tree.start();
  const servers = [1, 2];
  const access = new AccessControl({
    severalServers: () => servers.length > 1,
    entries: {
      entries: () => entries,
      entry: (id) => entries[id],
      create: () => undefined,
      remove: () => undefined,
    },
  });
  const virtual = new VirtualObservations({ tree, access, servers: () => servers, clock, log });
  tree.onChange((change) => virtual.changed(change));
  if (isStarted) virtual.start();
  const observe = async (...observeLinks: (string | Partial<VirtualObserveRequest>)[]) => {
    const told: [second: number, text: string][] = [];
    const links = observeLinks.filter((link) => typeof link === "string");
    const rest = observeLinks.find((link) => typeof link !== "string");
    const observation = virtual.observe(
      { observeLinks: links, reportLinks: [], onlyChanged: false, relation: "any", ...rest },
      () => void told.push([clock.now() / 1000, text()]),
    );
    /** Without its times. */
    const text = () => timeless(new TextDecoder().decode(observation.report(110)));
    await settle();
    return { observation, told, text };
  };
  const set = async (id: number, value: number) => {
    sensors.set(id, 1, value);
    await settle();
  };
  return { clock, log, tree, sensors, virtual, entries, servers, observe, set };
}

const timeless = (text: string) => text.replace(/"b?t":[\d.]+,/g, "");

describe("a report", () => {
  test("is empty until a link has a hit, and then holds all links with the time", async () => {
    const { clock, observe, set } = await createWorld();
    const { observation, told, text } = await observe("</3300/0/1>", "</3300/1/1>");
    expect(text()).toBe("[]");
    await clock.advance(seconds(5));
    await set(0, 11);
    expect(told).toEqual([[5, '[{"n":"/3300/0/1","v":11},{"n":"/3300/1/1","v":20}]']]);
    expect(new TextDecoder().decode(observation.report(110))).toBe(
      '[{"bt":1767225605,"n":"/3300/0/1","v":11},{"n":"/3300/1/1","v":20}]',
    );
  });

  test("stays as it was made while values go on", async () => {
    const { observe, set } = await createWorld();
    const { text } = await observe("</3300/0/1>;gt=50", "</3300/1/1>;gt=50");
    await set(0, 60);
    await set(1, 30);
    expect(text()).toBe('[{"n":"/3300/0/1","v":60},{"n":"/3300/1/1","v":20}]');
  });

  test("has each of its formats", async () => {
    const { observe, set } = await createWorld();
    const { observation } = await observe("</3300/0/1>");
    await set(0, 11);
    const hex = (format: number) => Buffer.from(observation.report(format)).toString("hex");
    // bn "/3300/0/1", bt 1767225600, v 11
    expect(hex(112)).toBe("81a321692f333330302f302f31221a6955b900020b");
    // {[3300,0,1]: 11}
    expect(hex(11544)).toBe("a183190ce400010b");
    expect(() => observation.report(0)).toThrow("Content-Format 0 carries no report");
  });

  test("holds what is listed more than once only once", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/1/3/0>,</3300/1>", "</3300/1>,</3300/1/1>;gt=100");
    await set(1, 21);
    expect(told).toEqual([
      [0, '[{"n":"/3300/1/1","v":21},{"n":"/3300/1/3/0","vs":"a"},{"n":"/3300/1/3/1","vs":"b"}]'],
    ]);
  });

  test("holds the Resource Instances that are named", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>", { reportLinks: ["</3300/1/3/1>", "</3300/1/3/0>"] });
    await set(0, 11);
    expect(told.map(([, text]) => JSON.parse(text))).toEqual([
      [
        { bn: "/3300/1/3/", n: "0", vs: "a" },
        { n: "1", vs: "b" },
      ],
    ]);
  });

  test("holds the ReportLinks in place of what is observed", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;gt=50", { reportLinks: ["</3300/1/1>"] });
    await set(1, 21);
    expect(told).toEqual([]);
    await set(0, 51);
    expect(told).toEqual([[0, '[{"bn":"/3300/1/1","v":21}]']]);
  });

  test("leaves out what is not there, and takes it in when it comes", async () => {
    const { observe, set, sensors } = await createWorld();
    const { told } = await observe("</3300/0/1>", "</3300/7/1>");
    await set(0, 11);
    sensors.createInstance(7, { 1: 70 });
    await settle();
    expect(told).toEqual([
      [0, '[{"bn":"/3300/0/1","v":11}]'],
      [0, '[{"n":"/3300/0/1","v":11},{"n":"/3300/7/1","v":70}]'],
    ]);
  });
});

describe("a hit", () => {
  test("waits for the pmin of its link", async () => {
    const { clock, observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;pmin=10", "</3300/1/1>");
    await clock.advance(seconds(3));
    await set(0, 11);
    await clock.advance(seconds(6));
    expect(told).toEqual([]);
    await clock.advance(seconds(1));
    expect(told).toEqual([[10, '[{"n":"/3300/0/1","v":11},{"n":"/3300/1/1","v":20}]']]);
  });

  test("is made by pmax without a change, with a new time", async () => {
    const { clock, observe } = await createWorld();
    const { observation, told } = await observe("</3300/0/1>;pmax=30");
    await clock.advance(seconds(60));
    expect(told.map(([at]) => at)).toEqual([30, 60]);
    expect(new TextDecoder().decode(observation.report(110))).toContain('"bt":1767225660');
  });

  test("needs a threshold to be crossed, or the step to be made", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;gt=50", "</3300/1/1>;st=5");
    for (const value of [20, 49]) await set(0, value);
    await set(1, 24);
    expect(told).toEqual([]);
    await set(1, 25);
    await set(0, 51);
    expect(told).toEqual([
      [0, '[{"n":"/3300/0/1","v":49},{"n":"/3300/1/1","v":25}]'],
      [0, '[{"n":"/3300/0/1","v":51},{"n":"/3300/1/1","v":25}]'],
    ]);
  });

  test("takes the edge of a Boolean", async () => {
    const { sensors, observe } = await createWorld();
    const { told } = await observe("</3300/0/2>;edge=1");
    sensors.set(0, 2, true);
    await settle();
    sensors.set(0, 2, false);
    await settle();
    expect(told).toEqual([[0, '[{"bn":"/3300/0/2","vb":true}]']]);
  });
});

describe("with AND", () => {
  test("all links must have had a hit since the last report", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;gt=50", "</3300/1/1>", { relation: "all" });
    await set(0, 60);
    await set(0, 70);
    expect(told).toEqual([]);
    await set(1, 21);
    await set(1, 22);
    await set(1, 23);
    expect(told).toEqual([[0, '[{"n":"/3300/0/1","v":70},{"n":"/3300/1/1","v":21}]']]);
    await set(0, 40);
    expect(told).toHaveLength(2);
  });

  test("the longest pmin counts, and pmax of one link alone reports nothing", async () => {
    const { clock, observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;pmin=10", "</3300/1/1>;pmax=5", { relation: "all" });
    await clock.advance(seconds(8));
    expect(told).toEqual([]);
    await set(0, 11);
    await clock.advance(seconds(1));
    expect(told).toEqual([]);
    await clock.advance(seconds(1));
    expect(told.map(([at]) => at)).toEqual([10]);
  });
});

describe("with the ResourceFilter", () => {
  test("a report holds what is another than in the report before, also by Resource of an instance", async () => {
    const { observe, set, sensors } = await createWorld();
    const { told } = await observe("</3300/0>", "</3300/1/1>", { onlyChanged: true });
    await set(0, 11);
    sensors.set(0, 2, true);
    await settle();
    await set(1, 21);
    expect(told).toEqual([
      [0, '[{"bn":"/3300/0/1","v":11}]'],
      [0, '[{"bn":"/3300/0/2","vb":true}]'],
      [0, '[{"bn":"/3300/1/1","v":21}]'],
    ]);
  });

  test("what changed and had no hit of its own is in it", async () => {
    const { observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;gt=50", "</3300/1/1>", { onlyChanged: true });
    await set(0, 12);
    await set(1, 21);
    expect(told).toEqual([[0, '[{"n":"/3300/0/1","v":12},{"n":"/3300/1/1","v":21}]']]);
  });

  test("pmax does not report a change that had no hit", async () => {
    const { clock, observe, set } = await createWorld();
    const { told } = await observe("</3300/0/1>;gt=50;pmax=10", { onlyChanged: true });
    await set(0, 12);
    await clock.advance(seconds(60));
    expect(told).toEqual([]);
  });

  test("pmax reports nothing, and a hit while all ReportLinks are as before neither", async () => {
    const { clock, observe, set } = await createWorld();
    const filtered = { onlyChanged: true, reportLinks: ["</3300/1/1>"] };
    const { told } = await observe("</3300/0/1>;pmax=10", filtered);
    await clock.advance(seconds(60));
    await set(0, 11);
    expect(told).toEqual([]);
    await set(1, 21);
    await set(0, 12);
    expect(told).toEqual([[60, '[{"bn":"/3300/1/1","v":21}]']]);
  });
});

describe("with access control", () => {
  const entry = (objectInstanceId: number, ofTwo: number): AccessControlEntry => ({
    objectId: 3300,
    objectInstanceId,
    owner: 1,
    acl: new Map([[2, ofTwo]]),
  });

  test("what is closed to one Server is in no report, and makes none", async () => {
    const { observe, set } = await createWorld({ entries: [entry(0, rights.read), entry(1, rights.write)] });
    const { told } = await observe("</3300/0/1>", "</3300/1/1>", "</3300/1>");
    await set(1, 21);
    expect(told).toEqual([]);
    await set(0, 11);
    expect(told).toEqual([[0, '[{"bn":"/3300/0/1","v":11}]']]);
  });

  test("what has been closed since is taken out of the report that there is", async () => {
    const { observe, set, entries } = await createWorld({
      entries: [entry(0, rights.read), entry(1, rights.read)],
    });
    const { text } = await observe("</3300/0/1>", "</3300/1/1>");
    await set(0, 11);
    expect(text()).toContain("/3300/1/1");
    entries[1] = entry(1, 0);
    expect(text()).toBe('[{"bn":"/3300/0/1","v":11}]');
  });

  test("there is none for a single Server", async () => {
    const { observe, set, servers } = await createWorld({ entries: [entry(0, 0)] });
    servers.pop();
    const { told } = await observe("</3300/1/1>");
    await set(1, 21);
    expect(told).toHaveLength(1);
  });
});

describe("observing", () => {
  test("begins when the client starts, with the values of then", async () => {
    const { observe, set, virtual } = await createWorld({ isStarted: false });
    const { told } = await observe("</3300/0/1>");
    await set(0, 11);
    virtual.start();
    await settle();
    expect(told).toEqual([]);
    await set(0, 12);
    expect(told).toEqual([[0, '[{"bn":"/3300/0/1","v":12}]']]);
  });

  test("does not miss what changes during its first look", async () => {
    const { observe, sensors } = await createWorld();
    const observing = observe("</3300/0/1>");
    sensors.set(0, 1, 11);
    const { told } = await observing;
    expect(told).toEqual([[0, '[{"bn":"/3300/0/1","v":11}]']]);
  });

  test("ends with stop, and with the client: no timer is left", async () => {
    const { clock, observe, set, virtual } = await createWorld();
    const first = await observe("</3300/0/1>;pmax=10");
    const second = await observe("</3300/0/1>;pmax=20");
    first.observation.stop();
    await set(0, 11);
    expect([first.told.length, second.told.length]).toEqual([0, 1]);
    virtual.close();
    await set(0, 12);
    await clock.advance(seconds(60));
    expect(second.told).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

describe("links are refused with 4.00", () => {
  const many = Array.from({ length: 33 }, (_, index) => `</3300/${index}/1>`);
  test.each<[string, string[], string]>([
    ["to Security", ["</0/0/0>"], "Object 0 is the Bootstrap-Server's"],
    ["to OSCORE", ["</21/0>"], "Object 21 is the Bootstrap-Server's"],
    ["to COSE", ["</23/0>"], "Object 23 is the Bootstrap-Server's"],
    ["to the Object itself", ["</22/0/1>"], "a report cannot hold reports"],
    ["to a whole Object", ["</3300>"], "is not the path of an Object Instance"],
    ["to everything", ["</>"], "is not the path of an Object Instance"],
    ["that are no path", ["</03/0/1>"], "is not the path of an Object Instance"],
    ["that are none", ["3300/0/1"], "a link begins with its reference in <>"],
    ["to what is only executed", ["</3300/0/4>"], "/3300/0/4 is not readable"],
    ["to a Resource Instance of a single value", ["</3300/0/1/0>"], "/3300/0/1 has no Resource Instances"],
    ["of which one is bad", ["</3300/0/1>", "</0/0/0>"], "Object 0"],
    ["of too large a number", many, "more than 32 links"],
    ["of too large a number in one text", [many.join(",")], "more than 32 links"],
    ["that are padded", [`</3300/0/1>;${" ".repeat(8192)}pmin=1`], "more than 8192 characters"],
    ["with an unknown attribute", ["</3300/0/1>;foo=1"], '"foo" is not an attribute'],
    ["with a value that is none", ["</3300/0/1>;pmin=x"], "pmin cannot be x"],
    ["with an attribute without value", ["</3300/0/1>;pmin"], "pmin has no value"],
    ["with a threshold for an instance", ["</3300/0>;gt=1"], "/3300/0 does not take gt"],
    ["with a threshold for a Boolean", ["</3300/0/2>;gt=1"], "does not take gt"],
    ["with thresholds that contradict", ["</3300/0/1>;gt=1;lt=2"], "contradict each other"],
    ["with what notifications have", ["</3300/0/1>;con=1"], "a link does not take con"],
  ])("%s", async (_what, links, message) => {
    const { virtual } = await createWorld();
    const refused = expect.objectContaining({ code: "4.00", message: expect.stringContaining(message) });
    expect(() => virtual.checkObserveLinks(links)).toThrow(refused);
  });

  test("as ReportLinks when they have attributes", async () => {
    const { virtual } = await createWorld();
    expect(() => virtual.checkReportLinks(["</3300/0/1>;pmin=1"])).toThrow("takes no attributes");
    expect(() => virtual.checkReportLinks(["</3300/0/1>,</3300/1>"])).not.toThrow();
    expect(() => virtual.checkReportLinks(["</0/0/1>"])).toThrow("Object 0");
  });

  test("but 32 of them are taken, and what is not there yet", async () => {
    const { virtual } = await createWorld();
    const links = Array.from({ length: 32 }, (_, index) => `</9000/${index}/1>;pmin=1;pmax=600`);
    expect(() => virtual.checkObserveLinks(links)).not.toThrow();
  });
});
