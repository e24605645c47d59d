import { describe, expect, test } from "vitest";
import { decodeSoftwareRecord, encodeSoftwareRecord } from "../../../objects/software-management/record.js";
import { type SoftwareState, updateStates } from "../../../objects/software-management/state.js";
import { type SoftwareEvent, step } from "../../../objects/software-management/table.js";

const uri = "http://x/app";
const pull = { transfer: "pull", uri } as const;
const push = { transfer: "push" } as const;
const image = { path: "/packages/package", size: 3, sha256: "a".repeat(64) };
const info = { name: "app", version: "2.0" };
const installed = { name: "installed", result: 2, info } as const;
const uninstalling = { name: "uninstalling", result: 2, info } as const;

const states = {
  initial: { name: "initial", result: 0 },
  "initial, failed": { name: "initial", result: 52 },
  downloading: { name: "downloading", result: 1, source: pull },
  "downloading, pushed": { name: "downloading", result: 1, source: push },
  verifying: { name: "verifying", result: 1, source: pull, image },
  "verifying, pushed": { name: "verifying", result: 1, source: push, image },
  delivered: { name: "delivered", result: 3, image, info },
  "delivered, not installed": { name: "delivered", result: 58, image, info },
  installing: { name: "installing", result: 3, image, info, resumed: 0 },
  "installing for the third time": { name: "installing", result: 3, image, info, resumed: 2 },
  inactive: { ...installed, active: false, wanted: false },
  activating: { ...installed, active: false, wanted: true },
  active: { ...installed, active: true, wanted: true },
  deactivating: { ...installed, active: true, wanted: false },
  uninstalling: { ...uninstalling, active: false, forUpdate: false },
  "uninstalling active for update": { ...uninstalling, active: true, forUpdate: true },
} as const satisfies Record<string, SoftwareState>;

const events = {
  URI: { type: "packageUriWritten", uri },
  "malformed URI": { type: "packageUriWritten", uri: "x", fault: "invalid-uri" },
  "URI of another protocol": { type: "packageUriWritten", uri: "x:", fault: "unsupported-protocol" },
  push: { type: "pushBegun" },
  install: { type: "installExecuted" },
  uninstall: { type: "uninstallExecuted", forUpdate: false },
  "uninstall for update": { type: "uninstallExecuted", forUpdate: true },
  activate: { type: "activateExecuted" },
  deactivate: { type: "deactivateExecuted" },
  "push too large": { type: "pushRefused", failure: "storage" },
  "no storage": { type: "transferFailed", failure: "storage" },
  "no memory": { type: "transferFailed", failure: "memory" },
  "connection lost": { type: "transferFailed", failure: "connection" },
  "bad signature": { type: "transferFailed", failure: "integrity" },
  "other package": { type: "transferFailed", failure: "unsupported-package" },
  "no such package": { type: "transferFailed", failure: "invalid-uri" },
  "no downloader": { type: "transferFailed", failure: "unsupported-protocol" },
  "verification broke": { type: "transferFailed", failure: "failed" },
  received: { type: "received", image },
  verified: { type: "verified", info },
  installed: { type: "installed" },
  "install failed": { type: "installFailed", packageIntact: true },
  "install failed, file gone": { type: "installFailed", packageIntact: false },
  uninstalled: { type: "uninstalled" },
  "uninstall failed": { type: "uninstallFailed" },
  activated: { type: "switched", active: true },
  deactivated: { type: "switched", active: false },
  "switch failed": { type: "switchFailed" },
  "agent started": { type: "agentStarted", packageIntact: true },
  "agent started, file gone": { type: "agentStarted", packageIntact: false },
} as const satisfies Record<string, SoftwareEvent>;

type StateName = keyof typeof states;
type EventName = keyof typeof events;

const requests: ReadonlySet<EventName> = new Set<EventName>([
  "URI",
  "malformed URI",
  "URI of another protocol",
  "push",
  "install",
  "uninstall",
  "uninstall for update",
  "activate",
  "deactivate",
]);

/** What a Server and the world see of a step: `Update State/Result active: effects`. */
function seen(state: SoftwareState, event: SoftwareEvent): string {
  const { state: after, effects, answer } = step(state, event);
  if (typeof answer === "object") return answer.refused;
  if (answer === "ignored") return "ignored";
  const active = "active" in after && after.active ? " active" : "";
  const orders = effects.map((effect) => {
    if (effect.do === "switch") return effect.active ? "activate" : "deactivate";
    return effect.do === "uninstall" && effect.forUpdate ? "uninstall for update" : effect.do;
  });
  return [`${updateStates[after.name]}/${after.result}${active}`, ...orders].join(" ");
}

