import { beforeEach, describe, expect, test } from "vitest";
import type { RegistrationSettings } from "../../../agent/lwm2m/registration.js";
import type { RememberedRegistration } from "../../../agent/lwm2m/registration-memory.js";
import type {
  RegisterRequest,
  RegistrationAnswer,
  ServerConnection,
  UpdateRequest,
} from "../../../agent/lwm2m/server-connection.js";
import { ServerSession } from "../../../agent/lwm2m/server-session.js";
import { millis, seconds } from "../../../agent/ports.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";

type Sent =
  | { readonly register: RegisterRequest }
  | { readonly update: UpdateRequest; readonly location: readonly string[] }
  | { readonly deregister: readonly string[] };

const accepted: RegistrationAnswer = { kind: "accepted", location: ["rd", "7"] };
const updated: RegistrationAnswer = { kind: "accepted", location: [] };
const failed: RegistrationAnswer = { kind: "failed", failure: { reason: "no answer" } };
const local = { transport: "udp4", address: "192.0.2.7", port: 40000 };

const silence = "silence";

/** A session against a Server that gives the listed answers in turn. */
function simulate(answers: (RegistrationAnswer | typeof silence | Error)[]) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const sent: Sent[] = [];
  const settings: { -readonly [K in keyof RegistrationSettings]: RegistrationSettings[K] } = {
    lifetime: 300,
    retryCount: 2,
    retryTimer: 60,
    sequenceDelay: 3600,
    sequenceRetryCount: 1,
    firstOffer: { version: "1.1", profile: false },
    minimumVersion: "1.1",
    keepAlive: undefined,
  };
  const device = { objects: "</3/0>" };
  const remembered: (RememberedRegistration | undefined)[] = [];
  const outcomes: string[] = [];
  let forgotten = 0;
  let online = 0;
  const answer = async () => {
    const next = answers.shift() ?? accepted;
    if (next instanceof Error) throw next;
    return next === silence ? new Promise<never>(() => undefined) : next;
  };
  const connection: ServerConnection = {
    register: (register) => {
      sent.push({ register });
      return answer();
    },
    update: (location, update) => {
      sent.push({ update, location });
      return answer();
    },
    deregister: (location) => {
      sent.push({ deregister: location });
      return answer();
    },
    localSocket: async () => local,
  };
  const session = new ServerSession({
    shortServerId: 1,
    connection,
    settings: () => settings,
    terms: () => ({ lifetime: settings.lifetime, binding: "U", queueMode: false, ...device }),
    registerRequest: ({ version }, terms) => ({ ...terms, endpointName: "board", version }),
    awakeTime: undefined,
    clock,
    log,
    on: {
      stateChanged: () => undefined,
      failed: (outcome) => void outcomes.push(outcome),
      forgetObservations: () => void forgotten++,
      online: () => void online++,
      remember: (registration) => void remembered.push(registration),
    },
  });
  return {
    clock,
    log,
    sent,
    settings,
    device,
    session,
    outcomes,
    remembered,
    start: () => session.start(millis(0)),
    forgotten: () => forgotten,
    online: () => online,
  };
}

const kinds = (sent: readonly Sent[]) => sent.map((message) => Object.keys(message)[0]);

describe("a registration", () => {
  let world: ReturnType<typeof simulate>;
  beforeEach(async () => {
    world = simulate([accepted]);
    world.start();
    await settle();
  });

  test("lets the Server speak once it has accepted", () => {
    expect(world.session.origin).toBeDefined();
  });

  test("is refreshed in time by an Update that carries nothing", async () => {
    await world.clock.advance(seconds(206));
    expect(kinds(world.sent)).toEqual(["register"]);
    await world.clock.advance(seconds(1));
    expect(world.sent[1]).toEqual({ update: {}, location: ["rd", "7"] });
    await world.clock.advance(seconds(207));
    expect(kinds(world.sent)).toEqual(["register", "update", "update"]);
  });

  test("tells a new lifetime in one Update together with new Objects", async () => {
    world.settings.lifetime = 60;
    world.device.objects = "</1/0>,</3/0>";
    world.session.changed();
    world.session.changed();
    await world.clock.advance(seconds(1));
    expect(world.sent.slice(1)).toEqual([
      { update: { lifetime: 60, objects: "</1/0>,</3/0>" }, location: ["rd", "7"] },
    ]);
  });

  test("sends an Update at once when the Server triggers it", async () => {
    world.session.triggerUpdate();
    await settle();
    expect(world.sent[1]).toEqual({ update: {}, location: ["rd", "7"] });
  });

  test("ends with a De-register when the client stops, and no timer stays", async () => {
    await world.session.stop();
    expect(world.sent[1]).toEqual({ deregister: ["rd", "7"] });
    expect(world.session.origin).toBeUndefined();
    expect(world.clock.pending).toBe(0);
  });

  test("is left in silence when the board restarts", async () => {
    world.session.abandon();
    await world.clock.advance(seconds(1000));
    expect(kinds(world.sent)).toEqual(["register"]);
    expect(world.clock.pending).toBe(0);
  });

  test("pauses by Disable and comes back", async () => {
    world.session.disable(seconds(20));
    await settle();
    expect(kinds(world.sent)).toEqual(["register", "deregister"]);
    expect(world.session.origin).toBeUndefined();
    await world.clock.advance(seconds(20));
    expect(kinds(world.sent)).toEqual(["register", "deregister", "register"]);
    expect(world.session.origin).toBeDefined();
  });
});

