import { describe, expect, test } from "vitest";
import type { FirmwareUpdateEvent } from "../../../objects/firmware-update/events.js";
import type { FirmwareUpdateState } from "../../../objects/firmware-update/state.js";
import { firmwareUpdateTable, reportableStates, step } from "../../../objects/firmware-update/table.js";
import { imageOf } from "./world.js";

const table = firmwareUpdateTable({ maxResumes: 2, maximumBoots: 3 });
const gated = firmwareUpdateTable({ maxResumes: 2, isGated: true });
const reason = "so it is";

const uri = "http://x/2.0";
const pull = { transfer: "pull", uri } as const;
const push = { transfer: "push" } as const;
const image = imageOf("2.0");
const verified = { image, info: { name: "fw", version: "2.0" } };
const attempt = { id: "a", bootId: "boot-1", previousVersion: "1.0" };
const request = { attempt, by: "board", deferredSeconds: 0 } as const;
const updating = { name: "updating", result: 0, source: pull, attempt, resumed: 0 } as const;
const byBoard = { ...updating, by: "board", package: verified } as const;

const states = {
  idle: { name: "idle", result: 0, uri: "" },
  "idle, failed": { name: "idle", result: 7, uri: "x:" },
  downloading: { name: "downloading", result: 0, source: pull },
  "downloading, pushed": { name: "downloading", result: 0, source: push },
  verifying: { name: "verifying", result: 0, source: pull, image },
  "verifying, pushed": { name: "verifying", result: 0, source: push, image },
  downloaded: { name: "downloaded", result: 0, source: pull, package: verified },
  "downloaded by a plugin": { name: "downloaded", result: 0, source: pull },
  "downloaded, asking": { name: "downloaded", result: 0, source: pull, package: verified, request },
  "plugin's package, asking": { name: "downloaded", result: 0, source: pull, request },
  applying: { ...byBoard, step: "apply" },
  "applying for the third time": { ...byBoard, step: "apply", resumed: 2 },
  restarting: { ...byBoard, step: "restart" },
  "on trial": { ...byBoard, step: "trial" },
  "on trial for the third time": { ...byBoard, step: "trial", starts: 3 },
  committing: { ...byBoard, step: "commit" },
  reverting: { ...byBoard, step: "revert" },
  "reverting for the fourth time": { ...byBoard, step: "revert", reverts: 3, setback: { result: 5, reason } },
  "plugin updating": { ...updating, by: "plugin", step: "apply", package: verified },
  "plugin updating its own package": { ...updating, by: "plugin", step: "apply" },
} as const satisfies Record<string, FirmwareUpdateState>;

