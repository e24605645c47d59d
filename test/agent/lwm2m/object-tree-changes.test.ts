import { beforeEach, describe, expect, test } from "vitest";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import { defineObject, multipleInstances, singleInstance } from "../../../agent/model/definition.js";
import { RequestError } from "../../../agent/model/errors.js";
import { MAX_ID } from "../../../agent/model/path.js";
import type { ObjectLink } from "../../../agent/model/value.js";

const Note = defineObject({
  id: 40000,
  name: "Note",
  version: "1.0",
  instances: "multiple",
  resources: {
    text: { id: 0, operations: "RW", type: "string", mandatory: true },
    tags: { id: 1, operations: "RW", type: "string", multiple: true },
    colour: { id: 2, operations: "RW", type: "string" },
    seeAlso: { id: 3, operations: "RW", type: "objlnk" },
    attachment: { id: 4, operations: "W", type: "opaque" },
    locked: { id: 5, operations: "RW", type: "boolean" },
  },
});

interface StoredNote {
  text: string;
  tags: ReadonlyMap<number, string>;
  colour?: string | undefined;
  seeAlso?: ObjectLink;
}

/** Notes on a disk that takes a moment for every change, as a real one does. */
function createWorld() {
  const notes = new Map<number, StoredNote>([[3, { text: "old", tags: new Map([[0, "a"]]) }]]);
  const trouble = { writing: false, removing: false, deleting: false };
  const streams: string[] = [];
  const disk = () => new Promise<void>((resolve) => setImmediate(resolve));
  const note = (id: number): StoredNote => {
    const found = notes.get(id);
    if (found === undefined) throw new Error(`the disk has no note ${id}`);
    return found;
  };
  const change = async (id: number, changes: Partial<StoredNote>) => {
    await disk();
    notes.set(id, { ...note(id), ...changes });
  };
  const handlers = (id: number) => ({
    text: { read: () => note(id).text, write: (text: string) => change(id, { text }) },
    tags: {
      read: () => note(id).tags,
      write: (tags: ReadonlyMap<number, string>) => change(id, { tags }),
    },
    colour: {
      read: () => note(id).colour,
      write: (colour: string) => change(id, { colour }),
      remove: async () => {
        if (trouble.removing) throw new Error("the disk is gone");
        await change(id, { colour: undefined });
      },
    },
    seeAlso: { read: () => note(id).seeAlso, write: (seeAlso: ObjectLink) => change(id, { seeAlso }) },
    attachment: {
      receive: () => ({
        write: () => {
          streams.push("write");
          throw new RequestError("4.13", "too large");
        },
        end: () => void streams.push("end"),
        abort: () => void streams.push("abort"),
      }),
    },
    locked: {
      read: () => undefined,
      write: () => {
        if (trouble.writing) throw new Error("the disk is full");
      },
    },
  });
  const tree = new ObjectTree();
  tree.add(
    multipleInstances(Note, {
      instances: new Map([[3, handlers(3)]]),
      create: async (id, { text = "" }) => {
        await disk();
        if (text === "forbidden") throw new RequestError("4.00", "no such note");
        notes.set(id, { text, tags: new Map() });
        return handlers(id);
      },
      delete: async (id) => {
        await disk();
        if (trouble.deleting) throw new Error("the disk is gone");
        notes.delete(id);
      },
    }),
  );
  return { tree, notes, trouble, streams };
}

let tree: ObjectTree;
let notes: ReturnType<typeof createWorld>["notes"];
let trouble: ReturnType<typeof createWorld>["trouble"];
let streams: ReturnType<typeof createWorld>["streams"];
beforeEach(() => {
  ({ tree, notes, trouble, streams } = createWorld());
});

const newNote = (id: number, text: string) => new Map([[id, new Map([[0, text]])]]);
const newTag = (id: number, tag: string) => new Map([[1, new Map([[id, tag]])]]);

