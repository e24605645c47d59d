import { beforeEach, describe, expect, test } from "vitest";
import { ObjectTree, type TreeChange } from "../../../agent/lwm2m/object-tree.js";
import {
  defineObject,
  type LiveObject,
  multipleInstances,
  singleInstance,
} from "../../../agent/model/definition.js";
import { RequestError } from "../../../agent/model/errors.js";
import { MAX_ID } from "../../../agent/model/path.js";

const Lamp = defineObject({
  id: 3311,
  name: "Lamp",
  version: "1.0",
  instances: "single",
  resources: {
    on: { id: 5850, operations: "RW", type: "boolean", mandatory: true },
    dimmer: { id: 5851, operations: "RW", type: "integer", range: [0, 100] },
    colours: { id: 5706, operations: "RW", type: "string", multiple: true },
    onTime: { id: 5852, operations: "R", type: "integer" },
    blink: { id: 5823, operations: "E" },
    firmware: { id: 1, operations: "W", type: "opaque" },
  },
});

const Note = defineObject({
  id: 40000,
  name: "Note",
  version: "1.0",
  instances: "multiple",
  resources: {
    text: { id: 0, operations: "RW", type: "string", mandatory: true },
    author: { id: 1, operations: "RW", type: "string" },
  },
});

/** A lamp whose dimmer can be broken, and a pile of notes. */
function createWorld() {
  const state = {
    on: false,
    dimmer: 50 as number | undefined,
    colours: new Map([[0, "red"]]),
    broken: false,
    pieces: [] as number[],
    notes: new Map<number, { text: string }>([[3, { text: "old" }]]),
  };
  let live: LiveObject<typeof Lamp> | undefined;
  const lamp = singleInstance(
    Lamp,
    {
      on: { read: () => state.on, write: (value) => void (state.on = value) },
      dimmer: {
        read: () => state.dimmer,
        check: (value) => {
          if (value === 13) throw new RequestError("4.00", "unlucky");
        },
        write: (value) => {
          if (state.broken) throw new Error("the dimmer is broken");
          state.dimmer = value;
        },
        remove: () => void (state.dimmer = undefined),
      },
      colours: { read: () => state.colours, write: (value) => void (state.colours = new Map(value)) },
      blink: { execute: (args) => () => void (state.on = args.has(0)) },
      firmware: {
        receive: () => ({
          write: (piece) => void state.pieces.push(piece.length),
          end: () => undefined,
          abort: () => undefined,
        }),
      },
    },
    { start: (object) => void (live = object) },
  );
  const noteHandlers = (id: number) => ({
    text: {
      read: () => state.notes.get(id)?.text ?? "",
      write: (text: string) => void state.notes.set(id, { text }),
    },
  });
  const notes = multipleInstances(Note, {
    instances: new Map([[3, noteHandlers(3)]]),
    create: (id, { text }) => {
      if (text === undefined || text === "forbidden") throw new RequestError("4.00", "no such note");
      state.notes.set(id, { text });
      return noteHandlers(id);
    },
    delete: (id) => void state.notes.delete(id),
  });
  const tree = new ObjectTree();
  tree.add(lamp);
  tree.add(notes);
  const changes: TreeChange[] = [];
  tree.onChange((change) => changes.push(change));
  return { tree, state, changes, live: () => live };
}

let world: ReturnType<typeof createWorld>;
beforeEach(async () => {
  world = createWorld();
  await world.tree.start();
});

describe("reading", () => {
  test("an instance gives the readable Resources that hold a value", async () => {
    expect(await world.tree.read([3311, 0])).toEqual(
      new Map([
        [
          0,
          new Map<number, unknown>([
            [5706, new Map([[0, "red"]])],
            [5850, false],
            [5851, 50],
          ]),
        ],
      ]),
    );
  });

  test("a Resource Instance gives itself alone", async () => {
    expect(await world.tree.read([3311, 0, 5706, 0])).toEqual(
      new Map([[0, new Map([[5706, new Map([[0, "red"]])]])]]),
    );
  });

  test.each([{ path: [3311, 0, 5706, 1] as const }, { path: [3311, 0, 5852] as const }])(
    "$path holds nothing: 4.04",
    async ({ path }) => {
      await expect(async () => world.tree.read(path)).rejects.toMatchObject({ code: "4.04" });
    },
  );
});