const events = {
  URI: { type: "packageUriWritten", uri },
  "malformed URI": { type: "packageUriWritten", uri: "x:", fault: "invalid-uri" },
  "URI of another protocol": { type: "packageUriWritten", uri: "x:", fault: "unsupported-protocol" },
  push: { type: "pushBegun" },
  "push too large": { type: "pushRefused", failure: "storage", reason },
  reset: { type: "resetRequested" },
  update: { type: "updateExecuted", attempt, by: "board" },
  "update by plugin": { type: "updateExecuted", attempt, by: "plugin" },
  cancel: { type: "cancelExecuted" },
  received: { type: "received", image },
  "connection lost": { type: "transferFailed", failure: "connection", reason },
  "bad signature": { type: "transferFailed", failure: "integrity", reason },
  verified: { type: "verified", package: verified },
  "verified, automatic": { type: "verified", package: verified, upgrade: { attempt, by: "board" } },
  "package that others need": { type: "transferFailed", failure: "unsupported-package", result: 12, reason },
  "component missing": { type: "dependencyMissing", reason },
  permitted: { type: "permitted", bootId: "boot-2" },
  deferred: { type: "deferred", deferredSeconds: 60, reason },
  forbidden: { type: "forbidden", failure: "failed", reason },
  "forbidden for good": { type: "forbidden", failure: "integrity", reason },
  applied: { type: "applied", how: "restart" },
  "applied and running": { type: "applied", how: "running" },
  "apply failed": { type: "applyFailed", failure: "failed", packageIntact: true, reason },
  "apply failed, file gone": { type: "applyFailed", failure: "failed", packageIntact: false, reason },
  "apply refused": { type: "applyFailed", failure: "integrity", packageIntact: true, reason },
  "handed to board": { type: "handedOver", to: "board" },
  "handed to plugin": { type: "handedOver", to: "plugin" },
  "trial passed": { type: "trialPassed" },
  "trial failed": { type: "trialFailed", reason },
  committed: { type: "committed" },
  reverted: { type: "reverted", how: "done" },
  "reverting by restart": { type: "reverted", how: "restart" },
  "revert failed": { type: "revertFailed", reason },
  "another image runs": { type: "outcomeKnown", outcome: "other", packageIntact: true, bootId: "boot-2" },
  "new image runs": { type: "outcomeKnown", outcome: "new", packageIntact: true, bootId: "boot-2" },
  "old image runs": { type: "outcomeKnown", outcome: "old", packageIntact: true, bootId: "boot-2" },
  "old image runs, file gone": {
    type: "outcomeKnown",
    outcome: "old",
    packageIntact: false,
    bootId: "boot-2",
  },
  "unknown image runs": { type: "outcomeKnown", outcome: "unknown", packageIntact: true, bootId: "boot-2" },
  "boot loader refused": { type: "installationRefused", failure: "integrity", reason },
  "agent started": { type: "agentStarted", sameBoot: true, packageIntact: true },
  "agent started, file gone": { type: "agentStarted", sameBoot: true, packageIntact: false },
  "board started": { type: "agentStarted", sameBoot: false, packageIntact: true },
  "plugin: Idle": { type: "stateReported", state: 0 },
  "plugin: Downloading": { type: "stateReported", state: 1 },
  "plugin: Downloaded": { type: "stateReported", state: 2 },
  "plugin: Downloaded, automatic": {
    type: "stateReported",
    state: 2,
    upgrade: { attempt, by: "plugin" },
  },
  "plugin: Updating": { type: "stateReported", state: 3, attempt },
  "plugin: Result 8": { type: "resultReported", result: 8 },
} as const satisfies Record<string, FirmwareUpdateEvent>;

type Rows = { readonly [Event in keyof typeof events]?: string };

