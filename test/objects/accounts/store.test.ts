import { expect, test } from "vitest";
import type { Store } from "../../../agent/ports.js";
import { createAccounts } from "../../../objects/accounts/accounts.js";
import { type FactoryAccounts, factoryContent } from "../../../objects/accounts/factory.js";
import { openAccountStore } from "../../../objects/accounts/store.js";
import { createAccountTransactions } from "../../../objects/accounts/transaction.js";
import { securityOf, serverOf } from "../../agent/lwm2m/bootstrap/world.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const one = { uri: "coap://one.example", shortServerId: 101, lifetime: 300 };
const two = { uri: "coap://two.example", shortServerId: 102, lifetime: 300 };
const bootstrapServer = { uri: "coap://bootstrap.example" };
const lifetime = [1, 0, 1] as const;

async function open(store: Store, factory: FactoryAccounts = { servers: [one, two], bootstrapServer }) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const accountStore = await openAccountStore({ store, log, clock, factory: factoryContent(factory) });
  const accounts = createAccounts(accountStore);
  return {
    accountStore,
    accounts,
    servers: () =>
      accounts.servers().map(({ shortServerId, settings }) => [shortServerId, settings().lifetimeSeconds]),
    transactions: createAccountTransactions(accountStore, clock, {
      unsupported: () => undefined,
      oscore: false,
    }),
  };
}

/** A bootstrap that puts Server 201 in the place of all others. */
async function replaceAll({ transactions }: Awaited<ReturnType<typeof open>>): Promise<void> {
  const transaction = await transactions.begin();
  transaction.delete(0);
  transaction.delete(1);
  transaction.write(0, new Map([[7, securityOf(201)]]));
  transaction.write(1, new Map([[3, serverOf(201, 60)]]));
  await transaction.commit(() => false, []).finally(() => transaction.end());
}

test("a bootstrap survives a restart, and a configuration that changes is heard about what changed", async () => {
  const disk = createMemoryStore();
  await replaceAll(await open(disk));
  expect((await open(disk)).servers()).toEqual([[201, 60]]);
  const changed = await open(disk, { servers: [one, { ...two, lifetime: 5 }], bootstrapServer });
  expect(changed.servers()).toEqual([
    [102, 5],
    [201, 60],
  ]);
  expect(changed.accounts.bootstrapServer()).toMatchObject(bootstrapServer);
});

test("what a Server wrote stays when another account is taken away", async () => {
  const disk = createMemoryStore();
  await (await open(disk)).accountStore.write(lifetime, 60);
  expect((await open(disk, { servers: [one] })).servers()).toEqual([[101, 60]]);
});

test("during a bootstrap a Server that writes is asked to come back", async () => {
  const { accountStore, transactions } = await open(createMemoryStore());
  const transaction = await transactions.begin();
  await expect(accountStore.write(lifetime, 60)).rejects.toMatchObject({ code: "5.03" });
  transaction.end();
  await accountStore.write(lifetime, 60);
});
