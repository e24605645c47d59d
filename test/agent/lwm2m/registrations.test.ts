/** Several Servers, the Bootstrap-Server, and accounts that come and go, in simulated time. */
import { describe, expect, test } from "vitest";
import { ObjectTree } from "../../../agent/lwm2m/object-tree.js";
import { RegistrationMemory } from "../../../agent/lwm2m/registration-memory.js";
import { Registrations } from "../../../agent/lwm2m/registrations.js";
import type { RegistrationAnswer, ServerConnection } from "../../../agent/lwm2m/server-connection.js";
import { millis, seconds } from "../../../agent/ports.js";
import { createSimulatedAccounts, type SimulatedAccount } from "../../simulated/accounts.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createMemoryStore } from "../../simulated/store.js";

const failed: RegistrationAnswer = { kind: "failed", failure: { reason: "no answer" } };
/** One attempt, and no further sequence within an hour. */
const impatient = { retryCount: 1, sequenceDelaySeconds: 3600, sequenceRetryCount: 1 };

interface WorldOptions {
  readonly servers?: readonly SimulatedAccount[];
  /** Servers that do not answer. */
  readonly down?: readonly number[];
  /** What the Bootstrap-Server does, when there is one. */
  readonly bootstrap?: () => "done" | "failed";
  readonly store?: ReturnType<typeof createMemoryStore>;
  /** Of ours. */
  readonly address?: string;
  readonly port?: number;
  readonly resumes?: boolean;
  readonly profileId?: string;
}

async function begin(options: WorldOptions = {}) {
  const { servers = [{ shortServerId: 1 }], bootstrap, store = createMemoryStore(), port = 40000 } = options;
  const down = new Set(options.down);
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const accounts = createSimulatedAccounts(servers);
  /** `second message Server` in the order of their going out. */
  const sent: string[] = [];
  const gone: number[] = [];
  const forgotten: number[] = [];
  const note = (what: string) => void sent.push(`${clock.now() / 1000} ${what}`);
  const connect = ({ shortServerId }: { shortServerId: number }): ServerConnection => {
    const answer = async (what: string): Promise<RegistrationAnswer> => {
      note(`${what} ${shortServerId}`);
      return down.has(shortServerId) ? failed : { kind: "accepted", location: ["rd", `${shortServerId}`] };
    };
    return {
      register: () => answer("register"),
      update: () => answer("update"),
      deregister: () => answer("deregister"),
      localSocket: async () => ({ transport: "udp4", address: options.address ?? "192.0.2.7", port }),
    };
  };
  const registrations = new Registrations({
    policy: {
      ...{ endpointName: "board", version: "1.1", binding: "U" },
      ...(options.profileId !== undefined && { profile: { id: options.profileId } }),
    },
    accounts,
    tree: new ObjectTree(),
    memory: new RegistrationMemory({ store, log }),
    clock,
    log,
    on: {
      stateChanged: () => undefined,
      forgetObservations: (id) => void forgotten.push(id),
      online: () => undefined,
      observationsSaved: async () => true,
      accountGone: (id) => void gone.push(id),
    },
  });
  const runner = bootstrap && {
    available: true,
    run: async () => {
      note("bootstrap");
      return bootstrap();
    },
  };
  await registrations.start(connect, runner, options.resumes);
  await settle();
  return {
    ...{ clock, log, accounts, sent, gone, forgotten, registrations, down, store },
    isOnline: (id: number) => registrations.session(id)?.isOnline ?? false,
  };
}

describe("the order of Servers", () => {
  test("lets each wait for the registration before it, and then for its own delay", async () => {
    const { sent, clock } = await begin({
      servers: [
        { shortServerId: 1, priorityOrder: 2, initialDelaySeconds: 10 },
        { shortServerId: 2, priorityOrder: 1, initialDelaySeconds: 5 },
        { shortServerId: 3 },
      ],
    });
    await clock.advance(seconds(60));
    expect(sent).toEqual(["0 register 3", "5 register 2", "15 register 1"]);
  });

  test.each([
    { block: false, sent: ["0 register 1", "0 register 2"] },
    { block: true, sent: ["0 register 1"] },
  ])("after a failure with block $block", async ({ block, sent: expected }) => {
    const { sent, clock } = await begin({
      servers: [
        { shortServerId: 1, priorityOrder: 1, failureBlock: block, bootstrapOnFailure: false, ...impatient },
        { shortServerId: 2, priorityOrder: 2 },
      ],
      down: [1],
    });
    await clock.advance(seconds(600));
    expect(sent).toEqual(expected);
  });

  test("goes on once the one that blocked it has registered after all", async () => {
    const world = await begin({
      servers: [
        { shortServerId: 1, priorityOrder: 1, failureBlock: true, bootstrapOnFailure: false, ...impatient },
        { shortServerId: 2, priorityOrder: 2 },
      ],
      down: [1],
    });
    world.down.clear();
    await world.clock.advance(seconds(3600));
    expect(world.sent).toEqual(["0 register 1", "3600 register 1", "3600 register 2"]);
  });
});