const afterReset: Rows = {
  reset: "idle/0 | cancelTransfer discard",
  cancel: "idle/10 | cancelTransfer discard",
};
const afterFailedTransfer: Rows = {
  "connection lost": `idle/4 ${uri} | cancelTransfer discard`,
  "bad signature": `idle/5 ${uri} | cancelTransfer discard`,
  "package that others need": `idle/12 ${uri} | cancelTransfer discard`,
};
const ofIdle: Rows = {
  URI: "downloading pull/0 | download",
  "malformed URI": "idle/7 x:",
  "URI of another protocol": "idle/9 x:",
  push: "downloading push/0",
  "push too large": "idle/2",
  reset: "idle/0",
};
const ofApplying: Rows = {
  applied: "updating restart/0 board | restart now",
  "applied and running": "updating trial/0 board | tryOut",
  "apply failed": "downloaded/8",
  "apply failed, file gone": `idle/8 ${uri} | discard`,
  "apply refused": `idle/5 ${uri} | discard`,
  "handed to board": "updating apply/0 board",
  "handed to plugin": "updating apply/0 plugin",
  "another image runs": "idle/0 | discard commit",
  "new image runs": "updating trial/0 board | tryOut",
  "old image runs": "updating apply/0 board again 1 | apply",
  "old image runs, file gone": `idle/8 ${uri} | discard commit`,
  "unknown image runs": `idle/8 ${uri} | discard`,
  "boot loader refused": `idle/5 ${uri} | discard commit`,
  "agent started": "updating apply/0 board again 1 | apply",
  "agent started, file gone": `idle/8 ${uri} | discard`,
  "board started": "updating apply/0 board | askOutcome",
  "plugin: Updating": "updating apply/0 board",
  "plugin: Result 8": "updating apply/8 board",
};
const afterApply: Rows = {
  "another image runs": "idle/0 | discard commit",
  "old image runs": "updating apply/0 board again 1 | apply",
  "old image runs, file gone": `idle/8 ${uri} | discard commit`,
  "unknown image runs": `idle/8 ${uri} | discard`,
  "boot loader refused": `idle/5 ${uri} | discard commit`,
};
const ofPlugin: Rows = {
  applied: "updating restart/0 plugin | restart now",
  "applied and running": "updating trial/0 plugin | tryOut",
  "apply failed": "downloaded/8",
  "apply failed, file gone": `idle/8 ${uri} | discard`,
  "apply refused": `idle/5 ${uri} | discard`,
  "handed to plugin": "updating apply/0 plugin",
  "another image runs": "idle/0 | discard commit",
  "new image runs": "updating trial/0 plugin | tryOut",
  "old image runs": `idle/8 ${uri} | discard commit`,
  "old image runs, file gone": `idle/8 ${uri} | discard commit`,
  "unknown image runs": `idle/8 ${uri} | discard`,
  "boot loader refused": `idle/5 ${uri} | discard commit`,
  "agent started": "updating apply/0 plugin again 1 | apply",
  "agent started, file gone": `idle/8 ${uri} | discard`,
  "board started": "updating apply/0 plugin | askOutcome",
  "plugin: Idle": `idle/0 ${uri} | discard`,
  "plugin: Downloaded": "downloaded/0",
  "plugin: Downloaded, automatic": "downloaded/0",
  "plugin: Updating": "updating apply/0 plugin",
  "plugin: Result 8": "updating apply/8 plugin",
};
const ofAsking: Rows = {
  ...afterReset,
  "update by plugin": "updating apply/0 plugin | apply",
  deferred: "downloaded/11 asking",
  forbidden: "downloaded/8",
  "component missing": "downloaded/13",
  "forbidden for good": `idle/5 ${uri} | discard`,
  "agent started": "downloaded/0 asking | commit askPermission",
  "agent started, file gone": `idle/8 ${uri} | discard commit`,
  "board started": "downloaded/0 asking | commit askPermission",
  "plugin: Idle": `idle/0 ${uri} | cancelTransfer discard`,
  "plugin: Downloaded": "downloaded/0 asking",
  "plugin: Downloaded, automatic": "downloaded/0 asking",
  "plugin: Updating": "updating apply/0 plugin",
  "plugin: Result 8": "downloaded/8 asking",
};

