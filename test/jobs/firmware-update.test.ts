import { describe, expect, test } from "vitest";
import {
  type FirmwareEvent,
  type FirmwareOutcome,
  type FirmwareState,
  firmwareStart,
  firmwareStep,
} from "../../jobs/firmware-update.js";

const error = { code: "deviceTimeout", message: "no answer" };
const read = (state: number, result: number): FirmwareEvent => ({
  type: "reported",
  by: "read",
  state,
  result,
});
const notified = (state: number, result: number): FirmwareEvent => ({
  type: "reported",
  by: "notification",
  state,
  result,
});
const accepted: FirmwareEvent = { type: "accepted" };
const refused: FirmwareEvent = { type: "refused", error };
const unanswered: FirmwareEvent = { type: "unanswered", error };
const unread: FirmwareEvent = { type: "unread", answered: false, error };
const unreadable: FirmwareEvent = { type: "unread", answered: true, error };
const registered: FirmwareEvent = { type: "registered" };
const gone: FirmwareEvent = { type: "gone" };
const cancelRequested: FirmwareEvent = { type: "cancelRequested" };
const version: FirmwareEvent = { type: "version", version: "2.0" };

const inspecting: FirmwareState = { name: "inspecting", resets: 0, reads: 0 };
const resetting: FirmwareState = { name: "resetting", resets: 1, found: { state: 0, result: 7 } };
const offering: FirmwareState = { name: "offering", attempt: 1, staleResult: 0, cancelRequested: false };
const waiting = { attempt: 1, staleResult: 0, doubtful: false, idleReads: 0 };
const downloading: FirmwareState = { name: "downloading", ...waiting, begun: false };
const begun: FirmwareState = { ...downloading, begun: true };
const executing: FirmwareState = { name: "executing", attempt: 1 };
const updating: FirmwareState = { name: "updating", attempt: 1, doubtful: false, idleReads: 0 };
const verifying: FirmwareState = { name: "verifying" };
const cancelling: FirmwareState = { name: "cancelling" };
const ended: FirmwareState = { name: "ended", outcome: { status: "completed", message: "Updated" } };

type Row = readonly [
  state: FirmwareState,
  event: FirmwareEvent,
  next: FirmwareState["name"] | Partial<FirmwareState>,
  effects: readonly string[],
];