describe("the Bootstrap-Server", () => {
  test("is asked when a Server cannot be reached, and its end gives that Server another turn", async () => {
    const mended: (() => void)[] = [];
    const world = await begin({
      servers: [{ shortServerId: 1, ...impatient, initialDelaySeconds: 1 }],
      down: [1],
      bootstrap: () => {
        for (const mend of mended) mend();
        return "done";
      },
    });
    mended.push(() => world.down.clear());
    await world.clock.advance(seconds(60));
    expect(world.sent).toEqual(["1 register 1", "1 bootstrap", "1 register 1"]);
    expect(world.isOnline(1)).toBe(true);
  });

  test("is not hammered when all that it names is a Server that refuses, though another is there", async () => {
    const { sent, clock } = await begin({
      servers: [{ shortServerId: 1, ...impatient }, { shortServerId: 2 }],
      down: [1],
      bootstrap: () => "done",
    });
    await clock.advance(seconds(300));
    expect(sent.filter((what) => what.endsWith("bootstrap"))).toEqual([
      "0 bootstrap",
      "30 bootstrap",
      "90 bootstrap",
      "210 bootstrap",
    ]);
  });

  test("is left alone where the account says so", async () => {
    const { sent, clock } = await begin({
      servers: [{ shortServerId: 1, bootstrapOnFailure: false, ...impatient }],
      down: [1],
      bootstrap: () => "done",
    });
    await clock.advance(seconds(3599));
    expect(sent).toEqual(["0 register 1"]);
  });

  test("is asked again, later each time, while nobody can be reached", async () => {
    const { sent, clock } = await begin({ servers: [], bootstrap: () => "failed" });
    await clock.advance(seconds(100));
    expect(sent).toEqual(["0 bootstrap", "30 bootstrap", "90 bootstrap"]);
  });

  test("is asked by a trigger, and a Server that stays is told by an Update at most", async () => {
    const world = await begin({ bootstrap: () => "done" });
    world.registrations.triggerBootstrap();
    await world.clock.advance(seconds(1));
    expect(world.sent.filter((each) => !each.includes("update"))).toEqual(["0 register 1", "0 bootstrap"]);
    expect(world.isOnline(1)).toBe(true);
  });

  test("that fails by a trigger leaves the registration as it was", async () => {
    const world = await begin({ bootstrap: () => "failed" });
    world.registrations.triggerBootstrap();
    await world.clock.advance(seconds(600));
    expect(world.sent).toEqual(["0 register 1", "0 bootstrap"]);
    expect(world.isOnline(1)).toBe(true);
  });
});

describe("an account", () => {
  test("that comes is registered with", async () => {
    const world = await begin();
    world.accounts.replace([{ shortServerId: 1 }, { shortServerId: 2 }]);
    await settle();
    expect(world.sent).toEqual(["0 register 1", "0 register 2"]);
    expect(world.gone).toEqual([]);
  });

  test("that goes takes its observations and all that was kept with it, without a word", async () => {
    const world = await begin({ servers: [{ shortServerId: 1 }, { shortServerId: 2 }] });
    world.forgotten.length = 0;
    world.accounts.replace([{ shortServerId: 1 }]);
    await settle();
    expect({ gone: world.gone, forgotten: world.forgotten }).toEqual({ gone: [2], forgotten: [2] });
    expect(world.sent).toEqual(["0 register 1", "0 register 2"]);
    expect([world.isOnline(1), world.isOnline(2)]).toEqual([true, false]);
  });

  test("with another address is registered with there, and is not gone", async () => {
    const world = await begin();
    world.forgotten.length = 0;
    world.accounts.replace([{ shortServerId: 1, uri: "coap://elsewhere.example" }]);
    await settle();
    expect(world.sent).toEqual(["0 register 1", "0 register 1"]);
    expect(world.gone).toEqual([]);
    expect(world.forgotten).toContain(1);
  });

  test("is missing altogether: the operator is told", async () => {
    const { log } = await begin({ servers: [] });
    expect(log.lines.map(({ event }) => event)).toEqual(["no server"]);
  });
});

describe("after a restart of the program", () => {
  const restart = async (changes: WorldOptions = {}) => {
    const before = await begin();
    before.registrations.abandon();
    await settle();
    return begin({ store: before.store, ...changes });
  };

  test.each([
    { why: "all is as it was", changes: {}, sent: ["0 update 1"] },
    { why: "the port is another one", changes: { port: 40001 }, sent: ["0 register 1"] },
    { why: "our address is another one", changes: { address: "192.0.2.8" }, sent: ["0 register 1"] },
    { why: "the Profile ID is another one", changes: { profileId: "v:other" }, sent: ["0 register 1"] },
    {
      why: "the Server has another address",
      changes: { servers: [{ shortServerId: 1, uri: "coap://elsewhere.example" }] },
      sent: ["0 register 1"],
    },
    { why: "observations were lost", changes: { resumes: false }, sent: ["0 register 1"] },
    {
      why: "the Server does not take the Update",
      changes: { down: [1] },
      sent: ["0 update 1", "0 register 1"],
    },
  ])("$sent goes out where $why", async ({ changes, sent }) => {
    expect((await restart(changes)).sent).toEqual(sent);
  });

  test("a client that de-registered before registers anew", async () => {
    const before = await begin();
    await before.registrations.stop();
    await settle();
    expect((await begin({ store: before.store })).sent).toEqual(["0 register 1"]);
  });
});

test("stopping leaves no timer, whatever was going on", async () => {
  const world = await begin({
    servers: [
      { shortServerId: 1, bootstrapOnFailure: false, ...impatient },
      { shortServerId: 2, initialDelaySeconds: 60 },
      { shortServerId: 3 },
    ],
    down: [1],
  });
  await world.registrations.stop();
  await world.clock.advance(millis(0));
  expect(world.clock.pending).toBe(0);
  expect(world.sent).toEqual(["0 register 1", "0 register 3", "0 deregister 3"]);
});