/** What each state makes of each event: the next state, and the effects. An event that is missing changes nothing. */
const transitions: { readonly [State in keyof typeof states]: Rows } = {
  idle: {
    ...ofIdle,
    "agent started": "idle/0 | discard commit",
    "agent started, file gone": "idle/0 | discard commit",
    "board started": "idle/0 | discard commit",
    "plugin: Idle": "idle/0",
    "plugin: Result 8": "idle/8",
  },
  "idle, failed": {
    ...ofIdle,
    "agent started": "idle/7 x: | discard commit",
    "agent started, file gone": "idle/7 x: | discard commit",
    "board started": "idle/7 x: | discard commit",
    "plugin: Idle": "idle/7 x:",
    "plugin: Result 8": "idle/8 x:",
  },
  downloading: {
    ...afterReset,
    ...afterFailedTransfer,
    received: "verifying pull/0 | verify",
    "agent started": "downloading pull/0 | commit download",
    "agent started, file gone": "downloading pull/0 | commit download",
    "board started": "downloading pull/0 | commit download",
    "plugin: Idle": `idle/0 ${uri} | cancelTransfer discard`,
    "plugin: Downloading": "downloading pull/0",
    "plugin: Downloaded": "downloaded/0",
    "plugin: Downloaded, automatic": "downloaded/0 asking | askPermission",
    "plugin: Result 8": "downloading pull/8",
  },
  "downloading, pushed": {
    ...afterReset,
    "connection lost": "idle/4 | cancelTransfer discard",
    "bad signature": "idle/5 | cancelTransfer discard",
    "package that others need": "idle/12 | cancelTransfer discard",
    received: "verifying push/0 | verify",
    "agent started": "idle/4 | discard commit",
    "agent started, file gone": "idle/4 | discard commit",
    "board started": "idle/4 | discard commit",
    "plugin: Idle": "idle/0 | cancelTransfer discard",
    "plugin: Downloading": "downloading push/0",
    "plugin: Downloaded": "downloaded/0",
    "plugin: Downloaded, automatic": "downloaded/0 asking | askPermission",
    "plugin: Result 8": "downloading push/8",
  },
  verifying: {
    ...afterReset,
    ...afterFailedTransfer,
    verified: "downloaded/0",
    "verified, automatic": "downloaded/0 asking | askPermission",
    "agent started": "verifying pull/0 | commit verify",
    "agent started, file gone": "downloading pull/0 | commit download",
    "board started": "verifying pull/0 | commit verify",
    "plugin: Downloading": "verifying pull/0",
    "plugin: Result 8": "verifying pull/8",
  },
  "verifying, pushed": {
    ...afterReset,
    "connection lost": "idle/4 | cancelTransfer discard",
    "bad signature": "idle/5 | cancelTransfer discard",
    "package that others need": "idle/12 | cancelTransfer discard",
    verified: "downloaded/0",
    "verified, automatic": "downloaded/0 asking | askPermission",
    "agent started": "verifying push/0 | commit verify",
    "agent started, file gone": "idle/4 | discard commit",
    "board started": "verifying push/0 | commit verify",
    "plugin: Downloading": "verifying push/0",
    "plugin: Result 8": "verifying push/8",
  },
  downloaded: {
    ...afterReset,
    "component missing": "downloaded/13",
    update: "updating apply/0 board | apply",
    "update by plugin": "updating apply/0 plugin | apply",
    "agent started": "downloaded/0 | commit",
    "agent started, file gone": "idle/0 | discard commit",
    "board started": "downloaded/0 | commit",
    "plugin: Idle": `idle/0 ${uri} | cancelTransfer discard`,
    "plugin: Downloaded": "downloaded/0",
    "plugin: Downloaded, automatic": "downloaded/0",
    "plugin: Updating": "updating apply/0 plugin",
    "plugin: Result 8": "downloaded/8",
  },
  "downloaded, asking": {
    ...ofAsking,
    update: "updating apply/0 board | apply",
    permitted: "updating apply/0 board | apply",
  },
  "plugin's package, asking": { ...ofAsking, update: "downloaded/8", permitted: "downloaded/8" },
  "downloaded by a plugin": {
    ...afterReset,
    "component missing": "downloaded/13",
    update: "downloaded/8",
    "update by plugin": "updating apply/0 plugin | apply",
    "agent started": "downloaded/0 | commit",
    "agent started, file gone": "idle/0 | discard commit",
    "board started": "downloaded/0 | commit",
    "plugin: Idle": `idle/0 ${uri} | cancelTransfer discard`,
    "plugin: Downloaded": "downloaded/0",
    "plugin: Downloaded, automatic": "downloaded/0",
    "plugin: Updating": "updating apply/0 plugin",
    "plugin: Result 8": "downloaded/8",
  },
  applying: ofApplying,
  "applying for the third time": {
    ...ofApplying,
    applied: "updating restart/0 board again 2 | restart now",
    "applied and running": "updating trial/0 board again 2 | tryOut",
    "handed to board": "updating apply/0 board again 2",
    "handed to plugin": "updating apply/0 plugin again 2",
    "new image runs": "updating trial/0 board again 2 | tryOut",
    "old image runs": `idle/8 ${uri} | discard commit`,
    "agent started": "downloaded/8",
    "board started": "updating apply/0 board again 2 | askOutcome",
    "plugin: Updating": "updating apply/0 board again 2",
    "plugin: Result 8": "updating apply/8 board again 2",
  },
  restarting: {
    ...afterApply,
    deferred: "updating restart/0 board",
    forbidden: "updating revert/0 board | revert",
    "forbidden for good": "updating revert/0 board | revert",
    "new image runs": "updating trial/0 board | tryOut",
    "agent started": "updating restart/0 board | restart soon",
    "agent started, file gone": "updating restart/0 board | restart soon",
    "board started": "updating restart/0 board | askOutcome",
    "plugin: Updating": "updating restart/0 board",
    "plugin: Result 8": "updating restart/8 board",
  },
  "on trial": {
    ...afterApply,
    "trial passed": "updating commit/0 board | commit",
    "trial failed": "updating revert/0 board | revert",
    "new image runs": "updating trial/0 board | tryOut",
    "agent started": "updating trial/0 board | tryOut",
    "agent started, file gone": "updating trial/0 board | tryOut",
    "board started": "updating trial/0 board | askOutcome",
    "plugin: Updating": "updating trial/0 board",
    "plugin: Result 8": "updating trial/8 board",
  },
  "on trial for the third time": {
    ...afterApply,
    "trial passed": "updating commit/0 board | commit",
    "trial failed": "updating revert/0 board | revert",
    "new image runs": "updating revert/0 board | revert",
    "agent started": "updating revert/0 board | revert",
    "agent started, file gone": "updating revert/0 board | revert",
    "board started": "updating trial/0 board | askOutcome",
    "plugin: Updating": "updating trial/0 board",
    "plugin: Result 8": "updating trial/8 board",
  },
  committing: {
    ...afterApply,
    committed: "idle/1 | discard",
    "new image runs": "updating commit/0 board | commit",
    "agent started": "updating commit/0 board | commit",
    "agent started, file gone": "updating commit/0 board | commit",
    "board started": "updating commit/0 board | askOutcome",
    "plugin: Updating": "updating commit/0 board",
    "plugin: Result 8": "updating commit/8 board",
  },
  reverting: {
    "another image runs": "idle/0 | discard commit",
    "revert failed": `idle/8 ${uri} | discard`,
    reverted: `idle/8 ${uri} | discard`,
    "reverting by restart": "updating revert/0 board | restart now",
    "new image runs": "updating revert/0 board | revert",
    "old image runs": `idle/8 ${uri} | discard commit`,
    "old image runs, file gone": `idle/8 ${uri} | discard commit`,
    "unknown image runs": `idle/8 ${uri} | discard`,
    "boot loader refused": `idle/5 ${uri} | discard commit`,
    "agent started": "updating revert/0 board | revert",
    "agent started, file gone": "updating revert/0 board | revert",
    "board started": "updating revert/0 board | askOutcome",
    "plugin: Updating": "updating revert/0 board",
    "plugin: Result 8": "updating revert/8 board",
  },
  "reverting for the fourth time": {
    "another image runs": "idle/0 | discard commit",
    "revert failed": `idle/5 ${uri} | discard`,
    reverted: `idle/5 ${uri} | discard`,
    "reverting by restart": "updating revert/0 board | restart now",
    "new image runs": `idle/5 ${uri} | discard`,
    "old image runs": `idle/5 ${uri} | discard commit`,
    "old image runs, file gone": `idle/5 ${uri} | discard commit`,
    "unknown image runs": `idle/5 ${uri} | discard`,
    "boot loader refused": `idle/5 ${uri} | discard commit`,
    "agent started": "updating revert/0 board | revert",
    "agent started, file gone": "updating revert/0 board | revert",
    "board started": "updating revert/0 board | askOutcome",
    "plugin: Updating": "updating revert/0 board",
    "plugin: Result 8": "updating revert/8 board",
  },
  "plugin updating": { ...ofPlugin, "handed to board": "updating apply/0 board" },
  "plugin updating its own package": ofPlugin,
};