describe("writing", () => {
  test("a partial write changes what it names, and says so once", async () => {
    await world.tree.write(
      [3311, 0],
      new Map<number, never>([
        [5850, true as never],
        [5851, 80 as never],
      ]),
      "partial",
    );
    expect(world.state).toMatchObject({ on: true, dimmer: 80 });
    expect(world.changes).toEqual([
      {
        kind: "values",
        paths: [
          [3311, 0, 5850],
          [3311, 0, 5851],
        ],
      },
    ]);
  });

  test("replacing an instance takes optional Resources away that the content leaves out", async () => {
    await world.tree.write([3311, 0], new Map([[5850, true]]), "replace");
    expect(world.state).toMatchObject({ on: true, dimmer: undefined });
  });

  test("replacing an instance without a mandatory Resource is 4.00 and changes nothing", async () => {
    await expect(world.tree.write([3311, 0], new Map([[5851, 1]]), "replace")).rejects.toMatchObject({
      code: "4.00",
    });
    expect(world.state.dimmer).toBe(50);
  });

  test("one read-only Resource in the content is 4.05 and changes nothing", async () => {
    const tree = new ObjectTree();
    let written = false;
    tree.add(
      singleInstance(Lamp, {
        on: { read: () => false, write: () => void (written = true) },
        onTime: { read: () => 1 },
      }),
    );
    const content = new Map<number, boolean | number>([
      [5850, true],
      [5852, 9],
    ]);
    await expect(tree.write([3311, 0], content, "partial")).rejects.toMatchObject({ code: "4.05" });
    expect(written).toBe(false);
  });

  test("a Resource that the application refuses keeps the others as they were", async () => {
    const content = new Map<number, boolean | number>([
      [5850, true],
      [5851, 13],
    ]);
    await expect(world.tree.write([3311, 0], content, "partial")).rejects.toMatchObject({ code: "4.00" });
    expect(world.state.on).toBe(false);
    expect(world.changes).toEqual([]);
  });

  test("a handler that fails in the middle has the earlier ones taken back", async () => {
    world.state.broken = true;
    const content = new Map<number, boolean | number>([
      [5850, true],
      [5851, 60],
    ]);
    await expect(world.tree.write([3311, 0], content, "partial")).rejects.toThrow("broken");
    expect(world.state).toMatchObject({ on: false, dimmer: 50 });
  });

  test("a partial write merges Resource Instances, a replacing one exchanges them", async () => {
    await world.tree.write([3311, 0, 5706], new Map([[5706, new Map([[1, "blue"]])]]), "partial");
    expect(world.state.colours).toEqual(
      new Map([
        [0, "red"],
        [1, "blue"],
      ]),
    );
    await world.tree.write([3311, 0, 5706], new Map([[5706, new Map([[2, "green"]])]]), "replace");
    expect(world.state.colours).toEqual(new Map([[2, "green"]]));
  });

  test("a Resource Instance is written only where it exists", async () => {
    await world.tree.write([3311, 0, 5706, 0], new Map([[5706, new Map([[0, "white"]])]]), "replace");
    expect(world.state.colours.get(0)).toBe("white");
    await expect(
      world.tree.write([3311, 0, 5706, 7], new Map([[5706, new Map([[7, "x"]])]]), "replace"),
    ).rejects.toMatchObject({ code: "4.04" });
  });

  test("a streamed Resource takes a whole value too", async () => {
    await world.tree.write([3311, 0, 1], new Map([[1, new Uint8Array(10)]]), "replace");
    expect(world.state.pieces).toEqual([10]);
  });
});

test("what an Execute causes comes after its answer", async () => {
  const after = await world.tree.execute([3311, 0, 5823], new Map([[0, undefined]]));
  expect(world.state.on).toBe(false);
  after?.();
  expect(world.state.on).toBe(true);
});

test("values that change by themselves are told with their path", () => {
  world.live()?.changed(0, "onTime", "dimmer");
  expect(world.changes).toEqual([
    {
      kind: "values",
      paths: [
        [3311, 0, 5852],
        [3311, 0, 5851],
      ],
    },
  ]);
});

describe("creating and deleting", () => {
  test("an ID that the client assigns is the lowest free one", async () => {
    expect(await world.tree.create([40000], new Map([[MAX_ID, new Map([[0, "a"]])]]))).toEqual([0]);
    expect(world.tree.instanceIds(40000)).toEqual([0, 3]);
    expect(world.changes).toEqual([{ kind: "instances", objectId: 40000 }]);
  });

  test("an ID in use is 4.00", async () => {
    await expect(world.tree.create([40000], new Map([[3, new Map([[0, "a"]])]]))).rejects.toMatchObject({
      code: "4.00",
    });
  });

  test("several instances come all or not at all", async () => {
    const content = new Map([
      [5, new Map([[0, "fine"]])],
      [6, new Map([[0, "forbidden"]])],
    ]);
    await expect(world.tree.create([40000], content)).rejects.toMatchObject({ code: "4.00" });
    expect(world.tree.instanceIds(40000)).toEqual([3]);
    expect(world.state.notes.has(5)).toBe(false);
  });

  test("a mandatory Resource that is missing is 4.00", async () => {
    await expect(world.tree.create([40000], new Map([[9, new Map()]]))).rejects.toMatchObject({
      code: "4.00",
    });
  });

  test("a deleted instance is gone, and the Server's list with it", async () => {
    await world.tree.delete(40000, 3);
    expect(world.tree.hasInstance(40000, 3)).toBe(false);
    expect(world.changes).toEqual([{ kind: "instances", objectId: 40000 }]);
  });

  test("a single-instance Object allows neither", async () => {
    await expect(world.tree.create([3311], new Map([[1, new Map()]]))).rejects.toMatchObject({
      code: "4.05",
    });
    await expect(world.tree.delete(3311, 0)).rejects.toMatchObject({ code: "4.05" });
  });
});

test("an Object ID can be taken once", () => {
  expect(() =>
    world.tree.add(singleInstance(Lamp, { on: { read: () => true, write: () => undefined } })),
  ).toThrow("exists already");
});
