import { describe, expect, test } from "vitest";
import { ConfigError } from "../../agent/model/errors.js";
import { createAccounts } from "../../objects/accounts/accounts.js";
import { factoryContent, type ServerAccountOptions } from "../../objects/accounts/factory.js";
import { openAccountStore } from "../../objects/accounts/store.js";
import { createServerObject } from "../../objects/server.js";
import { createSimulatedClock } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, tested } from "./doubles.js";

type Account = Omit<ServerAccountOptions, "uri">;

async function create({
  servers = [{ shortServerId: 101, lifetime: 300 }],
  store = createFailableStore(),
  canBootstrap = false,
}: {
  servers?: readonly Account[];
  store?: ReturnType<typeof createFailableStore>;
  canBootstrap?: boolean;
} = {}) {
  const orders: string[] = [];
  const log = createRecordingLog();
  const factory = factoryContent({
    servers: servers.map((one) => ({ ...one, uri: "coap://server.example" })),
  });
  const accountStore = await openAccountStore({ store, log, clock: createSimulatedClock(), factory });
  const object = createServerObject(accountStore, {
    disable: (id) => void orders.push(`disable ${id}`),
    updateTrigger: (id) => void orders.push(`update ${id}`),
    bootstrapTrigger: (id) => void orders.push(`bootstrap ${id}`),
    canBootstrap: () => canBootstrap,
  });
  const settings = (id: number) => createAccounts(accountStore).server(id)?.settings();
  return { settings, orders, store, log, ...tested(object) };
}

describe("settings", () => {
  test("are the defaults of the specification where an account says nothing", async () => {
    expect((await create()).settings(101)).toEqual({
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
      preferredTransport: undefined,
      muteSend: true,
      supportedVersions: [],
      confirmableByDefault: false,
    });
  });

  test("know that a Default Maximum Period of 0 is none, and that the largest delay means never", async () => {
    const servers = [
      { shortServerId: 7, lifetime: 1, defaultMaximumPeriod: 0, sequenceDelayTimer: 4294967295 },
    ];
    const settings = (await create({ servers })).settings(7);
    expect(settings).toMatchObject({
      defaultMaximumPeriodSeconds: undefined,
      sequenceDelaySeconds: undefined,
    });
  });

  test("tell what a Server of version 1.2 prefers", async () => {
    const servers = [
      {
        shortServerId: 7,
        lifetime: 1,
        preferredTransport: "T",
        supportedServerVersions: ["1.1", "1.2.1"],
        defaultNotificationMode: 1,
      },
    ];
    expect((await create({ servers })).settings(7)).toMatchObject({
      preferredTransport: "T",
      supportedVersions: ["1.1", "1.2.1"],
      confirmableByDefault: true,
    });
  });

  test("of an unknown server do not exist", async () => {
    expect((await create()).settings(5)).toBeUndefined();
  });
});