test("an Update that fails makes a new Register with everything, and voids observations", async () => {
  const { session, start, sent, forgotten } = simulate([accepted, failed, accepted]);
  start();
  await settle();
  expect(forgotten()).toBe(1);
  session.triggerUpdate();
  await settle();
  expect(kinds(sent)).toEqual(["register", "update", "register"]);
  expect(forgotten()).toBe(3);
});

test("a Server that does not answer is tried again, with the wait doubling and then the Sequence Delay", async () => {
  const { start, sent, clock, log } = simulate([failed, failed, failed, updated]);
  start();
  await clock.advance(seconds(59));
  expect(sent).toHaveLength(1);
  await clock.advance(seconds(1));
  expect(sent).toHaveLength(2);
  await clock.advance(seconds(3599));
  expect(sent).toHaveLength(2);
  await clock.advance(seconds(1));
  expect(sent).toHaveLength(3);
  const reports = log.lines.filter(({ event }) => event === "registration failed");
  expect(reports.map(({ fields }) => fields["reason"])).toEqual(["no answer", "no answer", "no answer"]);
});

test("changes that keep coming are told in time", async () => {
  const { session, start, sent, clock } = simulate([accepted]);
  start();
  await settle();
  for (let time = 0; time < 1000; time += 100) {
    session.changed();
    await clock.advance(millis(100));
  }
  expect(sent.filter((message) => "update" in message)).toHaveLength(3);
});

test("a Server that is gone does not keep the client from stopping", async () => {
  const { session, start, clock, log } = simulate([accepted, silence]);
  start();
  await settle();
  let stopped = false;
  void session.stop().then(() => (stopped = true));
  await clock.advance(millis(4999));
  expect(stopped).toBe(false);
  await clock.advance(millis(1));
  expect(stopped).toBe(true);
  expect(clock.pending).toBe(0);
  expect(log.lines.at(-1)).toMatchObject({
    event: "not deregistered",
    fields: { reason: "the Server does not answer" },
  });
});

test("a De-register that fails is not reported as done", async () => {
  const { session, start, log } = simulate([accepted, failed]);
  start();
  await settle();
  await session.stop();
  const events = log.lines.map(({ event }) => event);
  expect(events).toContain("not deregistered");
  expect(events).not.toContain("deregistered");
});

test("a message that cannot be sent at all is a failed attempt like any other", async () => {
  const { session, start, sent, clock } = simulate([new RangeError("too long"), accepted]);
  start();
  await clock.advance(seconds(60));
  expect(kinds(sent)).toEqual(["register", "register"]);
  expect(session.origin).toBeDefined();
});

test("an answer that comes after the client stopped changes nothing", async () => {
  const { session, start, clock, log } = simulate([accepted]);
  start();
  await session.stop();
  await settle();
  expect(log.lines.map(({ event }) => event)).not.toContain("registered");
  expect(session.origin).toBeUndefined();
  expect(clock.pending).toBe(0);
});

describe("for people who look after the device", () => {
  const start = new Date("2026-01-01T00:00:00Z").getTime();
  const at = (duration: number) => new Date(start + seconds(duration));

  test("it says since when it is registered, and when the next Update is due", async () => {
    const world = simulate([accepted]);
    expect(world.session.status()).toEqual({ state: "unregistered" });
    await world.clock.advance(seconds(10));
    world.start();
    await settle();
    expect(world.session.status()).toEqual({ state: "registered", since: at(10), next: at(217) });
    await world.clock.advance(seconds(207)); // 300 less MAX_TRANSMIT_WAIT
    expect(world.session.status()).toEqual({ state: "registered", since: at(10), next: at(424) });
  });

  test("it says why it failed, and when it tries again", async () => {
    const world = simulate([failed, accepted]);
    world.start();
    await settle();
    const lastFailure = { at: at(0), reason: "no answer" };
    expect(world.session.status()).toEqual({ state: "backingOff", next: at(60), lastFailure });
    await world.clock.advance(seconds(60));
    expect(world.session.status()).toMatchObject({ state: "registered", since: at(60), lastFailure });
  });
});