const requests = [
  "URI",
  "malformed URI",
  "URI of another protocol",
  "push",
  "reset",
  "update",
  "update by plugin",
  "cancel",
];

for (const [stateName, rows] of Object.entries(transitions)) {
  describe(stateName, () => {
    for (const [eventName, event] of Object.entries(events)) {
      const state: FirmwareUpdateState = states[stateName as keyof typeof states];
      const expected = rows[eventName as keyof typeof events];
      if (expected !== undefined) {
        test(`+ ${eventName} → ${expected}`, () => {
          const next = step(table, state, event);
          expect(next.answer).toBe("accepted");
          expect(formatted(next)).toBe(expected);
        });
      } else {
        const refused = requests.includes(eventName);
        test(`+ ${eventName} is ${refused ? "refused" : "ignored"}`, () => {
          const answer = refused ? { refused: "4.05" } : "ignored";
          expect(step(table, state, event)).toEqual({ state, effects: [], answer });
        });
      }
    }
  });
}

describe("where the operator has a say", () => {
  test("an Update waits for it in Downloaded", () => {
    const asked = step(gated, { ...states.downloaded, result: 8 }, events.update);
    expect(formatted(asked)).toBe("downloaded/0 asking | askPermission");
    expect(asked.effects).toEqual([
      { do: "askPermission", request, about: { uri, package: verified.info, image } },
    ]);
  });

  test("another Update asks again, and the time that has passed stays", () => {
    const deferred = step(gated, states["downloaded, asking"], events.deferred).state;
    const again = step(gated, deferred, events.update);
    expect(formatted(again)).toBe("downloaded/11 asking | cancelTransfer askPermission");
    expect(again.state).toMatchObject({ request: { deferredSeconds: 60 } });
  });

  test("the update belongs to the boot in which it is allowed, and knows how long it was put off", () => {
    const deferred = step(gated, states["downloaded, asking"], events.deferred).state;
    const begun = step(gated, deferred, events.permitted).state;
    expect(begun).toMatchObject({ name: "updating", attempt: { id: "a", bootId: "boot-2" } });
    expect(begun).toMatchObject({ result: 0, deferredSeconds: 60 });
    expect(begun).not.toHaveProperty("request");
  });

  test("an image whose restart is forbidden ends with the Result of the refusal", () => {
    const forbidden = step(gated, states.restarting, events["forbidden for good"]).state;
    expect(formatted(step(gated, forbidden, events.reverted))).toBe(`idle/5 ${uri} | discard`);
  });
});

