import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readBlame, takeBlame } from "../../../agent/service/plugin-blame.js";
import { createFileStore } from "../../../platform/files/store.js";
import { openMarker, type PluginActivity, readMarker } from "../../../platform/plugins/marker.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../simulated/log.js";

async function device() {
  const directory = temporaryDirectory();
  const [first, second, marker, state] = ["first.mjs", "second.mjs", "marker", "state"].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  await writeFile(first, "");
  await writeFile(second, "");
  const log = createRecordingLog();
  const work = (file: string) => ({ plugin: file === first ? "first" : "second", callback: "a timer", file });
  return {
    first,
    second,
    log,
    state,
    work,
    /** One process: it reads what the one before left, and ends amid this. */
    async live(activity: Partial<PluginActivity> | "in order") {
      const blame = await takeBlame({
        store: createFileStore(state),
        log,
        marker,
        files: [first, second],
      });
      const open = openMarker(marker);
      if (activity === "in order") open.remove();
      else open.write({ inside: undefined, pending: [], ...activity });
      return blame;
    },
  };
}

test("three ends in a row leave a plugin out, until its file changes", async () => {
  const { first, second, work, live, log, state } = await device();
  for (let end = 0; end < 3; end++) {
    const blame = await live({ inside: work(first) });
    expect(blame.whyLeftOut(first)).toBeUndefined();
  }
  const last = await live("in order");
  expect(last.whyLeftOut(first)).toEqual({
    plugin: "first",
    reason: `the agent was ended in it 3 times in a row, in a timer; once it is corrected: touch ${first} && systemctl restart lwm2m-agent`,
  });
  expect(last.whyLeftOut(second)).toBeUndefined();
  expect(log.lines.map(({ event, fields }) => `${event} ${fields["plugin"]} ${fields["ends"]}`)).toEqual([
    "plugin ended the agent first 1",
    "plugin ended the agent first 2",
    "plugin ended the agent first 3",
  ]);
  expect((await live("in order")).whyLeftOut(first)).toBeDefined(); // good runs without it prove nothing
  expect((await readBlame(state, log)).whyLeftOut(first)).toBeDefined();
  await utimes(first, 1, 1);
  expect((await readBlame(state, log)).whyLeftOut(first)).toBeUndefined();
  expect((await live("in order")).whyLeftOut(first)).toBeUndefined();
});

test("a run that ends in order breaks the row", async () => {
  const { first, work, live } = await device();
  await live({ inside: work(first) });
  await live({ inside: work(first) });
  await live("in order");
  await live({ inside: work(first) });
  const blame = await live("in order");
  expect(blame.whyLeftOut(first)).toBeUndefined();
  expect(blame.lastEnd(first)).toBe("the agent was ended in it, in a timer (1 in a row)");
});

test("who has the thread is blamed, whoever waits; one that waits alone, too; of several that wait, none", async () => {
  const { first, second, work, live, log } = await device();
  await live({ inside: work(second), pending: [work(first)] });
  await live({ pending: [work(first)] });
  await live({ pending: [work(first), work(second)] });
  await live("in order");
  expect(log.lines.map(({ event, fields }) => [event, fields["plugin"] ?? fields["plugins"]])).toEqual([
    ["plugin ended the agent", "second"],
    ["plugin ended the agent", "first"],
    ["plugins were at work when the agent was ended", ["first: a timer", "second: a timer"]],
  ]);
});

test.each([
  ["nothing", ""],
  ["half of it", '{"inside":{"plu'],
  ["something else", "[1]"],
  ["wrong fields", '{"inside":{"plugin":1},"pending":7}'],
])("a marker that holds %s blames nobody", async (_what, content) => {
  const path = join(temporaryDirectory(), "marker");
  await writeFile(path, content);
  expect(readMarker(path)).toBeUndefined();
});

test("a marker holds the last that was written, however long the one before", () => {
  const path = join(temporaryDirectory(), "marker");
  const marker = openMarker(path);
  const long = { plugin: "p".repeat(60), callback: "c".repeat(60), file: "/f" };
  marker.write({ inside: long, pending: [long, long] });
  const short = { plugin: "p", callback: "c" };
  marker.write({ inside: undefined, pending: [short] });
  expect(readMarker(path)).toEqual({ inside: undefined, pending: [short] });
  marker.write({ inside: undefined, pending: [] });
  expect(readMarker(path)).toBeUndefined();
  marker.remove();
  marker.remove();
  marker.write({ inside: short, pending: [] });
  expect(readMarker(path)).toBeUndefined();
});
