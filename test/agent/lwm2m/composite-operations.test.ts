import { beforeEach, describe, expect, test } from "vitest";
import { rights } from "../../../agent/lwm2m/access-control.js";
import type { TreeChange } from "../../../agent/lwm2m/object-tree.js";
import { responseCodeOf } from "../../../agent/model/errors.js";
import { createEngine, type Engine, lone, readComposite, thing, writeComposite } from "./engine.js";

const senmlJson = 110;
const etchJson = 320;

const names = (...uris: string[]) => JSON.stringify(uris.map((n) => ({ n })));
const packOf = (payload: Uint8Array | undefined): unknown => JSON.parse(new TextDecoder().decode(payload));

describe("a Read-Composite", () => {
  const read = async (engine: Engine, uris: readonly string[], server = 1) =>
    packOf((await engine.perform(readComposite(senmlJson, names(...uris)), server)).payload);

  test("answers what is there of the paths, whatever their level", async () => {
    const uris = [`/${lone}`, `/${thing}/0/0`, `/${thing}/0/4/3`, `/${thing}/0/7`, `/${thing}/9/0`, "/9999"];
    expect(await read(createEngine(), uris)).toEqual([
      { n: `/${thing}/0/0`, v: 5 },
      { n: `/${thing}/0/4/3`, vs: "b" },
      { n: `/${lone}/0/0`, v: 1 },
    ]);
  });

  test("has each value once, and Resource Instances of several paths together", async () => {
    const uris = [`/${thing}/0/4/3`, `/${thing}/0/4/0`, `/${lone}`, `/${lone}/0/0`];
    expect(await read(createEngine(), uris)).toEqual([
      { n: `/${thing}/0/4/0`, vs: "a" },
      { n: `/${thing}/0/4/3`, vs: "b" },
      { n: `/${lone}/0/0`, v: 1 },
    ]);
  });

  test("of / is everything readable, and nothing of the Bootstrap-Server's", async () => {
    const pack = (await read(createEngine(), ["/"])) as { n: string }[];
    expect(pack.map(({ n }) => n)).toEqual([
      ...["0", "1", "4/0", "4/3", "5", "6", "8/0", "8/1", "10/0"].map((rest) => `/${thing}/0/${rest}`),
      `/${lone}/0/0`,
    ]);
  });

  test("leaves out what the Server may not read", async () => {
    const engine = createEngine({ rightsOfTwo: 0 });
    engine.entries.unshift({
      objectId: lone,
      objectInstanceId: 0,
      owner: 1,
      acl: new Map([[2, rights.read]]),
    });
    expect(await read(engine, ["/"], 2)).toEqual([{ n: `/${lone}/0/0`, v: 1 }]);
  });

  test("keeps its content for whoever compares it", async () => {
    const reply = await createEngine().perform(readComposite(senmlJson, names(`/${lone}/0/0`)));
    expect(reply.content).toEqual(new Map([[lone, new Map([[0, new Map([[0, 1]])]])]]));
  });

  test("is answered at once when everything is in memory", () => {
    const { dispatcher } = createEngine();
    const reply = dispatcher.perform(
      { shortServerId: 1, version: "1.1" },
      readComposite(senmlJson, names("/")),
    );
    expect(reply).not.toBeInstanceOf(Promise);
  });

  test("of a value that cannot be read just now fails as a Read would", async () => {
    const engine = createEngine();
    const { perform } = engine;
    Object.defineProperty(engine.state, "lone", {
      get: () => {
        throw new Error("no contact");
      },
    });
    await expect(perform(readComposite(senmlJson, names(`/${lone}`)))).rejects.toThrow("no contact");
  });
});