const rows: readonly Row[] = [
  // Is the device free?
  [inspecting, read(0, 0), { ...offering }, ["offer"]],
  [inspecting, read(0, 7), { ...resetting }, ["reset"]],
  [inspecting, read(2, 0), { ...resetting, found: { state: 2, result: 0 } }, ["reset"]],
  [inspecting, read(3, 0), "ended", []],
  [inspecting, notified(0, 0), inspecting, []],
  [inspecting, unread, "ended", []],
  [inspecting, registered, inspecting, ["observe", "read"]],
  [inspecting, cancelRequested, "ended", []],
  [{ ...inspecting, resets: 1 }, read(0, 0), { ...offering }, ["offer"]],
  [{ ...inspecting, resets: 1 }, read(0, 7), { ...offering, staleResult: 7 }, ["offer"]],
  [{ ...inspecting, resets: 1 }, read(1, 0), { ...inspecting, resets: 1, reads: 1 }, ["readLater"]],
  [{ ...inspecting, resets: 1, reads: 3 }, read(1, 0), "ended", []],
  [resetting, accepted, { ...inspecting, resets: 1 }, ["read"]],
  [resetting, refused, { ...offering, staleResult: 7 }, ["offer"]],
  [{ ...resetting, found: { state: 1, result: 0 } }, refused, "ended", []],
  [resetting, unanswered, { ...inspecting, resets: 1 }, ["read"]],
  [resetting, cancelRequested, "ended", []],
  // The package is offered.
  [offering, accepted, downloading, ["report Downloading", "readLater"]],
  [offering, refused, "ended", []],
  [{ ...offering, attempt: 2 }, refused, { ...downloading, attempt: 2 }, ["readLater"]],
  [offering, unanswered, { ...downloading, doubtful: true }, ["read"]],
  [offering, cancelRequested, { ...offering, cancelRequested: true }, []],
  [{ ...offering, cancelRequested: true }, accepted, cancelling, ["report Cancelling", "cancel"]],
  [{ ...offering, cancelRequested: true }, unanswered, cancelling, ["report Cancelling", "cancel"]],
  [offering, read(2, 0), offering, []],
  // The device downloads.
  [downloading, notified(1, 0), begun, []],
  [downloading, read(1, 0), begun, ["readLater"]],
  [downloading, read(0, 0), downloading, ["readLater"]],
  [downloading, notified(0, 0), downloading, []],
  [downloading, notified(2, 0), executing, ["report Downloaded", "execute"]],
  [downloading, read(2, 0), executing, ["report Downloaded", "execute"]],
  [downloading, read(3, 0), updating, ["report Updating", "readLater"]],
  [downloading, read(0, 7), "ended", []],
  [{ ...downloading, staleResult: 7 }, read(0, 7), { ...downloading, staleResult: 7 }, ["readLater"]],
  [{ ...downloading, staleResult: 7 }, read(0, 5), "ended", []],
  [{ ...begun, staleResult: 7 }, read(0, 7), "ended", []],
  [begun, notified(1, 5), begun, []],
  [begun, notified(0, 5), "ended", []],
  [begun, notified(0, 0), begun, ["read"]],
  [begun, read(0, 0), { ...begun, idleReads: 1 }, ["readLater"]],
  [{ ...begun, idleReads: 1 }, read(1, 0), begun, ["readLater"]],
  [{ ...begun, idleReads: 2 }, read(0, 0), "ended", []],
  [begun, registered, { ...begun, doubtful: true }, ["observe", "read"]],
  [{ ...begun, doubtful: true }, read(1, 0), begun, ["readLater"]],
  [{ ...begun, doubtful: true }, read(0, 0), { ...offering, attempt: 2 }, ["offer"]],
  [{ ...begun, doubtful: true, attempt: 3 }, read(0, 0), "ended", []],
  [begun, unread, begun, ["readLater"]],
  [begun, gone, begun, []],
  [begun, cancelRequested, cancelling, ["report Cancelling", "cancel"]],
  // The order to update.
  [executing, accepted, updating, ["report Updating", "readLater"]],
  [executing, refused, "ended", []],
  [{ ...executing, attempt: 2 }, refused, { ...updating, attempt: 2 }, ["readLater"]],
  [executing, unanswered, { ...updating, doubtful: true }, ["report Restarting", "read"]],
  [executing, registered, executing, ["observe"]],
  [executing, read(2, 0), executing, []],
  [executing, cancelRequested, executing, []],
  // The device installs and restarts.
  [updating, notified(3, 0), updating, []],
  [updating, read(3, 0), updating, ["readLater"]],
  [updating, notified(2, 0), updating, []],
  [updating, read(2, 0), { ...updating, idleReads: 1 }, ["readLater"]],
  [{ ...updating, idleReads: 2 }, read(2, 0), { ...executing, attempt: 2 }, ["execute"]],
  [{ ...updating, doubtful: true }, read(2, 0), { ...executing, attempt: 2 }, ["execute"]],
  [{ ...updating, doubtful: true, attempt: 3 }, read(2, 0), "ended", []],
  [{ ...updating, doubtful: true }, read(3, 0), updating, ["readLater"]],
  [updating, notified(3, 8), updating, []],
  [updating, notified(2, 8), "ended", []],
  [updating, read(2, 11), updating, ["report Deferred by the device's user", "readLater"]],
  [updating, notified(0, 0), updating, ["read"]],
  [updating, read(0, 0), { ...updating, idleReads: 1 }, ["readLater"]],
  [{ ...updating, idleReads: 2 }, read(0, 0), "ended", []],
  [updating, read(0, 8), "ended", []],
  [updating, read(1, 0), "ended", []],
  [updating, read(0, 1), verifying, ["readVersion"]],
  [updating, notified(0, 1), verifying, ["readVersion"]],
  [updating, unread, updating, ["report Restarting", "readLater"]],
  [updating, unreadable, updating, ["readLater"]],
  [updating, gone, updating, ["report Restarting"]],
  [updating, registered, { ...updating, doubtful: true }, ["report Registered again", "observe", "read"]],
  [updating, cancelRequested, updating, []],
  // The end.
  [verifying, version, "ended", []],
  [verifying, unread, "ended", []],
  [verifying, registered, verifying, ["readVersion"]],
  [cancelling, accepted, "ended", []],
  [cancelling, refused, "ended", []],
  [cancelling, unanswered, "ended", []],
  [cancelling, read(2, 0), cancelling, []],
];

