import { expect, test } from "vitest";
import type { ServiceStatus } from "../../../agent/control/status.js";
import { millis } from "../../../agent/ports.js";
import { renderMetrics } from "../../../agent/service/metrics.js";
import { parseOpenMetrics } from "./open-metrics.js";
import { idleStatus } from "./statuses.js";

const figures = {
  uptime: 61_500,
  cpu: { user: 1_500_000, system: 250_000 },
  lag: { last: millis(2), longest: millis(1500) },
  starts: 3,
  downloaded: 12_582_912,
};
const samplesOf = (status: ServiceStatus) => {
  const samples = parseOpenMetrics(renderMetrics(status, figures)).flatMap((family) => family.samples);
  return Object.fromEntries(samples.map(({ name, labels, value }) => [name + labels, value]));
};

test("all that monitoring wants to know is there, as OpenMetrics wants it written", () => {
  expect(samplesOf(idleStatus)).toEqual({
    'lwm2m_agent_build_info{version="0.1.0",firmware="1.0",board="simulated"}': 1,
    'lwm2m_agent_registered{server="1",uri="coap://lwm2m.example.com"}': 1,
    lwm2m_agent_observations: 5,
    lwm2m_agent_queued_notifications: 0,
    lwm2m_agent_firmware_state: 0,
    lwm2m_agent_firmware_result: 1,
    lwm2m_agent_firmware_progress_ratio: 0,
    lwm2m_agent_updates_held: 0,
    lwm2m_agent_resident_memory_bytes: 61_000_000,
    lwm2m_agent_uptime_seconds: 61.5,
    lwm2m_agent_cpu_seconds_total: 1.75,
    lwm2m_agent_starts_total: 3,
    lwm2m_agent_download_bytes_total: 12_582_912,
    lwm2m_agent_event_loop_lag_seconds: 0.002,
    lwm2m_agent_event_loop_lag_longest_seconds: 1.5,
  });
});

test("an update that runs, a hold and a Server that is away show", () => {
  const { servers, firmware } = idleStatus;
  const samples = samplesOf({
    ...idleStatus,
    servers: servers.map((server) => ({ ...server, state: "backingOff" })),
    keptNotifications: 17,
    firmware: {
      ...firmware,
      state: 1,
      hold: { reason: "harvest", since: "2026-01-01T00:00:00.000Z", until: null },
      progress: { phase: "downloading", fraction: 0.25, received: 250, total: 1000 },
    },
  });
  expect(samples).toMatchObject({
    'lwm2m_agent_registered{server="1",uri="coap://lwm2m.example.com"}': 0,
    lwm2m_agent_queued_notifications: 17,
    lwm2m_agent_firmware_state: 1,
    lwm2m_agent_firmware_progress_ratio: 0.25,
    lwm2m_agent_updates_held: 1,
  });
});

test("what devices and Servers call themselves stays in its label", () => {
  const nasty = 'a"b\\c\nlwm2m_agent_registered 1';
  const text = renderMetrics(
    { ...idleStatus, board: { ...idleStatus.board, firmwareVersion: nasty } },
    figures,
  );
  const [build] = parseOpenMetrics(text);
  expect(build?.samples).toHaveLength(1);
  expect(text).toContain('firmware="a\\"b\\\\c\\nlwm2m_agent_registered 1"');
});

test.each([
  ["no end", "# TYPE a gauge\na 1\n"],
  ["a sample of no family", "a 1\n# EOF\n"],
  ["a counter without _total", "# TYPE a counter\na 1\n# EOF\n"],
  ["a unit that the name does not end in", "# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n"],
  ["a family that comes twice", "# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n"],
  ["the same sample twice", "# TYPE a gauge\na 1\na 2\n# EOF\n"],
  ["a counter that is negative", "# TYPE a counter\na_total -1\n# EOF\n"],
  ["an info other than 1", '# TYPE a info\na_info{b="c"} 2\n# EOF\n'],
  ["an open label", '# TYPE a gauge\na{b="c} 1\n# EOF\n'],
  ["an empty line", "# TYPE a gauge\n\na 1\n# EOF\n"],
])("the parser of these tests refuses %s", (_, text) => {
  expect(() => parseOpenMetrics(text)).toThrow();
});
