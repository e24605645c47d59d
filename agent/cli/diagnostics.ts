/** `lwm2m-agent diagnostics`: one file for whoever helps from afar. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { createArchive } from "../../platform/archive.js";
import { createSystemClock } from "../../platform/clock.js";
import { describeError, errorCode } from "../../platform/system-error.js";
import { defaultEndpointName } from "../config/defaults.js";
import { createControlClient } from "../control/client.js";
import { ConfigError } from "../model/errors.js";
import { collectDiagnosis } from "../service/diagnostics/collect.js";
import { surroundings } from "./config-flags.js";
import { type ConnectionFlags, controlSocket, print, printJson, withConnection } from "./service-client.js";
import { programVersion } from "./version.js";

interface DiagnosticsFlags extends ConnectionFlags {
  readonly output: string | undefined;
}

export const diagnosticsCommand: CommandModule<object, DiagnosticsFlags> = {
  command: "diagnostics",
  describe: "Put into one file what somebody who helps wants to know",
  builder: (yargs) =>
    withConnection(yargs)
      .usage(
        "$0 diagnostics\n\nStatus, metrics, log, configuration, state, versions, board and network of this device, as a tar.gz. It holds no\n" +
          "keys and no passwords. Works, with less, when the agent does not run; as root it sees most.",
      )
      .option("output", {
        type: "string",
        requiresArg: true,
        alias: "o",
        describe: "The file, which must not be there yet; - is standard output",
      })
      .example("sudo $0 diagnostics", "Into a file of this folder, named after the device and the time")
      .example("ssh pump-7 sudo lwm2m-agent diagnostics -o - > pump-7.tar.gz", "From afar") as never,
  handler: async (flags) => {
    const client = createControlClient(await controlSocket(flags));
    try {
      const here = surroundings();
      const clock = createSystemClock();
      const { entries, missing } = await collectDiagnosis({
        ...{ clock, version: programVersion(), service: client },
        sources: { file: flags.config, flags: [], surroundings: here },
      });
      const folder = `diagnostics-${defaultEndpointName(here)}`;
      const archive = await createArchive(
        entries.map(({ name, content }) => ({ name: `${folder}/${name}`.slice(0, 100), content })),
      );
      if (flags.output === "-") return void process.stdout.write(archive);
      const path = resolve(flags.output ?? `${folder}-${stamp(clock.date())}.tar.gz`);
      await writeNew(path, archive);
      if (flags.json) return printJson({ path, bytes: archive.length, missing });
      print(
        `${path}: ${Math.ceil(archive.length / 1024)} KiB, ${entries.length} files, no keys. Look into it: tar -tzf ${path}`,
        ...(missing.length === 0 ? [] : ["What could not be had:", ...missing.map((each) => `  ${each}`)]),
      );
    } finally {
      client.close();
    }
  },
};

/** `20260301T120000Z` */
const stamp = (date: Date): string => date.toISOString().replace(/[-:]|\.\d+/g, "");

/** For its owner alone: addresses and names of a device are not everybody's business. */
async function writeNew(path: string, content: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const remedy = errorCode(cause) === "EEXIST" ? "it is there already" : describeError(cause);
    throw new ConfigError(`${path} cannot be written: ${remedy}. Name another file with --output`, { cause });
  }
}
