/** What somebody who is not there wants to know of a device. Works, with less, where the service does not run. */
import { hostname } from "node:os";
import type { ArchiveEntry } from "../../../platform/archive.js";
import { describeError } from "../../../platform/system-error.js";
import { defaultDirectories } from "../../config/defaults.js";
import { readConfig } from "../../config/load.js";
import { formatProblem } from "../../config/problem.js";
import type { ServiceConfig } from "../../config/service-config.js";
import type { ConfigSources } from "../../config/sources.js";
import type { ControlClient } from "../../control/client.js";
import type { Clock } from "../../ports.js";
import { boardFacts } from "./board.js";
import { createScrubber, maskConfiguration } from "./redaction.js";
import { knownSecrets, stateRecords } from "./state.js";
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

  await Promise.all([
    add("status.json", async () => json(await service.ask<"status">({ method: "status" }))),
    add("metrics.txt", () => service.ask<"metrics">({ method: "metrics" })),
    add("log/recent.jsonl", async () => lines(await service.ask<"log">({ method: "log" }))),
    add("log/journal.txt", () => journal(clock)),
    add("configuration.json", async () => configuration(read)),
    add("board.json", async () => json(await boardFacts(config))),
    add("versions.json", async () => json({ agent: version, ...(await systemFacts(directories)) })),
    add("network.json", async () => json(await networkFacts(config))),
    ...programFacts.map(({ name, run }) => add(`programs/${name}.txt`, () => run(clock))),
    add("state.txt", async () => {
      const { listing, records } = await stateRecords(directories);
      for (const { name, content } of records) await add(`state/${name}`, async () => content);
      return lines(listing);
    }),
  ]);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  missing.sort();
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
