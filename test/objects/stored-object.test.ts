import { describe, expect, test } from "vitest";
import { ObjectTree, type TreeChange } from "../../agent/lwm2m/object-tree.js";
import { defineObject } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import { MAX_ID } from "../../agent/model/path.js";
import { BinaryAppDataContainer } from "../../objects/binary-app-data-container.js";
import { Portfolio } from "../../objects/portfolio.js";
import { createStoredObject, type StoredObjectOptions } from "../../objects/stored-object.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, type FailableStore } from "./doubles.js";

const Sensor = defineObject({
  id: 3303,
  name: "Temperature",
  version: "1.1",
  instances: "multiple",
  resources: {
    value: { id: 5700, operations: "R", type: "float", mandatory: true },
    reset: { id: 5605, operations: "E" },
    applicationType: { id: 5750, operations: "RW", type: "string", range: [0, 20] },
  },
});

async function create(
  options: Partial<StoredObjectOptions> = {},
  store: FailableStore = createFailableStore(),
) {
  const log = createRecordingLog();
  const object = await createStoredObject({ definition: Portfolio, store, log, ...options });
  const tree = new ObjectTree();
  tree.add(object);
  await tree.start();
  const changes: TreeChange[] = [];
  tree.onChange((change) => void changes.push(change));
  const write = (instance: number, resource: number, value: string) =>
    tree.write([object.definition.id, instance, resource], new Map([[resource, value]]), "replace");
  return { object, tree, changes, store, log, write };
}

const identities = new Map([
  [0, "host"],
  [1, "Acme"],
]);

describe("instances of Servers", () => {
  test("are created, written, deleted, and are the same after a restart", async () => {
    const before = await create({ serversCreate: true });
    await before.tree.create([16], new Map([[MAX_ID, new Map([[0, identities]])]]));
    await before.tree.create([16], new Map([[7, new Map([[0, new Map([[0, "other"]])]])]]));
    await before.tree.write([16, 0, 0, 1], new Map([[0, new Map([[1, "Ajax"]])]]), "replace");
    await before.tree.delete(16, 7);

    const after = await create({ serversCreate: true }, before.store);

    expect(after.tree.instanceIds(16)).toEqual([0]);
    expect(await after.tree.read([16, 0])).toEqual(
      new Map([
        [
          0,
          new Map([
            [
              0,
              new Map([
                [0, "host"],
                [1, "Ajax"],
              ]),
            ],
          ]),
        ],
      ]),
    );
  });

  test("hold bytes and 64 bits exactly over a restart", async () => {
    const options = { definition: BinaryAppDataContainer, serversCreate: true };
    const data = new Map([[3, Uint8Array.of(0, 0xff, 0x80)]]);
    const before = await create(options);
    const content = new Map<number, typeof data | number>([
      [0, data],
      [2, 1_700_000_000],
      [5, 65535],
    ]);
    await before.tree.create([19], new Map([[1, content]]));

    const after = await create(options, before.store);

    expect(await after.tree.read([19, 1])).toEqual(new Map([[1, content]]));
  });

  test("are refused when the record cannot be written, and are not there then", async () => {
    const { tree, store, write } = await create({ serversCreate: true, definition: Sensor });
    store.fail = new Error("disk full");
    await expect(tree.create([3303], new Map([[0, new Map()]]))).rejects.toThrow("disk full");
    expect(tree.instanceIds(3303)).toEqual([]);
    store.fail = undefined;
    await tree.create([3303], new Map([[0, new Map([[5750, "old"]])]]));
    store.fail = new Error("disk full");
    await expect(write(0, 5750, "new")).rejects.toThrow("disk full");
    expect(await tree.read([3303, 0, 5750])).toEqual(new Map([[0, new Map([[5750, "old"]])]]));
  });

  test("do not grow without end, in number or in size", async () => {
    const { tree, write } = await create({
      definition: Sensor,
      serversCreate: true,
      maxInstances: 2,
      maxBytes: 100,
    });
    await tree.create([3303], new Map([[0, new Map()]]));
    await tree.create([3303], new Map([[1, new Map()]]));
    await expect(tree.create([3303], new Map([[2, new Map()]]))).rejects.toMatchObject({ code: "5.00" });
    await write(0, 5750, "12345678901234567890");
    await expect(write(1, 5750, "12345678901234567890")).rejects.toMatchObject({ code: "5.00" });
    expect(await tree.read([3303, 1])).toEqual(new Map([[1, new Map()]]));
  });

  test("start anew when the record is damaged", async () => {
    const store = createFailableStore([
      ["object-16", new TextEncoder().encode('{"version":1,"content":[{"id":1}]}')],
    ]);
    const { tree, log } = await create({ serversCreate: true }, store);
    expect(tree.instanceIds(16)).toEqual([]);
    expect(log.lines.map(({ event }) => event)).toContain("record unreadable");
  });

  test("are not created or deleted unless the program allows it", async () => {
    const { tree, object } = await create({ definition: Sensor });
    expect(tree.canCreate(3303)).toBe(false);
    expect(tree.canDelete(3303)).toBe(false);
    const heard: unknown[] = [];
    object.onCreate((id, values) => {
      if (id === 13) throw new RequestError("4.01", "not that one");
      heard.push(id, values);
    });
    object.onDelete((id) => void heard.push(id));
    await tree.create([3303], new Map([[4, new Map([[5750, "cellar"]])]]));
    await expect(tree.create([3303], new Map([[13, new Map()]]))).rejects.toMatchObject({ code: "4.01" });
    await tree.delete(3303, 4);
    expect(heard).toEqual([4, { 5750: "cellar" }, 4]);
  });
});