describe("a Server", () => {
  test("reads only Resources that have a value", async () => {
    const { read } = await create();
    expect(await read("shortServerId")).toBe(101);
    expect(await read("notificationStoring")).toBe(true);
    expect(await read("defaultMinimumPeriod")).toBeUndefined();
    expect(await read("retryCount")).toBeUndefined();
  });

  test("changes its settings, and they survive a restart", async () => {
    const before = await create();
    await before.start();
    await before.write("lifetime", 60);
    await before.write("defaultMinimumPeriod", 5);
    await before.write("notificationStoring", false);
    await before.write("muteSend", false);
    await before.write("apnLink", { objectId: 11, objectInstanceId: 0 });

    const after = await create({ store: before.store });
    await after.start();

    expect(after.settings(101)).toMatchObject({
      lifetimeSeconds: 60,
      defaultMinimumPeriodSeconds: 5,
      notificationStoring: false,
      muteSend: false,
    });
    expect(await after.read("apnLink")).toEqual({ objectId: 11, objectInstanceId: 0 });
  });

  test("takes a Resource away that the operator had set, and it stays away", async () => {
    const servers = [{ shortServerId: 101, lifetime: 300, retryCount: 9 }];
    const before = await create({ servers });
    await before.remove("retryCount");

    const after = await create({ servers, store: before.store });
    await after.start();

    expect(await after.read("retryCount")).toBeUndefined();
    expect(after.settings(101)?.retryCount).toBe(5);
  });

  test("changes its own account only", async () => {
    const servers = [
      { shortServerId: 101, lifetime: 300 },
      { shortServerId: 102, lifetime: 300 },
    ];
    const { settings, write } = await create({ servers });
    await write("lifetime", 60, 1);
    expect(settings(101)?.lifetimeSeconds).toBe(300);
    expect(settings(102)?.lifetimeSeconds).toBe(60);
  });

  test.each(["", "Q", "UU", "u", "UX", "U T"])("cannot write the binding %j", async (binding) => {
    const { write, read } = await create();
    await expect(write("binding", binding)).rejects.toMatchObject({ code: "4.00" });
    expect(await read("binding")).toBe("U");
  });

  test.each(["U", "UQ", "UT", "T"])("writes the binding %j", async (binding) => {
    const { write, read } = await create();
    await write("binding", binding);
    expect(await read("binding")).toBe(binding);
  });

  test("gets no confirmation for a value that is not durable", async () => {
    const { settings, write, store } = await create();
    store.fail = new Error("disk full");
    await expect(write("lifetime", 60)).rejects.toThrow("disk full");
    expect(settings(101)?.lifetimeSeconds).toBe(300);
  });

  test("disables itself after the answer", async () => {
    const { executeUnanswered, orders } = await create();
    const answer = await executeUnanswered("disable");
    expect(orders).toEqual([]);
    answer();

    expect(orders).toEqual(["disable 101"]);
  });

  test("triggers an Update after the answer", async () => {
    const { executeUnanswered, orders } = await create();
    const answer = await executeUnanswered("registrationUpdateTrigger");
    expect(orders).toEqual([]);
    answer();
    expect(orders).toEqual(["update 101"]);
  });
});

describe("a Bootstrap-Request Trigger", () => {
  test("is carried out after the answer", async () => {
    const { executeUnanswered, orders } = await create({ canBootstrap: true });
    const answer = await executeUnanswered("bootstrapRequestTrigger");
    expect(orders).toEqual([]);
    answer();
    expect(orders).toEqual(["bootstrap 101"]);
  });

  test("is refused without a Bootstrap-Server account", async () => {
    const { execute, orders } = await create();
    await expect(execute("bootstrapRequestTrigger")).rejects.toMatchObject({ code: "4.05" });
    expect(orders).toEqual([]);
  });
});

test("a damaged record leaves the operator's values and a line in the log", async () => {
  const record = new TextEncoder().encode(
    '{"version":1,"content":{"content":[[1,[[0,[[1,"soon"]]]]]],"factory":[]}}',
  );
  const { settings, log } = await create({ store: createFailableStore([["accounts", record]]) });
  expect(settings(101)?.lifetimeSeconds).toBe(300);
  expect(log.lines).toMatchObject([{ level: "warn", fields: { record: "accounts" } }]);
});

test("two servers with one Short Server ID are refused", async () => {
  const servers = [
    { shortServerId: 101, lifetime: 300 },
    { shortServerId: 101, lifetime: 60 },
  ];
  await expect(create({ servers })).rejects.toThrow(ConfigError);
});

test.each(["", "UT", "X"])("%j is not a Preferred Transport", async (transport) => {
  const { write } = await create();
  await expect(write("preferredTransport", transport)).rejects.toMatchObject({ code: "4.00" });
});

test("Supported Server Versions are versions", async () => {
  const { write, read } = await create();
  await write("supportedServerVersions", new Map([[0, "1.2.1"]]));
  await expect(write("supportedServerVersions", new Map([[0, "new"]]))).rejects.toMatchObject({
    code: "4.00",
  });
  expect(await read("supportedServerVersions")).toEqual(new Map([[0, "1.2.1"]]));
});
