import { describe, expect, test } from "vitest";
import { ObjectTree, type TreeChange } from "../../agent/lwm2m/object-tree.js";
import { RequestError } from "../../agent/model/errors.js";
import { MAX_ID, type ResourcePath } from "../../agent/model/path.js";
import type { ResourceContent } from "../../agent/model/value.js";
import type { VirtualObserveRequest, VirtualObserving } from "../../agent/model/virtual-observe.js";
import { createVirtualObserve } from "../../objects/virtual-observe.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, type FailableStore } from "./doubles.js";

/** What a Server sees of the Object, and what it asks of the engine: links with `bad` are refused. */
async function create(store: FailableStore = createFailableStore()) {
  const running = new Set<{ request: VirtualObserveRequest; reported: () => void; text: string }>();
  const refuseBad = (links: readonly string[]) => {
    if (links.some((link) => link.includes("bad"))) throw new RequestError("4.00", "a bad link");
  };
  const bytes = (text: string) => new TextEncoder().encode(text);
  const observing: VirtualObserving = {
    checkObserveLinks: refuseBad,
    checkReportLinks: refuseBad,
    checkFormat: (format) => {
      if (format !== 112) throw new RequestError("4.00", "no such format");
    },
    empty: (format) => bytes(`${format} none`),
    observe: (request, reported) => {
      refuseBad(request.observeLinks);
      const one = { request, reported, text: "made" };
      running.add(one);
      return {
        report: (format) => bytes(`${format} ${one.text}`),
        stop: () => void running.delete(one),
      };
    },
  };
  const log = createRecordingLog();
  const tree = new ObjectTree();
  tree.add(await createVirtualObserve({ observing: () => observing, store, log }));
  const changes: TreeChange[] = [];
  tree.onChange((change) => void changes.push(change));
  await tree.start();
  const createInstance = (resources: readonly (readonly [number, ResourceContent])[], id = MAX_ID) =>
    tree.create([22], new Map([[id, new Map(resources)]]));
  const write = (resource: number, value: ResourceContent) =>
    tree.write([22, 0], new Map([[resource, value]]), "partial");
  const read = async (...path: ResourcePath) => {
    const content = await tree.read(path);
    const value = content.get(path[1])?.get(path[2]);
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  };
  const requests = () => [...running].map(({ request }) => request);
  return { tree, store, log, changes, running, requests, createInstance, write, read };
}

const links = (...texts: string[]): ResourceContent => new Map(texts.map((text, index) => [index, text]));

describe("an instance", () => {
  test("observes what it is created with: OR, everything, and what is observed", async () => {
    const { createInstance, requests, read } = await create();
    await createInstance([[0, links("</3/0/9>;lt=50")]]);
    expect(requests()).toEqual([
      { observeLinks: ["</3/0/9>;lt=50"], reportLinks: [], onlyChanged: false, relation: "any" },
    ]);
    expect(await read(22, 0, 1)).toBe("110 made");
    expect(await read(22, 0, 6)).toBe("110 made");
    await expect(read(22, 0, 5)).rejects.toMatchObject({ code: "4.04" });
  });

  test("observes anew with what is written", async () => {
    const { createInstance, write, requests } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    await write(2, true);
    await write(3, links("</6/0/0>", "</6/0/1>"));
    await write(4, 1);
    await write(0, links("</3/0/9>;lt=20"));
    expect(requests()).toEqual([
      {
        observeLinks: ["</3/0/9>;lt=20"],
        reportLinks: ["</6/0/0>", "</6/0/1>"],
        onlyChanged: true,
        relation: "all",
      },
    ]);
  });

  test("stops at an empty string, and with it its report goes", async () => {
    const { createInstance, write, running, read } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    await write(0, links(""));
    expect(running.size).toBe(0);
    expect(await read(22, 0, 1)).toBe("110 none");
  });

  test("stops when it is deleted, and does not come back", async () => {
    const { createInstance, tree, running, store } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    await tree.delete(22, 0);
    expect(running.size).toBe(0);
    expect((await create(store)).tree.instanceIds(22)).toEqual([]);
  });

  test("says that both its reports are new", async () => {
    const { createInstance, changes, running } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    changes.length = 0;
    for (const { reported } of running) reported();
    expect(changes).toEqual([
      {
        kind: "values",
        paths: [
          [22, 0, 1],
          [22, 0, 6],
        ],
      },
    ]);
  });

  test("writes one of its reports in the format that is asked for, and goes on observing", async () => {
    const { createInstance, write, read, running } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    const [before] = running;
    await write(5, 112);
    expect(await read(22, 0, 6)).toBe("112 made");
    expect(await read(22, 0, 1)).toBe("110 made");
    expect([...running]).toEqual([before]);
    await expect(write(5, 0)).rejects.toMatchObject({ code: "4.00" });
  });
});