describe("what the program feeds", () => {
  test("is read, and told when it changes", async () => {
    const { object, tree, changes } = await create({ definition: Sensor });
    object.createInstance(2, { 5700: 20 });
    object.set(2, 5700, 20);
    object.set(2, 5700, 21.5);
    expect(object.get(2, 5700)).toBe(21.5);
    expect(await tree.read([3303, 2, 5700])).toEqual(new Map([[2, new Map([[5700, 21.5]])]]));
    expect(changes).toEqual([
      { kind: "instances", objectId: 3303 },
      { kind: "values", paths: [[3303, 2, 5700]] },
    ]);
    object.set(2, 5700, undefined);
    await expect((async () => tree.read([3303, 2, 5700]))()).rejects.toMatchObject({ code: "4.04" });
    object.deleteInstance(2);
    object.deleteInstance(2);
    expect(tree.instanceIds(3303)).toEqual([]);
  });

  test("is there when the tree starts, though it came after the Object was added", async () => {
    const object = await createStoredObject({
      definition: Sensor,
      store: createFailableStore(),
      log: createRecordingLog(),
    });
    const tree = new ObjectTree();
    tree.add(object);
    object.createInstance(0, { 5700: 1 });
    await tree.start();
    expect(tree.instanceIds(3303)).toEqual([0]);
  });

  test("is not kept over a restart, but what a Server wrote to it is", async () => {
    const before = await create({ definition: Sensor });
    before.object.createInstance(0, { 5700: 20, 5750: "as shipped" });
    await before.write(0, 5750, "kitchen");

    const after = await create({ definition: Sensor }, before.store);
    expect(after.tree.instanceIds(3303)).toEqual([]);
    after.object.createInstance(0, { 5750: "as shipped" });

    expect(after.object.get(0, 5750)).toBe("kitchen");
    expect(after.object.get(0, 5700)).toBeUndefined();
  });

  test.each<[string, (object: Awaited<ReturnType<typeof create>>["object"]) => void, string]>([
    [
      "a Resource that is not there",
      (o) => o.set(0, 5701, 1),
      "Temperature has no Resource 5701; it has 5700, 5605, 5750",
    ],
    ["an instance that is not there", (o) => o.set(9, 5700, 1), "/3303/9 does not exist"],
    ["another type", (o) => o.set(0, 5700, "warm"), "/3303: value takes float, not warm"],
    ["an instance that exists", (o) => o.createInstance(0), "/3303/0 exists already"],
    [
      "a write of what is read only",
      (o) => o.onWrite(5700, () => undefined),
      "value cannot be written by Servers",
    ],
    ["an Execute of a value", (o) => o.onExecute(5700, () => undefined), "value cannot be executed"],
  ])("is refused with a reason: %s", async (_what, mistake, reason) => {
    const { object } = await create({ definition: Sensor });
    object.createInstance(0);
    expect(() => mistake(object)).toThrow(reason);
  });
});

describe("listeners", () => {
  test("hear a Write before it counts, and may refuse it", async () => {
    const { object, write } = await create({ definition: Sensor });
    object.createInstance(0, { 5750: "old" });
    object.onWrite(5750, (id, value) => {
      if (value === "bad") throw new RequestError("4.00", "no");
      expect([id, value, object.get(0, 5750)]).toEqual([0, "good", "old"]);
    });
    await expect(write(0, 5750, "bad")).rejects.toMatchObject({ code: "4.00" });
    expect(object.get(0, 5750)).toBe("old");
    await write(0, 5750, "good");
    expect(object.get(0, 5750)).toBe("good");
  });

  test("carry out an Execute; without one the Resource is not there", async () => {
    const { object, tree } = await create({ definition: Sensor });
    object.createInstance(0);
    expect(tree.resource(3303, 0, 5605)).toBeUndefined();
    const heard: unknown[] = [];
    object.onExecute(5605, (id, args) => void heard.push(id, [...args]));
    await tree.execute([3303, 0, 5605], new Map([[0, "all"]]));
    expect(heard).toEqual([0, [[0, "all"]]]);
  });

  test("an Execute that must be there and that nobody carries out answers 4.05", async () => {
    const definition = {
      ...Sensor,
      resources: { reset: { ...Sensor.resources.reset, mandatory: true as const } },
    };
    const { object, tree } = await create({ definition });
    object.createInstance(0);
    await expect(tree.execute([3303, 0, 5605], new Map())).rejects.toMatchObject({ code: "4.05" });
  });
});
