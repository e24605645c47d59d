import { beforeEach, expect, test } from "vitest";
import { ObjectTree, type TreeChange } from "../../../agent/lwm2m/object-tree.js";
import { defineObject, type LiveObject, multipleInstances } from "../../../agent/model/definition.js";

const Probe = defineObject({
  id: 40001,
  name: "Probe",
  version: "1.0",
  instances: "multiple",
  resources: { value: { id: 0, operations: "R", type: "integer", mandatory: true } },
});

let live: LiveObject<typeof Probe>;
let tree: ObjectTree;
let watched: boolean[];
let changes: TreeChange[];

beforeEach(async () => {
  tree = new ObjectTree();
  watched = [];
  changes = [];
  tree.add(
    multipleInstances(Probe, {
      instances: new Map([[0, { value: { read: () => 7 } }]]),
      start: (object) => void (live = object),
      watched: (isWatched) => void watched.push(isWatched),
    }),
  );
  await tree.start();
  tree.onChange((change) => void changes.push(change));
});

test("an instance that comes without a Server is there, and is told", async () => {
  live.instanceAdded(3, { value: { read: () => 8 } });
  expect(tree.instanceIds(40001)).toEqual([0, 3]);
  expect(await tree.read([40001, 3, 0])).toEqual(new Map([[3, new Map([[0, 8]])]]));
  expect(changes).toEqual([{ kind: "instances", objectId: 40001 }]);
});

test("an instance that goes without a Server is told once", () => {
  live.instanceRemoved(0);
  live.instanceRemoved(0);
  expect(tree.instanceIds(40001)).toEqual([]);
  expect(changes).toEqual([{ kind: "instances", objectId: 40001 }]);
});

test("an Object hears of the first who looks on and of the last who ends", () => {
  const first = tree.watch(40001);
  const second = tree.watch(40001);
  first();
  first();
  expect(watched).toEqual([true]);
  second();
  expect(watched).toEqual([true, false]);
  tree.watch(4711)(); // an Object that is not there
  tree.watch(40001);
  expect(watched).toEqual([true, false, true]);
});
