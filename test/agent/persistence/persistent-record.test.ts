import { expect, test } from "vitest";
import { PersistentRecord } from "../../../agent/persistence/persistent-record.js";
import { integer, shape } from "../../../agent/persistence/record-format.js";
import { createFailableStore } from "../../objects/doubles.js";
import { createRecordingLog } from "../../simulated/log.js";

interface Count {
  readonly count: number;
}

function openRecord(store = createFailableStore(), log = createRecordingLog()) {
  const parse = shape({ count: integer(0, 100) });
  const record = new PersistentRecord<Count>({
    store,
    log,
    name: "count",
    version: 1,
    initial: { count: 0 },
    parse,
  });
  return { record, store, log };
}

test("a value survives a restart", async () => {
  const { record, store } = openRecord();
  await record.update(({ count }) => ({ count: count + 5 }));

  const next = openRecord(store).record;
  await next.load();

  expect(next.value).toEqual({ count: 5 });
});

test("changes at the same time do not overwrite each other", async () => {
  const { record } = openRecord();
  await Promise.all(Array.from({ length: 20 }, () => record.update(({ count }) => ({ count: count + 1 }))));
  expect(record.value).toEqual({ count: 20 });
});

test("a value that cannot be stored is refused, and nobody sees it", async () => {
  const { record, store } = openRecord();
  await record.update(() => ({ count: 1 }));
  store.fail = new Error("disk full");

  await expect(record.update(() => ({ count: 2 }))).rejects.toThrow("disk full");

  expect(record.value).toEqual({ count: 1 });
  store.fail = undefined;
  await record.update(({ count }) => ({ count: count + 1 }));
  expect(record.value).toEqual({ count: 2 });
});

test("a damaged record leaves the initial value and a line in the log", async () => {
  const store = createFailableStore([
    ["count", new TextEncoder().encode('{"version":1,"content":{"count":-')],
  ]);
  const { record, log } = openRecord(store);

  await record.load();

  expect(record.value).toEqual({ count: 0 });
  expect(log.lines).toMatchObject([
    { level: "warn", event: "record unreadable", fields: { record: "count" } },
  ]);
});
