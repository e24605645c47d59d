import { beforeEach, describe, expect, test } from "vitest";
import { AttributeStore } from "../../../agent/lwm2m/attribute-store.js";
import { parseAttributes } from "../../../agent/lwm2m/attributes.js";
import { Observations } from "../../../agent/lwm2m/observations.js";
import type { Reply } from "../../../agent/lwm2m/operations.js";
import type { Observer } from "../../../agent/lwm2m/outbox.js";
import { RequestError } from "../../../agent/model/errors.js";
import { seconds } from "../../../agent/ports.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";

const origin = { shortServerId: 1, version: "1.1" as const };
const path = [3, 0, 9] as const;
const changed = { kind: "values", paths: [path] } as const;

/** One value that takes as long to read as the test says: each read waits for `answer`. */
function createWorld() {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const attributes = new AttributeStore();
  const reads: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  const told: string[] = [];
  const ended: string[] = [];
  const watched: string[] = [];
  const observations = new Observations({
    clock,
    log,
    definitions: () => undefined,
    read: () => new Promise((resolve, reject) => void reads.push({ resolve, reject })),
    attributes,
    defaults: () => ({}),
    confirmable: () => false,
    changed: { observations: () => undefined, kept: () => undefined, begun: async () => undefined },
    isReachable: () => true,
    isStoring: () => false,
    watch: ([objectId]) => {
      watched.push(`+${objectId}`);
      return () => void watched.push(`-${objectId}`);
    },
  });
  const observer = (key: string): Observer => ({
    key,
    notify: async ({ code, payload }, { confirmable }) => {
      told.push(`${key} ${code} ${payload?.[0] ?? "-"}${confirmable ? " CON" : ""}`);
      return confirmable ? "acknowledged" : "sent";
    },
    end: () => void ended.push(key),
    record: () => undefined,
  });
  /** Answers the read that has waited longest. */
  const answer = async (value: number | Error) => {
    const read = reads.shift();
    if (value instanceof Error) read?.reject(value);
    else {
      const content = new Map([[3, new Map([[0, new Map([[9, value]])]])]]);
      read?.resolve({ code: "2.05", contentFormat: 0, payload: Uint8Array.of(value), content });
    }
    await settle();
  };
  const observe = (key = "a") =>
    observations.observe(
      origin,
      { kind: "read", path, accept: undefined },
      { parameters: [], observer: observer(key) },
    );
  const attach = (...queries: string[]) => {
    attributes.change(1, path, parseAttributes(queries, "1.1"), undefined);
    observations.rulesChanged();
  };
  return { attach, clock, log, attributes, reads, told, ended, watched, observations, observe, answer };
}

let world: ReturnType<typeof createWorld>;
beforeEach(() => {
  world = createWorld();
});

describe("while the first value is being read", () => {
  test("a change is not lost: it is told after the answer", async () => {
    const first = world.observe();
    world.observations.changed(changed);
    await world.answer(1);
    expect((await first).payload).toEqual(Uint8Array.of(1));
    expect(world.told).toEqual([]);
    await world.answer(2);
    expect(world.told).toEqual(["a 2.05 2"]);
  });

  test("the observation can be cancelled, and nothing of it stays", async () => {
    const first = world.observe();
    world.observations.end("a");
    await world.answer(1);
    expect((await first).code).toBe("2.05");
    world.observations.changed(changed);
    expect(world.observations.count).toBe(0);
    expect(world.reads).toHaveLength(0);
  });

  test("a new registration voids it like any other", async () => {
    void world.observe();
    world.observations.endAllOf(1);
    await world.answer(1);
    expect(world.observations.count).toBe(0);
    expect(world.ended).toEqual(["a"]);
  });

  test("a newer observation with the same key wins, whichever is read first", async () => {
    void world.observe();
    void world.observe();
    const [older, newer] = world.reads.splice(0);
    newer?.resolve({ code: "2.05", contentFormat: 0, payload: Uint8Array.of(2) });
    await settle();
    older?.resolve({ code: "2.05", contentFormat: 0, payload: Uint8Array.of(1) });
    await settle();
    world.observations.changed(changed);
    expect(world.reads).toHaveLength(1);
    await world.answer(3);
    expect(world.told).toEqual(["a 2.05 3"]);
  });

  test("what cannot be read is not observed", async () => {
    const refused = expect(world.observe()).rejects.toThrow("gone");
    await world.answer(new RequestError("4.04", "gone"));
    await refused;
    expect(world.observations.count).toBe(0);
  });
});

describe("an observation", () => {
  beforeEach(async () => {
    void world.observe();
    await world.answer(1);
  });

  test("that loses what it watches says so at once, whatever the Minimum Period, and wants an ACK", async () => {
    world.attach("pmin=3600");
    world.observations.changed(changed);
    await world.answer(new RequestError("4.04", "deleted"));
    expect(world.told).toEqual(["a 4.04 - CON"]);
    expect(world.observations.count).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  test("reads once more when something changed while it was reading", async () => {
    world.observations.changed(changed);
    world.observations.changed(changed);
    world.observations.changed(changed);
    await world.answer(2);
    expect(world.reads).toHaveLength(1);
    await world.answer(3);
    expect(world.told).toEqual(["a 2.05 2", "a 2.05 3"]);
    expect(world.reads).toHaveLength(0);
  });

  test("that ends while it reads says nothing more, and lets the transport forget it", async () => {
    world.observations.changed(changed);
    world.observations.endAllOf(1);
    await world.answer(2);
    expect(world.told).toEqual([]);
    expect(world.ended).toEqual(["a"]);
  });

  test("keeps a change back during the Minimum Period, and sends the value of its end", async () => {
    world.attach("pmin=10");
    world.observations.changed(changed);
    await world.answer(2);
    expect(world.told).toEqual([]);
    await world.clock.advance(seconds(10));
    await world.answer(3);
    expect(world.told).toEqual(["a 2.05 3"]);
  });
});

describe("what is observed", () => {
  test("counts as watched until the observation ends", async () => {
    const first = world.observe();
    await world.answer(1);
    await first;
    expect(world.watched).toEqual(["+3"]);
    world.observations.end("a");
    expect(world.watched).toEqual(["+3", "-3"]);
  });

  test("counts no more when it turns out to be nothing", async () => {
    const first = world.observe();
    const outcome = expect(first).rejects.toMatchObject({ code: "4.04" });
    await world.answer(new RequestError("4.04", "gone"));
    await outcome;
    expect(world.watched).toEqual(["+3", "-3"]);
  });
});
