/** What somebody who is not there wants to know of a device. Works, with less, where the service does not run. */
import { hostname } from "node:os";
import type { ArchiveEntry } from "../../../platform/archive.js";
import { describeError } from "../../../platform/system-error.js";
import { defaultDirectories } from "../../config/defaults.js";
import { type ConfigSources, readConfig } from "../../config/load.js";
import { formatProblem } from "../../config/problem.js";
import type { ServiceConfig } from "../../config/service-config.js";
import type { ControlClient } from "../../control/client.js";
import type { Clock } from "../../ports.js";
import { boardFacts } from "./board.js";
import { createScrubber, maskConfiguration } from "./redaction.js";
import { knownSecrets, type StateRecords, stateRecords } from "./state.js";
import { journal, networkFacts, programFacts, systemFacts } from "./system.js";

export interface DiagnosticsOptions {
  readonly sources: ConfigSources;
  /** Of the program. */
  readonly version: string;
  readonly service: Pick<ControlClient, "ask">;
  readonly clock: Clock;
}

export interface Diagnosis {
  readonly entries: readonly ArchiveEntry[];
  /** What could not be had, as sentences. */
  readonly missing: readonly string[];
}

/** One text is no reason to send a hundred megabytes. */
const maximumEntry = 4 * 1024 * 1024;

/** Does not fail: what cannot be had is named. */
export async function collectDiagnosis(options: DiagnosticsOptions): Promise<Diagnosis> {
  const { sources, version, service, clock } = options;
  const read = await readConfig(sources);
  const config = "config" in read ? read.config : undefined;
  const directories = config?.directories ?? defaultDirectories(sources.surroundings);
  const missing: string[] = [];
  const entries: ArchiveEntry[] = [];
  const scrub = createScrubber(await knownSecrets(directories, config));
  const add = async (name: string, collect: () => Promise<string | undefined>) => {
    try {
      const content = await collect();
      if (content !== undefined) entries.push({ name, content: scrub(content).slice(0, maximumEntry) });
    } catch (error) {
      missing.push(`${name}: ${scrub(describeError(error))}`);
    }
  };

  await add("status.json", async () => json(await service.ask<"status">({ method: "status" })));
  await add("metrics.txt", () => service.ask<"metrics">({ method: "metrics" }));
  await add("log/recent.jsonl", async () => lines(await service.ask<"log">({ method: "log" })));
  await add("log/journal.txt", () => journal(clock));
  await add("configuration.json", async () => configuration(read));
  await add("board.json", async () => json(await boardFacts(config)));
  await add("versions.json", async () => json({ agent: version, ...(await systemFacts(directories)) }));
  await add("network.json", async () => json(await networkFacts(config)));
  for (const { name, run } of programFacts) await add(`programs/${name}.txt`, () => run(clock));
  let records: StateRecords["records"] = [];
  await add("state.txt", async () => {
    const state = await stateRecords(directories);
    records = state.records;
    return lines(state.listing);
  });
  for (const { name, content } of records) await add(`state/${name}`, async () => content);
  const about = { name: "README.txt", content: readme({ version, date: clock.date(), entries, missing }) };
  return { entries: [about, ...entries], missing };
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join("");

function configuration(read: Awaited<ReturnType<typeof readConfig>>): string {
  if ("problems" in read) return json({ problems: read.problems.map(formatProblem) });
  const { stated: _, ...inForce }: ServiceConfig = read.config;
  return json(maskConfiguration({ stated: read.config.stated, inForce }));
}

function readme({
  version,
  date,
  entries,
  missing,
}: {
  readonly version: string;
  readonly date: Date;
  readonly entries: readonly ArchiveEntry[];
  readonly missing: readonly string[];
}): string {
  return lines([
    `Diagnosis of lwm2m-agent ${version} on ${hostname()}, ${date.toISOString()}`,
    "",
    "It holds no keys and no passwords: of the accounts what is known to be harmless, of other records that hold values only",
    "their size. Names, addresses and the log of this device are in it: send it to whom you trust with those.",
    "",
    ...entries.map(({ name, content }) => `${name}  ${content.length} characters`),
    "",
    ...(missing.length === 0
      ? ["Nothing is missing."]
      : ["What could not be had:", ...missing.map((each) => `  ${each}`)]),
  ]);
}
