import { describe, expect, test } from "vitest";
import {
  attemptsPerRun,
  type BootstrapEffect,
  type BootstrapEvent,
  type BootstrapState,
  backOff,
  bootstrapTable,
} from "../../../../agent/lwm2m/bootstrap/table.js";
import { step } from "../../../../agent/lwm2m/state-machine.js";
import { millis, seconds } from "../../../../agent/ports.js";

const table = bootstrapTable({ holdOffSeconds: () => 3, asksForPack: false, spread: (wait) => wait });
const packTable = bootstrapTable({ holdOffSeconds: () => 0, asksForPack: true, spread: (wait) => wait });

const p = { attempt: 2, failures: 1 };
const last = { attempt: attemptsPerRun, failures: 7 };

const states: Record<BootstrapState["name"], BootstrapState> = {
  idle: { name: "idle", failures: 1 },
  waiting: { name: "waiting", ...p },
  askingForPack: { name: "askingForPack", ...p },
  applyingPack: { name: "applyingPack", ...p },
  asking: { name: "asking", withFormat: true, ...p },
  open: { name: "open", ...p },
  finishing: { name: "finishing", ...p },
  lingering: { name: "lingering" },
};

const events: Record<BootstrapEvent["type"], BootstrapEvent> = {
  start: { type: "start" },
  stop: { type: "stop" },
  timerFired: { type: "timerFired" },
  accepted: { type: "accepted" },
  packReceived: { type: "packReceived" },
  refused: { type: "refused", reason: "no", clientError: false },
  unanswered: { type: "unanswered", reason: "silence" },
  operation: { type: "operation" },
  finish: { type: "finish" },
  committed: { type: "committed" },
  notCommitted: { type: "notCommitted", reason: "disk" },
};

type Row = readonly [BootstrapState, ...BootstrapEffect[]];

const idle: BootstrapState = { name: "idle", failures: 1 };
const patience = { do: "wait", duration: seconds(247) } as const;
const opened: Row = [{ name: "open", ...p }, patience];
const asked: Row = [
  { name: "asking", withFormat: true, ...p },
  { do: "request", withFormat: true },
];
const stopped: Row = [idle, { do: "rollback" }, { do: "end", outcome: "failed" }];
const failed = (failure: string): Row => [
  { name: "waiting", attempt: 3, failures: 2 },
  { do: "rollback" },
  { do: "report", failure },
  { do: "wait", duration: seconds(10) },
];

/** What is not listed changes nothing. */
const transitions: Partial<Record<BootstrapState["name"], Partial<Record<BootstrapEvent["type"], Row>>>> = {
  idle: {
    start: [
      { name: "waiting", attempt: 1, failures: 1 },
      { do: "wait", duration: seconds(5) },
    ],
  },
  waiting: { timerFired: asked, stop: stopped },
  askingForPack: {
    packReceived: [{ name: "applyingPack", ...p }, { do: "applyPack" }],
    refused: asked,
    unanswered: asked,
    stop: stopped,
  },
  applyingPack: {
    committed: [
      { name: "idle", failures: 0 },
      { do: "end", outcome: "done" },
    ],
    notCommitted: [
      asked[0],
      { do: "rollback" },
      { do: "report", failure: "disk" },
      { do: "request", withFormat: true },
    ],
    stop: stopped,
  },
  asking: {
    accepted: opened,
    operation: opened,
    finish: [{ name: "finishing", ...p }],
    refused: failed("no"),
    unanswered: failed("silence"),
    stop: stopped,
  },
  open: {
    operation: opened,
    finish: [{ name: "finishing", ...p }],
    timerFired: failed("no Bootstrap-Finish in time"),
    stop: stopped,
  },
  finishing: {
    committed: [{ name: "lingering" }, { do: "end", outcome: "done" }, patience],
    notCommitted: [{ name: "open", ...p }, patience, { do: "report", failure: "disk" }],
    stop: stopped,
  },
  lingering: {
    start: [
      { name: "waiting", attempt: 1, failures: 0 },
      { do: "wait", duration: seconds(3) },
    ],
    timerFired: [{ name: "idle", failures: 0 }],
    stop: [{ name: "idle", failures: 0 }],
  },
};

describe.each(Object.values(states))("$name", (state) => {
  test.each(Object.values(events))("+ $type", (event) => {
    expect(step(table, state, event)).toEqual(transitions[state.name]?.[event.type] ?? [state]);
  });
});

describe("the bootstrap table", () => {
  test("asks for a pack first where the version has one", () => {
    expect(step(packTable, states.waiting, events.timerFired)).toEqual([
      { name: "askingForPack", ...p },
      { do: "requestPack" },
    ]);
  });

  test("says no preferred format to a Bootstrap-Server that refused one, and fails when that is refused as well", () => {
    const refusal: BootstrapEvent = { type: "refused", reason: "4.00", clientError: true };
    const [bare, ...effects] = step(table, states.asking, refusal);
    expect([bare, ...effects]).toEqual([
      { name: "asking", withFormat: false, ...p },
      { do: "request", withFormat: false },
    ]);
    expect(step(table, bare, refusal)).toEqual(failed("4.00"));
  });

  test("waits as long as the Bootstrap-Server says", () => {
    const refusal: BootstrapEvent = { type: "refused", reason: "busy", clientError: false, retryAfter: 600 };
    expect(step(table, states.asking, refusal)).toContainEqual({ do: "wait", duration: seconds(600) });
  });

  test("gives up after the last attempt, and remembers the failures", () => {
    expect(step(table, { name: "open", ...last }, events.timerFired)).toEqual([
      { name: "idle", failures: 8 },
      { do: "rollback" },
      { do: "report", failure: "no Bootstrap-Finish in time" },
      { do: "end", outcome: "failed" },
    ]);
  });

  test("begins with the Client Hold Off Time, or with a longer wait after failures", () => {
    expect(step(table, { name: "idle", failures: 0 }, events.start)).toContainEqual({
      do: "wait",
      duration: seconds(3),
    });
    expect(step(table, { name: "idle", failures: 4 }, events.start)).toContainEqual({
      do: "wait",
      duration: seconds(40),
    });
  });

  test.each([
    [0, 0],
    [1, 5_000],
    [2, 10_000],
    [8, 640_000],
    [9, 1_200_000],
    [2000, 1_200_000],
  ])("waits after %i failures in a row for %i ms", (failures, wait) => {
    expect(backOff(failures)).toBe(millis(wait));
  });
});