describe("what is refused", () => {
  test("is bad links, and nothing of such a request is applied", async () => {
    const { createInstance, tree, requests, read } = await create();
    await expect(createInstance([[0, links("bad")]])).rejects.toMatchObject({ code: "4.00" });
    await expect(createInstance([[0, links("</3/0/9>")], [3, links("bad")]])).rejects.toMatchObject({ code: "4.00" }); // biome-ignore format: one case a line
    expect(tree.instanceIds(22)).toEqual([]);
    await createInstance([[0, links("</3/0/9>")]]);
    const both = new Map<number, ResourceContent>([
      [2, true],
      [3, links("bad")],
    ]);
    await expect(tree.write([22, 0], both, "partial")).rejects.toMatchObject({ code: "4.00" });
    await expect(read(22, 0, 2)).rejects.toMatchObject({ code: "4.04" });
    expect(requests()).toMatchObject([{ onlyChanged: false }]);
  });

  test("is an instance without links", async () => {
    const { createInstance } = await create();
    await expect(createInstance([[2, true]])).rejects.toMatchObject({ code: "4.00" });
  });

  test("is a seventeenth instance", async () => {
    const { createInstance, tree } = await create();
    for (let id = 0; id < 16; id++) await createInstance([[0, links("")]]);
    await expect(createInstance([[0, links("")]])).rejects.toMatchObject({ code: "5.00" });
    expect(tree.instanceIds(22)).toHaveLength(16);
  });

  test("is what the disk does not take", async () => {
    const { createInstance, write, store, requests } = await create();
    await createInstance([[0, links("</3/0/9>")]]);
    store.fail = new Error("the disk is full");
    await expect(write(4, 1)).rejects.toThrow("the disk is full");
    expect(requests()).toMatchObject([{ relation: "any" }]);
  });
});

describe("after a restart", () => {
  test("instances observe as before", async () => {
    const before = await create();
    await before.createInstance([[0, links("</3/0/9>")]], 7);
    await before.tree.write([22, 7], new Map<number, ResourceContent>([[2, true], [4, 1]]), "partial"); // biome-ignore format: short
    const requests = before.requests();
    await before.tree.close();
    expect(before.running.size).toBe(0);

    const after = await create(before.store);
    expect(after.tree.instanceIds(22)).toEqual([7]);
    expect(after.requests()).toEqual(requests);
  });

  test("links that are good no more are a line in the log, and the instance stays to be corrected", async () => {
    const { store } = await create();
    const before = await create(store);
    await before.createInstance([[0, links("</3/0/9>;was")]]);
    const bytes = await store.read("virtual-observe");
    await store.write(
      "virtual-observe",
      new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll("was", "bad")),
    );
    const after = await create(store);
    expect(after.running.size).toBe(0);
    expect(after.log.lines.some(({ event }) => event === "links cannot be observed")).toBe(true);
    await after.write(0, links("</3/0/9>"));
    expect(after.running.size).toBe(1);
  });
});
