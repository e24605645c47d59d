/** What the board says of itself, and what `lwm2m-agent check` finds. */
import { createLog } from "../../../platform/log.js";
import type { ServiceConfig } from "../../config/service-config.js";
import { describeBoard, findingsOf } from "../findings.js";

/** @throws Error when the configuration or the board cannot be used */
export async function boardFacts(config: ServiceConfig | undefined): Promise<object> {
  if (config === undefined) throw new Error("the configuration does not say which it is");
  const log = createLog({ level: "silent", pretty: false });
  const description = await describeBoard(config, log).catch((error: unknown) => ({ failed: `${error}` }));
  return { type: config.board.type, description, findings: await findingsOf(config, log) };
}
