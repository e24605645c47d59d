/** The files that make a service of the agent, where a system keeps what its administrator puts there. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../model/errors.js";

/** How the agent is called: what npm installed has no place of its own in the units. */
export interface InstalledProgram {
  readonly node: string;
  readonly script: string;
}

export interface UnitFile {
  /** From the root of the system. */
  readonly path: string;
  readonly content: string;
}

/** Each is in the package's `systemd/`; below /etc nothing of a distribution is overwritten. */
const places = [
  ["lwm2m-agent.service", "etc/systemd/system/lwm2m-agent.service"],
  ["lwm2m-agent-helper.socket", "etc/systemd/system/lwm2m-agent-helper.socket"],
  ["lwm2m-agent-helper.service", "etc/systemd/system/lwm2m-agent-helper.service"],
  ["sysusers.d/lwm2m-agent.conf", "etc/sysusers.d/lwm2m-agent.conf"],
  ["tmpfiles.d/lwm2m-agent.conf", "etc/tmpfiles.d/lwm2m-agent.conf"],
  ["polkit/50-lwm2m-agent.rules", "etc/polkit-1/rules.d/50-lwm2m-agent.rules"],
] as const;

export const unitPaths: readonly string[] = places.map(([, path]) => path);
export const sysusersPath = "etc/sysusers.d/lwm2m-agent.conf";
export const tmpfilesPath = "etc/tmpfiles.d/lwm2m-agent.conf";
export const agentUnit = "lwm2m-agent.service";
export const helperUnit = "lwm2m-agent-helper.socket";

/** In the first line; what has it is ours to overwrite and to remove. */
const mark = "Written by `lwm2m-agent service install`; `lwm2m-agent service uninstall` removes it.";

export const isOurs = (content: string): boolean => content.includes(mark);

/** As our sysusers.d makes it, in passwd(5); one of the same name may be of somebody else. */
const ownUser = /^lwm2m-agent:[^:]*:\d+:\d+:LwM2M device agent:\/var\/lib\/lwm2m-agent:/m;

export const hasOwnUser = (passwd: string): boolean => ownUser.test(passwd);

/** Folders that our tmpfiles.d makes, the innermost first. */
export const foldersOf = (tmpfiles: string): readonly string[] =>
  [...tmpfiles.matchAll(/^d (\/\S+) /gm)].map(([, path = ""]) => path).reverse();

/** @throws ConfigError when this program does not bring them */
export async function unitFiles(folder: string, program: InstalledProgram): Promise<readonly UnitFile[]> {
  return Promise.all(
    places.map(async ([source, path]) => {
      const text = await readFile(join(folder, source), "utf8").catch((cause: unknown) => {
        throw new ConfigError(
          `${join(folder, source)} is not there: this lwm2m-agent came with a package of the system, which has units of its own`,
          { cause },
        );
      });
      const comment = path.endsWith(".rules") ? "//" : "#";
      return { path, content: `${comment} ${mark}\n${called(text, program)}` };
    }),
  );
}

const called = (unit: string, { node, script }: InstalledProgram): string =>
  unit.replaceAll(
    /^(Exec\w+=)\/usr\/bin\/lwm2m-agent /gm,
    (_, key: string) => `${key}${word(node)} ${word(script)} `,
  );

/** A word of a command line, systemd.service(5): % and $ would be expanded, quotes and blanks end it. */
function word(path: string): string {
  const text = path.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
