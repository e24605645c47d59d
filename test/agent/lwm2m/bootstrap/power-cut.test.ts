/** The power goes at any step of a bootstrap, or the disk fails there: what the device is left with. */
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { type Store, seconds } from "../../../../agent/ports.js";
import { createStoredObject } from "../../../../objects/stored-object.js";
import { createFileStore } from "../../../../platform/files/store.js";
import { createFailableStore } from "../../../objects/doubles.js";
import { temporaryDirectory } from "../../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createMemoryStore } from "../../../simulated/store.js";
import { createCuttableStore, createFaultyDisk } from "./faulty-store.js";
import {
  type BootstrapWorld,
  createBootstrapWorld,
  Folder,
  instance,
  securityOf,
  serverOf,
} from "./world.js";

const factory = {
  servers: [
    { uri: "coap://old.example", shortServerId: 7, lifetime: 300 },
    { uri: "coap://other.example", shortServerId: 8, lifetime: 300 },
  ],
  bootstrapServer: { uri: "coap://bootstrap.example:5783" },
  accessControl: [{ objectId: 16, objectInstanceId: 2, owner: 7, acl: { 7: 15 } }],
};

/** A device as it comes up: with what its store has, or as from the factory. */
async function switchOn(store: Store): Promise<BootstrapWorld> {
  const log = createRecordingLog();
  const folders = await createStoredObject({ definition: Folder, store, log, serversCreate: true });
  return createBootstrapWorld({ factory, store, objects: [folders] });
}

const identity = (...names: readonly string[]) => instance([0, new Map(names.entries())]);

/** Three folders that Servers made: what a bootstrap keeps, overwrites and deletes. */
async function used(store: Store): Promise<void> {
  const { tree } = await switchOn(store);
  for (const id of [0, 1, 2]) await tree.create([16], new Map([[id, identity(`old ${id}`)]]));
}

/** All of a bootstrap but its Finish: it changes each Object of the accounts, and creates, writes and deletes folders. */
async function stage(world: BootstrapWorld): Promise<void> {
  await world.start();
  const codes = [
    await world.delete(0),
    await world.delete(1),
    await world.write(
      [0],
      new Map([
        [5, securityOf(101)],
        [6, securityOf(102)],
      ]),
    ),
    await world.write(
      [1],
      new Map([
        [5, serverOf(101)],
        [6, serverOf(102)],
      ]),
    ),
    await world.write([2, 9], new Map([[9, instance([0, 3], [1, 0], [2, new Map([[0, 1]])], [3, 65535])]])),
    await world.write([16, 1], new Map([[1, identity("new 1")]])),
    await world.write([16, 3], new Map([[3, identity("new 3")]])),
  ];
  expect(codes).toEqual(["2.02", "2.02", "2.04", "2.04", "2.04", "2.04", "2.04"]);
}

async function bootstrap(world: BootstrapWorld): Promise<string> {
  await stage(world);
  return world.finish();
}

async function bootstrapAccounts(world: BootstrapWorld): Promise<string> {
  await world.start();
  await world.write([0], new Map([[5, securityOf(101)]]));
  await world.write([1], new Map([[5, serverOf(101)]]));
  return world.finish();
}

const accountsOf = ({ accountStore }: BootstrapWorld) => accountStore.content;
const foldersOf = ({ tree }: BootstrapWorld) => tree.read([16]);

/** The accounts before a bootstrap and after it, and the folders after it. */
async function outcomes() {
  const store = createMemoryStore();
  await used(store);
  const world = await switchOn(store);
  const before = accountsOf(world);
  expect(await bootstrap(world)).toBe("2.04");
  const restarted = await switchOn(store);
  expect(accountsOf(restarted)).toEqual(accountsOf(world));
  expect(accountsOf(restarted)).not.toEqual(before);
  return { before, after: accountsOf(world), folders: await foldersOf(restarted) };
}