describe("a Write-Composite", () => {
  let engine: Engine;
  let changes: TreeChange[];
  beforeEach(() => {
    engine = createEngine();
    changes = [];
    engine.tree.onChange((change) => changes.push(change));
  });
  const write = (format: number, pack: readonly object[]) =>
    engine.perform(writeComposite(format, JSON.stringify(pack))).then(({ code }) => code, responseCodeOf);
  const held = () => engine.state.things.get(0);

  test("writes Resources of several Objects, and says so once", async () => {
    const pack = [
      { n: `/${thing}/0/0`, v: 6 },
      { n: `/${lone}/0/0`, v: 2 },
    ];
    expect(await write(senmlJson, pack)).toBe("2.04");
    expect([held()?.level, engine.state.lone]).toEqual([6, 2]);
    expect(changes).toEqual([
      {
        kind: "values",
        paths: [
          [thing, 0, 0],
          [lone, 0, 0],
        ],
      },
    ]);
  });

  test("adds and overwrites Resource Instances, and keeps the others", async () => {
    const pack = [
      { n: `/${thing}/0/4/3`, vs: "B" },
      { n: `/${thing}/0/4/5`, vs: "c" },
    ];
    expect(await write(senmlJson, pack)).toBe("2.04");
    expect(held()?.names).toEqual(
      new Map([
        [0, "a"],
        [3, "B"],
        [5, "c"],
      ]),
    );
  });

  test("removes and writes Resource Instances of one Resource in one go", async () => {
    const pack = [
      { n: `/${thing}/0/4/0`, v: null },
      { n: `/${thing}/0/4/5`, vs: "c" },
      { n: `/${thing}/0/0`, v: 6 },
    ];
    expect(await write(etchJson, pack)).toBe("2.04");
    expect(held()?.names).toEqual(
      new Map([
        [3, "b"],
        [5, "c"],
      ]),
    );
    expect(held()?.level).toBe(6);
  });

  test.each([
    { why: "a later target does not exist", last: { n: `/${lone}/9/0`, v: 2 }, code: "4.04" },
    { why: "a later target cannot be written", last: { n: `/${thing}/0/1`, vs: "x" }, code: "4.05" },
    { why: "a later value is of another type", last: { n: `/${thing}/0/8/0`, vs: "x" }, code: "4.00" },
    { why: "a later link leads nowhere", last: { n: `/${thing}/0/5`, vlo: "77:1" }, code: "4.00" },
  ])("changes nothing when $why", async ({ last, code }) => {
    expect(await write(senmlJson, [{ n: `/${lone}/0/0`, v: 2 }, last])).toBe(code);
    expect(engine.state.lone).toBe(1);
    expect(changes).toEqual([]);
  });

  test("is undone in all Objects when one of them fails while it is applied", async () => {
    engine.state.loneIsBroken = true;
    const pack = [
      { n: `/${thing}/0/0`, v: 6 },
      { n: `/${thing}/0/4/0`, vs: "A" },
      { n: `/${lone}/0/0`, v: 2 },
    ];
    expect(await write(senmlJson, pack)).toBe("5.00");
    expect([held()?.level, held()?.names.get(0), engine.state.lone]).toEqual([5, "a", 1]);
    expect(changes).toEqual([]);
  });

  test("applies last what could not be taken back", async () => {
    engine.state.loneIsBroken = true;
    const pack = [
      { n: `/${thing}/0/2`, vs: "told" },
      { n: `/${lone}/0/0`, v: 2 },
    ];
    expect(await write(senmlJson, pack)).toBe("5.00");
    expect(held()?.secret).toBe("");
  });

  test("of two that meet in other orders, neither waits for ever", async () => {
    const there = write(senmlJson, [
      { n: `/${thing}/0/0`, v: 1 },
      { n: `/${lone}/0/0`, v: 1 },
    ]);
    const back = write(senmlJson, [
      { n: `/${lone}/0/0`, v: 2 },
      { n: `/${thing}/0/0`, v: 2 },
    ]);
    expect(await Promise.all([there, back])).toEqual(["2.04", "2.04"]);
    expect([held()?.level, engine.state.lone]).toEqual([2, 2]);
  });
});