test("an update that is taken up again belongs to the boot in which it is", () => {
  const { state } = step(table, states.restarting, events["old image runs"]);
  expect(state).toMatchObject({ attempt: { id: "a", bootId: "boot-2", previousVersion: "1.0" } });
});

test.each([
  ["idle", [0]],
  ["downloading", [0, 1, 2]],
  ["verifying", [1]],
  ["downloaded", [0, 2, 3]],
  ["plugin updating", [0, 2, 3]],
  ["applying", [3]],
] as const)("while %s a plugin may report %j", (name, legal) => {
  expect(reportableStates(table, states[name])).toEqual(legal);
});

function formatted({ state, effects }: ReturnType<typeof step>): string {
  const orders = effects.map((effect) => (effect.do === "restart" ? `restart ${effect.when}` : effect.do));
  return [formattedState(state), ...(orders.length > 0 ? [orders.join(" ")] : [])].join(" | ");
}

function formattedState(state: FirmwareUpdateState): string {
  switch (state.name) {
    case "idle":
      return `idle/${state.result}${state.uri && ` ${state.uri}`}`;
    case "downloading":
    case "verifying":
      return `${state.name} ${state.source.transfer}/${state.result}`;
    case "downloaded":
      return `downloaded/${state.result}${state.request ? " asking" : ""}`;
    case "updating":
      return `updating ${state.step}/${state.result} ${state.by}${state.resumed ? ` again ${state.resumed}` : ""}`;
  }
}
