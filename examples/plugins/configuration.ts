/**
 * What a Server applies with the Configuration Object becomes the configuration of an application: checked, written in one step,
 * and refused with a reason when it is wrong. What was in force then stays.
 */
import { rename, writeFile } from "node:fs/promises";
import { definePlugin, type Plugin, RequestError } from "lwm2m-agent/plugin";

export interface ConfigurationOptions {
  /** The application reads it when it changes. */
  readonly file?: string;
}

export function createConfiguration({
  file = "/var/lib/pump/settings.json",
}: ConfigurationOptions = {}): Plugin {
  return definePlugin({
    name: "configuration",
    api: 1,

    async configurationApplied({ name, value = "" }, agent) {
      const settings = parse(value);
      const draft = `${file}.new`;
      await writeFile(draft, `${JSON.stringify(settings, undefined, 2)}\n`);
      await rename(draft, file); // the application sees the old file or the new one, never half of one
      agent.log.info("settings written", { name, ...settings });
    },
  });
}

interface Settings {
  readonly litresPerMinute: number;
  readonly nightMode: boolean;
}

function parse(value: string): Settings {
  let given: Partial<Record<keyof Settings, unknown>> | null;
  try {
    given = JSON.parse(value);
  } catch (cause) {
    throw new RequestError("4.00", "the value is no JSON", { cause });
  }
  const { litresPerMinute, nightMode = false } = given ?? {};
  if (typeof litresPerMinute !== "number" || litresPerMinute < 0 || litresPerMinute > 40) {
    throw new RequestError("4.00", "litresPerMinute is a number from 0 to 40");
  }
  if (typeof nightMode !== "boolean") throw new RequestError("4.00", "nightMode is true or false");
  return { litresPerMinute, nightMode };
}

export const plugin = createConfiguration();