describe("changes that come at the same time", () => {
  test("two instances without an ID get different ones", async () => {
    const created = await Promise.all([
      tree.create([40000], newNote(MAX_ID, "one")),
      tree.create([40000], newNote(MAX_ID, "two")),
    ]);
    expect(created).toEqual([[0], [1]]);
    expect([notes.get(0)?.text, notes.get(1)?.text]).toEqual(["one", "two"]);
  });

  test("of two instances with the same ID the second is refused", async () => {
    const [first, second] = await Promise.allSettled([
      tree.create([40000], newNote(7, "one")),
      tree.create([40000], newNote(7, "two")),
    ]);
    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "4.00" } });
    expect(notes.get(7)?.text).toBe("one");
  });

  test("two partial writes of Resource Instances both count", async () => {
    await Promise.all([
      tree.write([40000, 3, 1], newTag(1, "b"), "partial"),
      tree.write([40000, 3, 1], newTag(2, "c"), "partial"),
    ]);
    expect([...(notes.get(3)?.tags.values() ?? [])]).toEqual(["a", "b", "c"]);
  });

  test("a write or a second delete that comes after a delete finds nothing: 4.04", async () => {
    const [, write, again] = await Promise.allSettled([
      tree.delete(40000, 3),
      tree.write([40000, 3], new Map([[0, "late"]]), "partial"),
      tree.delete(40000, 3),
    ]);
    expect(write).toMatchObject({ status: "rejected", reason: { code: "4.04" } });
    expect(again).toMatchObject({ status: "rejected", reason: { code: "4.04" } });
  });

  test("one that fails does not hold up the next", async () => {
    const refused = tree.create([40000], newNote(5, "forbidden"));
    const created = tree.create([40000], newNote(5, "fine"));
    await expect(refused).rejects.toMatchObject({ code: "4.00" });
    expect(await created).toEqual([5]);
  });
});

describe("all or nothing", () => {
  test("a Resource that had no value has none again when a later one fails", async () => {
    trouble.writing = true;
    const content = new Map<number, string | boolean>([
      [2, "red"],
      [5, true],
    ]);
    await expect(tree.write([40000, 3], content, "partial")).rejects.toThrow("full");
    expect(notes.get(3)?.colour).toBeUndefined();
  });

  test("what cannot be taken back is 5.00, whatever the request was refused for", async () => {
    Object.assign(trouble, { writing: true, removing: true });
    const content = new Map<number, string | boolean>([
      [2, "red"],
      [5, true],
    ]);
    await expect(tree.write([40000, 3], content, "partial")).rejects.toBeInstanceOf(AggregateError);
  });

  test("no instance is created when a later one lacks a mandatory Resource", async () => {
    const content = new Map([
      [5, new Map([[0, "fine"]])],
      [6, new Map<number, string>()],
    ]);
    trouble.deleting = true; // what was created could not even be deleted
    await expect(tree.create([40000], content)).rejects.toMatchObject({ code: "4.00" });
    expect(notes.has(5)).toBe(false);
  });

  test("no instance of several can be seen before all are there", async () => {
    const creating = tree.create([40000], new Map([...newNote(5, "one"), ...newNote(6, "two")]));
    while (!notes.has(5)) await new Promise((resolve) => setImmediate(resolve));
    expect(tree.instanceIds(40000)).toEqual([3]);
    await creating;
    expect(tree.instanceIds(40000)).toEqual([3, 5, 6]);
  });

  test("a stream that refuses a value is told that no more comes", async () => {
    await expect(
      tree.write([40000, 3, 4], new Map([[4, new Uint8Array(9)]]), "replace"),
    ).rejects.toMatchObject({ code: "4.13" });
    expect(streams).toEqual(["write", "abort"]);
  });
});

describe("an Object Link", () => {
  const write = (objectId: number, objectInstanceId: number) =>
    tree.write([40000, 3, 3], new Map([[3, { objectId, objectInstanceId }]]), "replace");

  test.each([
    ["an instance", 40000, 3],
    ["a whole Object", 40000, MAX_ID],
    ["nowhere", MAX_ID, MAX_ID],
  ])("may lead to %s", async (_where, objectId, objectInstanceId) => {
    await write(objectId, objectInstanceId);
    expect(notes.get(3)?.seeAlso).toEqual({ objectId, objectInstanceId });
  });

  test.each([
    ["an instance that is not there", 40000, 4],
    ["an Object that is not there", 9, MAX_ID],
    ["an instance of an Object that is not there", 9, 0],
  ])("cannot lead to %s", async (_where, objectId, objectInstanceId) => {
    await expect(write(objectId, objectInstanceId)).rejects.toMatchObject({ code: "4.00" });
  });
});

test("an Object that cannot be closed does not keep the others open", async () => {
  const Lamp = defineObject({
    id: 3311,
    name: "Lamp",
    version: "1.0",
    instances: "single",
    resources: { on: { id: 5850, operations: "R", type: "boolean" } },
  });
  const Buzzer = defineObject({ ...Lamp, id: 3338, name: "Buzzer" });
  const closed: string[] = [];
  tree.add(singleInstance(Lamp, {}, { close: () => void closed.push("lamp") }));
  tree.add(
    singleInstance(
      Buzzer,
      {},
      {
        close: () => {
          throw new Error("stuck");
        },
      },
    ),
  );
  await expect(tree.close()).rejects.toBeInstanceOf(AggregateError);
  expect(closed).toEqual(["lamp"]);
});
