/** The scripts of the configuration in the words of agent/scripts.ts. */
import { basename } from "node:path";
import type { ServiceConfig } from "../config/service-config.js";
import { seconds } from "../ports.js";
import type { ScriptOptions } from "../scripts.js";
import { given } from "./given.js";

/** Each with a name of its own: that of its definition file, and a number where another has that already. */
export function scriptOptions({
  scripts,
}: ServiceConfig): readonly (ScriptOptions & { readonly name: string })[] {
  const names = new Set<string>();
  return scripts.map(({ object, program, pollInterval, timeLimit, instances, resources }) => {
    const base = `script-${basename(object, ".xml").replace(/[^A-Za-z0-9]+/g, "-")}`.slice(0, 60);
    let name = base;
    for (let number = 2; names.has(name); number++) name = `${base}-${number}`;
    names.add(name);
    return {
      ...{ name, object, program },
      ...given({ instances, resources }),
      ...given({
        pollInterval: pollInterval === undefined ? undefined : seconds(pollInterval),
        timeLimit: timeLimit === undefined ? undefined : seconds(timeLimit),
      }),
    };
  });
}