describe("a device that loses power amid a bootstrap", () => {
  /** @param moments when: each write of a record has one before it is durable and one after */
  async function interrupted(...moments: readonly number[]) {
    const memory = createMemoryStore();
    await used(memory);
    const lives: BootstrapWorld[] = [];
    let seen = 0;
    for (const moment of moments) {
      const store = createCuttableStore(memory, moment);
      const world = await switchOn(store);
      await Promise.race([bootstrap(world), store.cut]);
      lives.push(await switchOn(memory));
      seen = store.moments;
    }
    return { memory, lives, moments: seen };
  }

  test("has its old accounts or its new ones, each of them whole, and bootstraps as if nothing had been", async () => {
    const { before, after, folders } = await outcomes();
    const { moments } = await interrupted(Number.POSITIVE_INFINITY);
    expect(moments).toBeGreaterThanOrEqual(8); // two folders, the accounts, and a folder that goes
    const kept: ("old" | "new")[] = [];
    for (let moment = 0; moment < moments; moment++) {
      const { memory, lives } = await interrupted(moment);
      for (const world of lives) {
        expect([before, after]).toContainEqual(accountsOf(world));
        const isNew = isDeepStrictEqual(accountsOf(world), after);
        if (isNew) expect(await foldersOf(world)).toEqual(folders);
        kept.push(isNew ? "new" : "old");
      }
      const again = await switchOn(memory);
      expect(await bootstrap(again)).toBe("2.04");
      const restarted = await switchOn(memory);
      expect(accountsOf(restarted)).toEqual(after);
      expect(await foldersOf(restarted)).toEqual(folders);
    }
    expect(kept.join(" ")).toMatch(/^(old )+new( new)+$/); // there is one moment at which it happens
  });

  test("twice has one or the other all the same", async () => {
    const { before, after } = await outcomes();
    const { moments } = await interrupted(Number.POSITIVE_INFINITY);
    for (let first = 0; first < moments; first++) {
      for (let second = 0; second < moments; second++) {
        const { lives } = await interrupted(first, second);
        for (const world of lives) expect([before, after]).toContainEqual(accountsOf(world));
      }
    }
  });
});

describe("a disk that fails", () => {
  const disks = [
    ["full", "ENOSPC", "no space left on the device (ENOSPC)"],
    ["read-only", "EROFS", "the file system is read-only (EROFS)"],
  ] as const;

  test.each(disks)(
    "(%s) at the Bootstrap-Finish leaves the old accounts, and one line for the operator",
    async (_, code, words) => {
      const directory = temporaryDirectory();
      const disk = createFaultyDisk();
      const world = await createBootstrapWorld({
        factory,
        store: createFileStore(directory, disk),
        objects: [],
      });
      const before = accountsOf(world);
      await world.start();
      await world.write([0], new Map([[5, securityOf(101)]]));
      await world.write([1], new Map([[5, serverOf(101)]]));
      world.log.lines.length = 0;
      disk.code = code;

      expect(await world.finish()).toBe("5.00");
      expect(world.log.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([
        {
          level: "error",
          event: "bootstrap failed",
          fields: {
            reason: `cannot write the record ${directory}/accounts: ${words}`,
            advice: "make room in the state directory and make it writable; the old accounts stay",
            next: "open",
          },
        },
      ]);
      expect(accountsOf(world)).toBe(before);
      expect(world.tree.instanceIds(1)).toEqual([0, 1]);

      disk.code = undefined;
      expect(await world.finish()).toBe("2.04");
      expect(world.accounts.server(101)).toBeDefined();
    },
  );

  test("before the Bootstrap-Request is no obstacle, and leaves the accounts to the Servers afterwards", async () => {
    const store = createFailableStore();
    const world = await createBootstrapWorld({ factory, store, objects: [] });
    const before = accountsOf(world);
    store.fail = new Error("the file system is read-only");
    expect(await bootstrapAccounts(world)).toBe("5.00");
    world.stopping.abort();
    await world.clock.advance(seconds(0));
    expect(accountsOf(world)).toBe(before);

    store.fail = undefined;
    await world.accountStore.write([1, 0, 1], 60);
    expect(world.accounts.server(7)?.settings().lifetimeSeconds).toBe(60);
  });

  test("at any write leaves the old accounts, and the same Finish does it all once there is room", async () => {
    const { before, after, folders } = await outcomes();
    let failing = 0;
    for (; ; failing++) {
      const store = createFailableStore();
      await used(store);
      const world = await switchOn(store);
      await stage(world);
      store.failFrom(failing, new Error("the disk is full"));
      const code = await world.finish();
      if (code === "2.04") break;
      expect(code).toBe("5.00");
      expect(accountsOf(world)).toEqual(before);
      expect(accountsOf(await switchOn(createMemoryStore(store.records)))).toEqual(before);

      store.fail = undefined;
      expect(await world.finish()).toBe("2.04");
      const restarted = await switchOn(createMemoryStore(store.records));
      expect(accountsOf(restarted)).toEqual(after);
      expect(await foldersOf(restarted)).toEqual(folders);
    }
    expect(failing).toBe(3); // two folders and the accounts; a deletion that fails is for the log
  });
});
