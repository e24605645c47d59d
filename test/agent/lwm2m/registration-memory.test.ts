import { describe, expect, test } from "vitest";
import { RegistrationMemory } from "../../../agent/lwm2m/registration-memory.js";
import { createSimulatedAccounts } from "../../simulated/accounts.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const [account, other] = createSimulatedAccounts([{ shortServerId: 1 }, { shortServerId: 2 }]).servers();
const board = { endpointName: "board" };
const registration = {
  location: ["rd", "5a3f"],
  version: "1.1" as const,
  told: { lifetime: 300, binding: "U", queueMode: false, objects: "</3/0>" },
  local: { transport: "udp4", address: "192.0.2.7", port: 40000 },
};

async function open(store = createMemoryStore()) {
  const log = createRecordingLog();
  const memory = new RegistrationMemory({ store, log });
  await memory.load();
  return { memory, store, log };
}

describe("what is remembered of a registration", () => {
  test("comes back as it was, by account, name and profile", async () => {
    const { memory, store } = await open();
    if (account === undefined || other === undefined) throw new Error("two accounts were asked for");
    await memory.remember(account, board, registration);
    const { memory: again } = await open(store);
    expect(again.find(account, board)).toMatchObject(registration);
    expect(again.portFor("udp4")).toBe(40000);
    expect(again.portFor("udp6")).toBeUndefined();
    expect(again.find(other, board)).toBeUndefined();
    expect(again.find({ ...account, uri: "coap://elsewhere.example" }, board)).toBeUndefined();
    expect(again.find(account, { endpointName: "another" })).toBeUndefined();
    expect(again.find(account, { ...board, profile: { id: "v:one" } })).toBeUndefined();
  });

  test("is one registration for each Server, and forgotten when it ends", async () => {
    const { memory, store } = await open();
    if (account === undefined || other === undefined) throw new Error("two accounts were asked for");
    await memory.remember(account, board, registration);
    await memory.remember(other, board, registration);
    await memory.remember(account, board, { ...registration, location: ["rd", "new"] });
    expect(memory.find(account, board)?.location).toEqual(["rd", "new"]);
    await memory.remember(account, board, undefined);
    const { memory: again } = await open(store);
    expect(again.find(account, board)).toBeUndefined();
    expect(again.find(other, board)).toMatchObject(registration);
  });

  test("that cannot be saved is a line in the log; a damaged record counts as none", async () => {
    if (account === undefined) throw new Error("an account was asked for");
    const full = {
      ...createMemoryStore(),
      write: () => Promise.reject(new Error("no space left on device")),
    };
    const { memory, log } = await open(full);
    await memory.remember(account, board, registration);
    expect(log.lines.map(({ event }) => event)).toEqual(["registration not remembered"]);
    const damaged = createMemoryStore([
      ["registrations", new TextEncoder().encode('{"version":2,"content":7}')],
    ]);
    const { memory: none, log: said } = await open(damaged);
    expect(none.find(account, board)).toBeUndefined();
    expect(said.lines.map(({ event }) => event)).toEqual(["record unreadable"]);
  });
});
