import { describe, expect, test } from "vitest";
import { millis, type Store, seconds } from "../../../agent/ports.js";
import { removeAccountInTime } from "../../../objects/accounts/account-timeout.js";
import { bootstrapServerIn } from "../../../objects/accounts/accounts.js";
import { instanceContent, withInstance } from "../../../objects/accounts/content.js";
import { factoryContent } from "../../../objects/accounts/factory.js";
import { openAccountStore } from "../../../objects/accounts/store.js";
import { Oscore } from "../../../objects/oscore.js";
import { Security } from "../../../objects/security.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createFailableStore } from "../doubles.js";

const switchedOn = new Date("2026-01-01T00:00:00Z");
const later = (duration: number) => new Date(switchedOn.getTime() + duration * 1000);

interface World {
  readonly accountTimeout?: number | undefined;
  readonly store?: Store;
  /** The calendar of this start. */
  readonly date?: Date;
}

async function start({ accountTimeout, store = createFailableStore(), date = switchedOn }: World = {}) {
  const clock = createSimulatedClock(date);
  const log = createRecordingLog();
  const factory = factoryContent({
    servers: [{ uri: "coap://server.example", shortServerId: 1, lifetime: 300 }],
    bootstrapServer: { uri: "coap://bootstrap.example", accountTimeout },
  });
  const accounts = await openAccountStore({ store, log, clock, factory });
  const stop = removeAccountInTime(accounts, { clock, log });
  return {
    clock,
    log,
    store,
    accounts,
    stop,
    isThere: () => bootstrapServerIn(accounts.content) !== undefined,
    async bootstrap(content = accounts.content): Promise<void> {
      await accounts.begin();
      await accounts.commit(content, []);
      accounts.end();
    },
  };
}

describe("the account of the Bootstrap-Server", () => {
  test("goes when its time after a bootstrap has passed, and no other account does", async () => {
    const { clock, bootstrap, isThere, accounts } = await start({ accountTimeout: 600 });
    await bootstrap();
    await clock.advance(millis(599_999));
    expect(isThere()).toBe(true);
    await clock.advance(millis(1));
    expect(isThere()).toBe(false);
    expect([...(accounts.content.get(Security.id)?.keys() ?? [])]).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  test("takes its OSCORE context along, and leaves those of others", async () => {
    const { clock, bootstrap, isThere, accounts } = await start({ accountTimeout: 600 });
    const bytes = Uint8Array.of(1);
    const context = instanceContent(Oscore, { masterSecret: bytes, senderId: bytes, recipientId: bytes });
    let content = accounts.content;
    for (const id of [4, 5]) content = withInstance(content, Oscore.id, id, context);
    const security = new Map(content.get(Security.id)?.get(1));
    security.set(Security.resources.oscoreSecurityMode.id, { objectId: Oscore.id, objectInstanceId: 5 });
    await bootstrap(withInstance(content, Security.id, 1, security));
    await clock.advance(seconds(600));
    expect(isThere()).toBe(false);
    expect([...(accounts.content.get(Oscore.id)?.keys() ?? [])]).toEqual([4]);
  });

  test.each([0, undefined])("stays for ever with a timeout of %s", async (accountTimeout) => {
    const { clock, bootstrap, isThere } = await start({ accountTimeout });
    await bootstrap();
    await clock.advance(seconds(10 * 365 * 86400));
    expect(isThere()).toBe(true);
  });

  test("stays until there was a bootstrap", async () => {
    const { clock, isThere } = await start({ accountTimeout: 600 });
    await clock.advance(seconds(86400));
    expect(isThere()).toBe(true);
  });

  test("has its whole time again after another bootstrap", async () => {
    const { clock, bootstrap, isThere } = await start({ accountTimeout: 600 });
    await bootstrap();
    await clock.advance(seconds(500));
    await bootstrap();
    await clock.advance(seconds(599));
    expect(isThere()).toBe(true);
    await clock.advance(seconds(1));
    expect(isThere()).toBe(false);
  });

  test.each([
    ["is counted on after a restart", 400, 200],
    ["has passed while the device was off", 86400, 0],
    ["begins anew at most, with a calendar that was set back", -86400, 600],
  ])("%s", async (_, off, left) => {
    const before = await start({ accountTimeout: 600 });
    await before.bootstrap();
    before.stop();
    const { clock, isThere } = await start({ accountTimeout: 600, store: before.store, date: later(off) });
    if (left > 0) await clock.advance(millis(left * 1000 - 1));
    expect(isThere()).toBe(true);
    await clock.advance(millis(1));
    expect(isThere()).toBe(false);
  });

  test("stays during a bootstrap, and goes a minute later when that changed nothing", async () => {
    const { clock, log, bootstrap, isThere, accounts } = await start({ accountTimeout: 600 });
    await bootstrap();
    await accounts.begin();
    await clock.advance(seconds(600));
    expect(isThere()).toBe(true);
    expect(log.lines.at(-1)).toMatchObject({
      level: "warn",
      event: "Bootstrap-Server account not removed yet",
    });
    accounts.end();
    await clock.advance(seconds(60));
    expect(isThere()).toBe(false);
  });

  test("goes as soon as the disk allows", async () => {
    const store = createFailableStore();
    const { clock, bootstrap, isThere } = await start({ accountTimeout: 600, store });
    await bootstrap();
    store.fail = new Error("the disk is full");
    await clock.advance(seconds(600));
    expect(isThere()).toBe(true);
    store.fail = undefined;
    await clock.advance(seconds(60));
    expect(isThere()).toBe(false);
  });

  test("is left alone once the agent ends, also when that is amid the removal", async () => {
    const store = createFailableStore();
    const { clock, bootstrap, isThere, stop } = await start({ accountTimeout: 600, store });
    await bootstrap();
    let fail: (error: Error) => void = () => undefined;
    const writing = new Promise<void>((_, reject) => (fail = reject));
    store.write = () => writing;
    await clock.advance(seconds(600));
    stop();
    fail(new Error("the disk is full"));
    await clock.advance(seconds(3600));
    expect(isThere()).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
