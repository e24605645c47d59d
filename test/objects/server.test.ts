import { describe, expect, test } from "vitest";
import { ConfigError } from "../../agent/model/errors.js";
import { createServerObject, type ServerAccount, type ServerOptions } from "../../objects/server.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, type FailableStore, tested } from "./doubles.js";

function create({
  servers = [{ shortServerId: 101, lifetime: 300 }],
  store = createFailableStore(),
  ...rest
}: Partial<ServerOptions> & { servers?: readonly ServerAccount[]; store?: FailableStore } = {}) {
  const orders: string[] = [];
  const log = createRecordingLog();
  const object = createServerObject({
    store,
    log,
    servers,
    on: {
      disable: (id, seconds) => void orders.push(`disable ${id} for ${seconds}`),
      updateTrigger: (id) => void orders.push(`update ${id}`),
    },
    ...rest,
  });
  return { object, orders, store, log, ...tested(object) };
}

describe("settings", () => {
  test("are the defaults of the specification where an account says nothing", () => {
    expect(create().object.settings(101)).toEqual({
      shortServerId: 101,
      lifetimeSeconds: 300,
      binding: "U",
      notificationStoring: true,
      defaultMinimumPeriodSeconds: 0,
      defaultMaximumPeriodSeconds: undefined,
      disableTimeoutSeconds: 86400,
      priorityOrder: undefined,
      initialDelaySeconds: 0,
      failureBlock: false,
      bootstrapOnFailure: true,
      retryCount: 5,
      retryTimerSeconds: 60,
      sequenceDelaySeconds: 86400,
      sequenceRetryCount: 1,
      muteSend: true,
    });
  });

  test("know that a Default Maximum Period of 0 is none, and that the largest delay means never", () => {
    const servers = [
      { shortServerId: 7, lifetime: 1, defaultMaximumPeriod: 0, sequenceDelayTimer: 4294967295 },
    ];
    const settings = create({ servers }).object.settings(7);
    expect(settings.defaultMaximumPeriodSeconds).toBeUndefined();
    expect(settings.sequenceDelaySeconds).toBeUndefined();
  });

  test("of an unknown server do not exist", () => {
    expect(() => create().object.settings(5)).toThrow("Short Server ID 5");
  });
});

describe("a Server", () => {
  test("reads only Resources that have a value", async () => {
    const { read } = create();
    expect(await read("shortServerId")).toBe(101);
    expect(await read("notificationStoring")).toBe(true);
    expect(await read("defaultMinimumPeriod")).toBeUndefined();
    expect(await read("retryCount")).toBeUndefined();
  });

  test("changes its settings, and they survive a restart", async () => {
    const before = create();
    await before.start();
    await before.write("lifetime", 60);
    await before.write("defaultMinimumPeriod", 5);
    await before.write("notificationStoring", false);
    await before.write("muteSend", false);
    await before.write("apnLink", { objectId: 11, objectInstanceId: 0 });

    const after = create({ store: before.store });
    await after.start();

    expect(after.object.settings(101)).toMatchObject({
      lifetimeSeconds: 60,
      defaultMinimumPeriodSeconds: 5,
      notificationStoring: false,
      muteSend: false,
    });
    expect(await after.read("apnLink")).toEqual({ objectId: 11, objectInstanceId: 0 });
  });

  test("takes a Resource away that the operator had set, and it stays away", async () => {
    const servers = [{ shortServerId: 101, lifetime: 300, retryCount: 9 }];
    const before = create({ servers });
    await before.remove("retryCount");

    const after = create({ servers, store: before.store });
    await after.start();

    expect(await after.read("retryCount")).toBeUndefined();
    expect(after.object.settings(101).retryCount).toBe(5);
  });

  test("changes its own account only", async () => {
    const servers = [
      { shortServerId: 101, lifetime: 300 },
      { shortServerId: 102, lifetime: 300 },
    ];
    const { object, write } = create({ servers });
    await write("lifetime", 60, 1);
    expect(object.settings(101).lifetimeSeconds).toBe(300);
    expect(object.settings(102).lifetimeSeconds).toBe(60);
  });

  test.each(["", "Q", "UU", "u", "UX", "U T"])("cannot write the binding %j", async (binding) => {
    const { write, read } = create();
    await expect(write("binding", binding)).rejects.toMatchObject({ code: "4.00" });
    expect(await read("binding")).toBe("U");
  });

  test.each(["U", "UQ", "UT", "T"])("writes the binding %j", async (binding) => {
    const { write, read } = create();
    await write("binding", binding);
    expect(await read("binding")).toBe(binding);
  });

  test("gets no confirmation for a value that is not durable", async () => {
    const { object, write, store } = create();
    store.fail = new Error("disk full");
    await expect(write("lifetime", 60)).rejects.toThrow("disk full");
    expect(object.settings(101).lifetimeSeconds).toBe(300);
  });

  test("disables itself after the answer, for the time it set", async () => {
    const { write, executeUnanswered, orders } = create();
    await write("disableTimeout", 120);

    const answer = await executeUnanswered("disable");
    expect(orders).toEqual([]);
    answer();

    expect(orders).toEqual(["disable 101 for 120"]);
  });

  test("triggers an Update after the answer", async () => {
    const { executeUnanswered, orders } = create();
    const answer = await executeUnanswered("registrationUpdateTrigger");
    expect(orders).toEqual([]);
    answer();
    expect(orders).toEqual(["update 101"]);
  });
});

test("the bootstrap trigger is there only with a Bootstrap-Server account", async () => {
  expect(create().object.instances.get(0)?.["bootstrapRequestTrigger"]).toBeUndefined();

  const orders: string[] = [];
  const on = {
    disable: () => {},
    updateTrigger: () => {},
    bootstrapTrigger: (id: number) => void orders.push(`bootstrap ${id}`),
  };
  await create({ on }).execute("bootstrapRequestTrigger");
  expect(orders).toEqual(["bootstrap 101"]);
});

test("a damaged record leaves the operator's values and a line in the log", async () => {
  const store = createFailableStore([
    ["server-101", new TextEncoder().encode('{"version":1,"content":{"lifetime":"soon"}}')],
  ]);
  const { object, start, log } = create({ store });

  await start();

  expect(object.settings(101).lifetimeSeconds).toBe(300);
  expect(log.lines).toMatchObject([{ level: "warn", fields: { record: "server-101" } }]);
});

test("two servers with one Short Server ID are refused", () => {
  const servers = [
    { shortServerId: 101, lifetime: 300 },
    { shortServerId: 101, lifetime: 60 },
  ];
  expect(() => create({ servers })).toThrow(ConfigError);
});
