import { expect, test } from "vitest";
import { statusView } from "../../../../agent/service/pages/status-view.js";
import { busyStatus, idleStatus, now } from "../statuses.js";

test("a device that is well says so in one line", () => {
  const view = statusView(idleStatus, [], now);
  expect(view).toMatchObject({
    endpointName: "pump-7",
    device: "Acme · Pump 3000 · 0042",
    headline: { tone: "good", text: "Connected" },
    servers: [
      {
        name: "Server 1",
        tone: "good",
        state: "Registered",
        facts: [
          { label: "Registered", text: "3 h ago" },
          { label: "Next update", text: "in 4 min" },
        ],
      },
    ],
    firmware: { version: "1.0", tone: "calm", state: "No update", progress: null, lastOutcome: null },
    plugins: [{ label: "temperature", text: "running", tone: "good" }],
  });
});

test("what is under way, what waits and what went wrong is in plain words", () => {
  const { headline, servers, firmware, agent } = statusView(busyStatus, [], now);
  expect(headline).toEqual({ tone: "held", text: "Connected to 1 of 2 Servers" });
  expect(servers[1]).toMatchObject({
    tone: "bad",
    state: "Not registered",
    facts: [
      { label: "Next attempt", text: "in 60 s" },
      { label: "Last failure", text: "no answer to the Register (2 min ago)", tone: "bad" },
    ],
  });
  expect(firmware).toMatchObject({
    state: "Downloading",
    progress: { percent: 42, text: "42 % · 42.0 MB of 100.0 MB · 1.3 MB/s" },
    facts: [
      { label: "New version", text: "pump-image 2.1" },
      { label: "Updates held", text: "technician at work, for another 2 h" },
    ],
    lastOutcome: {
      tone: "bad",
      text: "pump-image 2.0: update failed, from 1.0. The health check said: no pressure sensor",
    },
  });
  expect(agent).toContainEqual({ label: "Queue", text: "12 notifications wait for a Server", tone: "held" });
  expect(agent).toContainEqual({ label: "Restart needed", text: "for keepAlive", tone: "held" });
});

const { firmware } = idleStatus;
const [server] = idleStatus.servers;
test.each([
  ["while an image is written", { firmware: { ...firmware, state: 3 } }, "busy", /leave the power on/],
  [
    "while a new image is on trial",
    { firmware: { ...firmware, trial: { phase: "connecting", secondsLeft: 200 } } },
    "busy",
    /prove itself/,
  ],
  ["without any Server", { servers: [] }, "busy", /^No Server yet \(bootstrap: idle\)$/],
  ["while it registers", { servers: [{ ...server, state: "registering" }] }, "busy", /^Connecting/],
  ["without a connection", { servers: [{ ...server, state: "backingOff" }] }, "bad", /^Not connected/],
] as const)("the headline %s", (_, change, tone, text) => {
  const { headline } = statusView({ ...idleStatus, ...change } as typeof idleStatus, [], now);
  expect(headline.tone).toBe(tone);
  expect(headline.text).toMatch(text);
});

test("a download of unknown size has a bar without an end", () => {
  const progress = { phase: "downloading", fraction: null, received: 5_000_000, total: null } as const;
  const view = statusView({ ...idleStatus, firmware: { ...firmware, state: 1, progress } }, [], now);
  expect(view.firmware.progress).toEqual({ percent: null, text: "5.0 MB" });
});

test("the newest lines of the log come first, with what else they say, cut where it gets long", () => {
  const line = (number: number) =>
    JSON.stringify({ level: "info", time: "t", event: "e", url: `u${number}`, n: number, message: "m" });
  const { log } = statusView(idleStatus, [...Array(40).keys()].map(line), now);
  expect(log).toHaveLength(30);
  expect(log[0]).toEqual({ time: "t", level: "info", message: "m", details: "url=u39 n=39" });
  const long = `{"message":"${"x".repeat(5000)}`; // was cut, so it is no JSON any more
  expect(statusView(idleStatus, [long], now).log[0]?.message).toHaveLength(240);
});