const describeEvent = (event: FirmwareEvent): string =>
  event.type === "reported" ? `${event.by} ${event.state}/${event.result}` : event.type;

describe("a firmware update", () => {
  test.each(
    rows.map(([state, event, next, effects]) => ({
      state,
      event,
      next: typeof next === "string" ? next : next.name,
      expected: next,
      effects,
      given: JSON.stringify(state),
      when: describeEvent(event),
    })),
  )("in $given, on $when, goes to $next", ({ state, event, expected, effects }) => {
    const [after, ...done] = firmwareStep(state, event);
    if (typeof expected === "string") expect(after.name).toBe(expected);
    else expect(after).toEqual(expected);
    expect(done.map((effect) => (effect.do === "report" ? `report ${effect.message}` : effect.do))).toEqual(
      effects,
    );
  });

  test.each([
    accepted,
    refused,
    unanswered,
    unread,
    registered,
    gone,
    cancelRequested,
    version,
    read(0, 1),
    notified(2, 0),
  ])("that has ended does not change any more: %j", (event) => {
    expect(firmwareStep(ended, event)).toEqual([ended]);
  });

  test("begins by looking at the device", () => {
    const [state, ...effects] = firmwareStart;
    expect(state).toEqual(inspecting);
    expect(effects.map((effect) => effect.do)).toEqual(["report", "observe", "read"]);
  });
});

describe("the outcome of a firmware update", () => {
  const outcomeOf = (state: FirmwareState, event: FirmwareEvent): FirmwareOutcome | undefined => {
    const [after] = firmwareStep(state, event);
    return after.name === "ended" ? after.outcome : undefined;
  };
  const results = [
    [2, "not enough storage"],
    [3, "out of memory"],
    [4, "connection lost"],
    [5, "integrity check failure"],
    [6, "unsupported package type"],
    [7, "invalid URI"],
    [8, "firmware update failed"],
    [9, "unsupported protocol"],
    [10, "update cancelled"],
  ] as const;
  test.each(results)("names Update Result %i", (result, name) => {
    expect(outcomeOf(begun, read(0, result))).toEqual({
      status: "failed",
      error: { code: `firmware.${result}`, message: `Update Result ${result} (${name}) while downloading` },
    });
    expect(outcomeOf(updating, read(2, result))).toEqual({
      status: "failed",
      error: { code: `firmware.${result}`, message: `Update Result ${result} (${name}) while updating` },
    });
  });

  test("is a success only with Update Result 1, and names the version that runs", () => {
    expect(outcomeOf(verifying, version)).toEqual({
      status: "completed",
      message: "Updated to firmware version 2.0",
    });
  });

  test("carries the refusal of the device", () => {
    expect(outcomeOf(offering, refused)).toEqual({ status: "failed", error });
    expect(outcomeOf(executing, refused)).toEqual({ status: "failed", error });
  });

  test("of a cancelled one is cancelled, whether or not the device agrees", () => {
    for (const event of [accepted, refused, unanswered]) {
      expect(outcomeOf(cancelling, event)?.status).toBe("cancelled");
    }
  });

  test("that the device forgot is a failure that says so", () => {
    expect(outcomeOf({ ...updating, idleReads: 2 }, read(0, 0))).toMatchObject({
      status: "failed",
      error: { code: "firmware.0" },
    });
  });
});
