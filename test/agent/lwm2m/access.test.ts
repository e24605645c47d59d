import { expect, test } from "vitest";
import { rights } from "../../../agent/lwm2m/access-control.js";
import { responseCodeOf } from "../../../agent/model/errors.js";
import { create, createEngine, discover, read, remove, replace, thing, writeComposite } from "./engine.js";

const senmlJson = 110;
const level = (instance: number) => JSON.stringify([{ n: `/${thing}/${instance}/0`, v: 1 }]);
const text = (payload: Uint8Array | undefined) => new TextDecoder().decode(payload);
const entryOf = (objectInstanceId: number) => expect.objectContaining({ objectId: thing, objectInstanceId });

test("a Server owns what it creates, and others have no right to it", async () => {
  const engine = createEngine({ rightsOfTwo: rights.create });
  const { location } = await engine.perform(create(`/${thing}`, senmlJson, level(4)), 2);
  expect(location).toEqual([thing, 4]);
  expect(engine.entries).toContainEqual({ objectId: thing, objectInstanceId: 4, owner: 2, acl: new Map() });
  expect((await engine.perform(replace(`/${thing}/4/0`, 0, "3"), 2)).code).toBe("2.04");
  await expect(engine.perform(read(`/${thing}/4/0`), 1)).rejects.toMatchObject({ code: "4.01" });
});

test("the entry of an instance goes with it", async () => {
  const engine = createEngine({ rightsOfTwo: 0 });
  expect(engine.entries).toContainEqual(entryOf(0));
  await engine.perform(remove(`/${thing}/0`));
  expect(engine.entries).not.toContainEqual(entryOf(0));
});

test("a Create that fails leaves no entry", async () => {
  const engine = createEngine({ rightsOfTwo: rights.create });
  const before = [...engine.entries];
  const both = JSON.stringify([
    { n: `/${thing}/4/0`, v: 1 },
    { n: `/${thing}/5/0`, v: 7 }, // is not liked
  ]);
  const answer = engine.perform(create(`/${thing}`, senmlJson, both), 2);
  expect(await answer.then(({ code }) => code, responseCodeOf)).toBe("4.00");
  expect(engine.entries).toEqual(before);
  expect([...engine.state.things.keys()]).toEqual([0]);
});

test("a Create is taken back when Object 2 has no room for its entry", async () => {
  const engine = createEngine({ rightsOfTwo: rights.create });
  engine.entries.push = () => {
    throw new Error("full");
  };
  await expect(engine.perform(create(`/${thing}`, senmlJson, level(4)), 2)).rejects.toThrow("full");
  expect([...engine.state.things.keys()]).toEqual([0]);
  expect(engine.tree.instanceIds(thing)).toEqual([0]);
});

test("without access control a Create leaves no entry", async () => {
  const engine = createEngine();
  await engine.perform(create(`/${thing}`, senmlJson, level(4)));
  expect(engine.entries).toEqual([]);
});

test("a Read of a whole Object leaves out instances without the right", async () => {
  const engine = createEngine({ rightsOfTwo: rights.read | rights.create });
  await engine.perform(create(`/${thing}`, senmlJson, level(4)), 2); // Server 1 has no right there
  const instancesFor = async (server: number) => {
    const { content } = await engine.perform(read(`/${thing}`), server);
    return [...(content?.get(thing)?.keys() ?? [])];
  };
  expect(await instancesFor(1)).toEqual([0]);
  expect(await instancesFor(2)).toEqual([0, 4]);
});

test("a Read of an Object of which nothing may be read is empty", async () => {
  const engine = createEngine({ rightsOfTwo: 0 });
  expect(await engine.perform(read(`/${thing}`, senmlJson), 2)).toMatchObject({
    code: "2.05",
    payload: new TextEncoder().encode("[]"),
  });
});

test("Discover shows every Server what there is", async () => {
  const { payload } = await createEngine({ rightsOfTwo: 0 }).perform(discover(`/${thing}/0`), 2);
  expect(text(payload)).toContain(`</${thing}/0/0>`);
});

test("a Write-Composite needs the right on every instance", async () => {
  const engine = createEngine({ rightsOfTwo: rights.write | rights.create });
  await engine.perform(create(`/${thing}`, senmlJson, level(4)), 1);
  const both = JSON.stringify([
    { n: `/${thing}/0/0`, v: 2 },
    { n: `/${thing}/4/0`, v: 2 },
  ]);
  await expect(engine.perform(writeComposite(senmlJson, both), 2)).rejects.toMatchObject({ code: "4.01" });
  expect(engine.state.things.get(0)?.level).toBe(5);
});
