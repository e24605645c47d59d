/** What the service shows on loopback, as far as it is configured: metrics for monitoring, a page for technicians. */
import { describeError } from "../../../platform/system-error.js";
import type { LocalPort, ServiceConfig } from "../../config/service-config.js";
import type { ServiceStatus } from "../../control/status.js";
import type { Log } from "../../ports.js";
import { createLoopbackServer, type LoopbackServer, type Page } from "./loopback-server.js";

export interface LocalPagesOptions {
  readonly config: Pick<ServiceConfig, "metrics" | "statusPage">;
  readonly status: () => Promise<ServiceStatus>;
  readonly metrics: () => Promise<string>;
  readonly recentLog: () => readonly string[];
  readonly now: () => Date;
  readonly log: Log;
}

/** OpenMetrics 1.0, "Content Type". */
const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Does not fail: a port that is taken must not keep a device from its Servers. */
export async function openLocalPages(options: LocalPagesOptions): Promise<LoopbackServer> {
  const { config, log } = options;
  const servers: LoopbackServer[] = [];
  for (const [{ address, port }, pages] of await pagesByPort(options)) {
    try {
      servers.push(await createLoopbackServer({ address, port, pages, log }));
      log.info("local pages", { address, port, paths: [...pages.keys()] });
    } catch (error) {
      log.error("local pages not served", {
        reason: describeError(error),
        advice: `another program has the port: give ${config.metrics?.port === port ? "metrics.port" : "statusPage.port"} another one`,
      });
    }
  }
  return { close: async () => void (await Promise.all(servers.map((server) => server.close()))) };
}

/** Two that are given the same port share it. */
async function pagesByPort(
  options: LocalPagesOptions,
): Promise<readonly (readonly [LocalPort, ReadonlyMap<string, Page>])[]> {
  const { metrics, statusPage } = options.config;
  const ofMetrics = new Map([["/metrics", metricsPage(options)]]);
  const ofStatus = statusPage === undefined ? new Map<string, Page>() : await statusPages(options);
  if (metrics === undefined || statusPage === undefined) {
    return [
      ...(metrics === undefined ? [] : [[metrics, ofMetrics] as const]),
      ...(statusPage === undefined ? [] : [[statusPage, ofStatus] as const]),
    ];
  }
  return metrics.port === statusPage.port && metrics.address === statusPage.address
    ? [[metrics, new Map([...ofStatus, ...ofMetrics])]]
    : [
        [metrics, ofMetrics],
        [statusPage, ofStatus],
      ];
}

const metricsPage = ({ metrics }: LocalPagesOptions): Page => ({
  contentType: openMetricsType,
  content: shared(metrics),
});

async function statusPages({ status, recentLog, now }: LocalPagesOptions): Promise<Map<string, Page>> {
  const [{ renderStatusPage }, { statusView }] = await Promise.all([
    import("./status-page.js"),
    import("./status-view.js"),
  ]);
  const { html, contentSecurityPolicy } = renderStatusPage();
  return new Map<string, Page>([
    [
      "/",
      {
        contentType: "text/html; charset=utf-8",
        headers: { "Content-Security-Policy": contentSecurityPolicy },
        content: () => html,
      },
    ],
    [
      "/status.json",
      {
        contentType: "application/json; charset=utf-8",
        content: shared(async () => JSON.stringify(statusView(await status(), recentLog(), now()))),
      },
    ],
  ]);
}

/** Whoever asks while it is being made gets the same. */
function shared(make: () => Promise<string>): () => Promise<string> {
  let making: Promise<string> | undefined;
  return () => {
    making ??= make().finally(() => {
      making = undefined;
    });
    return making;
  };
}
