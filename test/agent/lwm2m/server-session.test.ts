import { beforeEach, describe, expect, test } from "vitest";
import type { RegistrationSettings } from "../../../agent/lwm2m/registration.js";
import type {
  RegisterRequest,
  RegistrationAnswer,
  ServerConnection,
  UpdateRequest,
} from "../../../agent/lwm2m/server-connection.js";
import { ServerSession } from "../../../agent/lwm2m/server-session.js";
import { seconds } from "../../../agent/ports.js";
import { createSimulatedClock, settle } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";

type Sent =
  | { readonly register: RegisterRequest }
  | { readonly update: UpdateRequest; readonly location: readonly string[] }
  | { readonly deregister: readonly string[] };

const accepted: RegistrationAnswer = { kind: "accepted", location: ["rd", "7"] };
const updated: RegistrationAnswer = { kind: "accepted", location: [] };
const refused = (code: string): RegistrationAnswer => ({ kind: "refused", code });
const unanswered: RegistrationAnswer = { kind: "unanswered", reason: "no answer" };

/** A session against a Server that gives the listed answers in turn. */
function simulate(answers: RegistrationAnswer[]) {
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
  const answer = async () => answers.shift() ?? accepted;
  const connection: ServerConnection = {
    register: (register) => {
      sent.push({ register });
      return answer();
    },
    update: (location, update) => {
      sent.push({ update, location });
      return answer();
    },
    deregister: async (location) => void sent.push({ deregister: location }),
  };
  const session = new ServerSession({
    shortServerId: 1,
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

  test("lets the Server speak once it has accepted, and voids older observations", () => {
    expect(world.session.isRegistered).toBe(true);
    expect(world.forgotten()).toBe(1);
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
    expect(world.session.isRegistered).toBe(false);
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
    expect(world.session.isRegistered).toBe(false);
    await world.clock.advance(seconds(20));
    expect(kinds(world.sent)).toEqual(["register", "deregister", "register"]);
    expect(world.session.isRegistered).toBe(true);
  });
});

test.each([refused("4.04"), refused("4.00"), unanswered])(
  "an Update that ends in %j makes a new Register with everything",
  async (failure) => {
    const { session, sent, forgotten } = simulate([accepted, failure, accepted]);
    session.start();
    await settle();
    session.triggerUpdate();
    await settle();
    expect(kinds(sent)).toEqual(["register", "update", "register"]);
    expect(forgotten()).toBe(2);
  },
);

test("a Server that does not answer is tried again, with the wait doubling and then the Sequence Delay", async () => {
  const { session, sent, clock, log } = simulate([unanswered, unanswered, refused("5.03"), updated]);
  session.start();
  await clock.advance(seconds(59));
  expect(sent).toHaveLength(1);
  await clock.advance(seconds(1));
  expect(sent).toHaveLength(2);
  await clock.advance(seconds(3599));
  expect(sent).toHaveLength(2);
  await clock.advance(seconds(1));
  expect(sent).toHaveLength(3);
  expect(log.lines.filter(({ event }) => event === "registration failed")).toHaveLength(3);
});

test("an answer that comes after the client stopped changes nothing", async () => {
  const { session, clock } = simulate([accepted]);
  session.start();
  await session.stop();
  await settle();
  expect(session.isRegistered).toBe(false);
  expect(clock.pending).toBe(0);
});
