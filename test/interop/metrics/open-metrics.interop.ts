/** The metrics, read by the library that Prometheus itself is tested against. */
import { execFile } from "node:child_process";
import { expect, test } from "vitest";
import { millis } from "../../../agent/ports.js";
import { renderMetrics } from "../../../agent/service/metrics.js";
import { busyStatus, idleStatus } from "../../agent/service/statuses.js";

/** Prints families with their types and samples, or ends with an error. */
const script = `
import json, sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit("prometheus_client is missing: install the Debian package python3-prometheus-client")
print(json.dumps({f.name: [f.type, f.unit, len(f.samples)] for f in text_string_to_metric_families(sys.stdin.read())}))
`;

function parse(text: string): Promise<Readonly<Record<string, readonly [string, string, number]>>> {
  return new Promise((resolve, reject) => {
    const python = execFile("/usr/bin/python3", ["-c", script], (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout));
      else reject(new Error(stderr.trim().split("\n").at(-1) ?? error.message));
    });
    python.stdin?.end(text);
  });
}

const figures = {
  uptime: 61_500.25,
  cpu: { user: 1_500_000, system: 3 },
  lag: { last: millis(0.0000001), longest: millis(1500) },
  starts: 3,
  downloaded: 2 ** 40,
};

test("Prometheus's own reader takes the metrics of a device that is well, and of one that is busy", async () => {
  const idle = await parse(renderMetrics(idleStatus, figures));
  expect(idle).toMatchObject({
    lwm2m_agent_build: ["info", "", 1],
    lwm2m_agent_registered: ["gauge", "", 1],
    lwm2m_agent_starts: ["counter", "", 1],
    lwm2m_agent_download_bytes: ["counter", "bytes", 1],
    lwm2m_agent_event_loop_lag_seconds: ["gauge", "seconds", 1],
  });
  const busy = await parse(renderMetrics(busyStatus, figures));
  expect(busy).toMatchObject({ lwm2m_agent_registered: ["gauge", "", 2] });
});

test("it takes labels with quotes, backslashes and line breaks", async () => {
  const board = { ...idleStatus.board, firmwareVersion: 'a"b\\c\nd' };
  expect(await parse(renderMetrics({ ...idleStatus, board }, figures))).toMatchObject({
    lwm2m_agent_build: ["info", "", 1],
  });
});

test("it would see a mistake", async () => {
  const text = renderMetrics(idleStatus, figures);
  await expect(parse(text.replace("# EOF\n", ""))).rejects.toThrow(/Missing # EOF/);
  await expect(parse(text.replace("starts_total", "starts"))).rejects.toThrow(
    /Clashing|total|Unit|Counter|name/i,
  );
});
