import { beforeEach, describe, expect, test } from "vitest";
import type { RegistrationSettings } from "../../../agent/lwm2m/registration.js";
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
const failed: RegistrationAnswer = { kind: "failed", reason: "no answer" };

const silence = "silence";

/** A session against a Server that gives the listed answers in turn. */
function simulate(answers: (RegistrationAnswer | typeof silence | Error)[]) {
  const clock = createSimulatedClock();
  const log = createRecordingLog();
  const sent: Sent[] = [];
  const settings: { -readonly [K in keyof RegistrationSettings]: number } = {
    lifetime: 300,
    retryCount: 2,
    retryTimer: 60,
    sequenceDelay: 3600,
    sequenceRetryCount: 1,
  };
  let forgotten = 0;
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
  };
  const session = new ServerSession({
    shortServerId: 1,
    version: "1.1",
    connection,
    settings: () => settings,
    registerRequest: () => ({
      endpointName: "board",
      lifetime: settings.lifetime,
      version: "1.1",
      binding: "U",
      objects: "</3/0>",
    }),
    forgetObservations: () => void forgotten++,
    clock,
    log,
    onStateChange: () => undefined,
  });
  return { clock, log, sent, settings, session, forgotten: () => forgotten };
}

const kinds = (sent: readonly Sent[]) => sent.map((message) => Object.keys(message)[0]);

describe("a registration", () => {
  let world: ReturnType<typeof simulate>;
  beforeEach(async () => {
    world = simulate([accepted]);
    world.session.start();
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
    world.session.changed("lifetime");
    world.session.changed("objects");
    await world.clock.advance(seconds(1));
    expect(world.sent.slice(1)).toEqual([
      { update: { lifetime: 60, objects: "</3/0>" }, location: ["rd", "7"] },
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
  const { session, sent, forgotten } = simulate([accepted, failed, accepted]);
  session.start();
  await settle();
  expect(forgotten()).toBe(0);
  session.triggerUpdate();
  await settle();
  expect(kinds(sent)).toEqual(["register", "update", "register"]);
  expect(forgotten()).toBe(1);
});

test("a Server that does not answer is tried again, with the wait doubling and then the Sequence Delay", async () => {
  const { session, sent, clock, log } = simulate([failed, failed, failed, updated]);
  session.start();
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
  const { session, sent, clock } = simulate([accepted]);
  session.start();
  await settle();
  for (let time = 0; time < 1000; time += 100) {
    session.changed("objects");
    await clock.advance(millis(100));
  }
  expect(sent.filter((message) => "update" in message)).toHaveLength(3);
});

test("a Server that is gone does not keep the client from stopping", async () => {
  const { session, clock, log } = simulate([accepted, silence]);
  session.start();
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
  const { session, log } = simulate([accepted, failed]);
  session.start();
  await settle();
  await session.stop();
  const events = log.lines.map(({ event }) => event);
  expect(events).toContain("not deregistered");
  expect(events).not.toContain("deregistered");
});

test("a message that cannot be sent at all is a failed attempt like any other", async () => {
  const { session, sent, clock } = simulate([new RangeError("too long"), accepted]);
  session.start();
  await clock.advance(seconds(60));
  expect(kinds(sent)).toEqual(["register", "register"]);
  expect(session.origin).toBeDefined();
});

test("an answer that comes after the client stopped changes nothing", async () => {
  const { session, clock, log } = simulate([accepted]);
  session.start();
  await session.stop();
  await settle();
  expect(log.lines.map(({ event }) => event)).not.toContain("registered");
  expect(session.origin).toBeUndefined();
  expect(clock.pending).toBe(0);
});