const intoInitial: Partial<Record<EventName, string>> = {
  URI: "1/1 download",
  "malformed URI": "0/56",
  "URI of another protocol": "0/56",
  push: "1/1",
  "push too large": "0/50",
};
const failures: Partial<Record<EventName, string>> = {
  "no storage": "0/50 discard",
  "no memory": "0/51 discard",
  "connection lost": "0/52 discard",
  "bad signature": "0/53 discard",
  "other package": "0/54 discard",
  "no such package": "0/56 discard",
  "no downloader": "0/56 discard",
  "verification broke": "0/57 discard",
};
const onDelivered: Partial<Record<EventName, string>> = {
  install: "3/3 install",
  uninstall: "0/0 discard",
  "uninstall for update": "0/0 discard",
  "agent started, file gone": "0/53 discard",
};
const onInstalling: Partial<Record<EventName, string>> = {
  installed: "4/2 discard",
  "install failed": "3/58",
  "install failed, file gone": "0/53 discard",
  "agent started": "3/3 install",
  "agent started, file gone": "0/53 discard",
};
const inactive: Partial<Record<EventName, string>> = {
  uninstall: "4/2 uninstall",
  "uninstall for update": "4/2 uninstall for update",
};
const active: Partial<Record<EventName, string>> = {
  uninstall: "4/2 active uninstall",
  "uninstall for update": "4/2 active uninstall for update",
};

/** All that is not refused, if a Server asks, or ignored. */
const expected: Record<StateName, Partial<Record<EventName, string>>> = {
  initial: {
    ...intoInitial,
    "agent started": "0/0 discard",
    "agent started, file gone": "0/0 discard",
  },
  "initial, failed": {
    ...intoInitial,
    "agent started": "0/52 discard",
    "agent started, file gone": "0/52 discard",
  },
  downloading: {
    ...failures,
    received: "2/1 verify",
    "agent started": "1/1 download",
    "agent started, file gone": "1/1 download",
  },
  "downloading, pushed": {
    ...failures,
    received: "2/1 verify",
    "agent started": "0/52 discard",
    "agent started, file gone": "0/52 discard",
  },
  verifying: {
    ...failures,
    verified: "3/3",
    "agent started": "2/1 verify",
    "agent started, file gone": "1/1 download",
  },
  "verifying, pushed": {
    ...failures,
    verified: "3/3",
    "agent started": "2/1 verify",
    "agent started, file gone": "0/52 discard",
  },
  delivered: { ...onDelivered, "agent started": "3/3" },
  "delivered, not installed": { ...onDelivered, "agent started": "3/58" },
  installing: onInstalling,
  "installing for the third time": { ...onInstalling, "agent started": "3/58" },
  inactive: {
    ...inactive,
    activate: "4/2 activate",
    deactivate: "4/2",
    activated: "4/2 active deactivate",
    deactivated: "4/2",
    "switch failed": "4/57",
    "agent started": "4/2 discard",
    "agent started, file gone": "4/2 discard",
  },
  activating: {
    ...inactive,
    activate: "4/2",
    deactivate: "4/2",
    activated: "4/2 active",
    deactivated: "4/2 activate",
    "switch failed": "4/57",
    "agent started": "4/2 discard activate",
    "agent started, file gone": "4/2 discard activate",
  },
  active: {
    ...active,
    activate: "4/2 active",
    deactivate: "4/2 active deactivate",
    activated: "4/2 active",
    deactivated: "4/2 activate",
    "switch failed": "4/57 active",
    "agent started": "4/2 active discard",
    "agent started, file gone": "4/2 active discard",
  },
  deactivating: {
    ...active,
    activate: "4/2 active",
    deactivate: "4/2 active",
    activated: "4/2 active deactivate",
    deactivated: "4/2",
    "switch failed": "4/57 active",
    "agent started": "4/2 active discard deactivate",
    "agent started, file gone": "4/2 active discard deactivate",
  },
  uninstalling: {
    uninstalled: "0/0",
    "uninstall failed": "4/59",
    activated: "4/2 active",
    deactivated: "4/2",
    "agent started": "4/2 uninstall",
    "agent started, file gone": "4/2 uninstall",
  },
  "uninstalling active for update": {
    uninstalled: "0/0",
    "uninstall failed": "4/59 active",
    activated: "4/2 active",
    deactivated: "4/2",
    "agent started": "4/2 active uninstall for update",
    "agent started, file gone": "4/2 active uninstall for update",
  },
};

describe.each(Object.keys(states) as StateName[])("%s", (stateName) => {
  test.each(Object.keys(events) as EventName[])("%s", (eventName) => {
    const otherwise = requests.has(eventName) ? "4.05" : "ignored";
    expect(seen(states[stateName], events[eventName])).toBe(expected[stateName][eventName] ?? otherwise);
  });

  test("is read as it was recorded", () => {
    const record = { state: states[stateName], updateSupportedObjects: true };
    expect(decodeSoftwareRecord(encodeSoftwareRecord(record))).toEqual(record);
  });
});

test("Deactivate while the software is being activated takes effect after that", () => {
  const { state, effects } = step(states.activating, events.deactivate);
  expect(effects).toEqual([]);
  const after = step(state, events.activated);
  expect(after.effects).toEqual([{ do: "switch", active: false }]);
  expect(seen(after.state, events.deactivated)).toBe("4/2");
});
