/**
 * Packages for a controller behind this device, at a serial line: the agent fetches and verifies them, the plugin hands each
 * to the program that writes the controller. Nothing restarts; the update is over when the program says so.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { definePlugin, PackageError, type Plugin } from "lwm2m-agent/plugin";

export interface CustomInstallOptions {
  /** Called with the path of the package; exit code 0: written. */
  readonly program?: string;
}

export function createCustomInstall({
  program = "/usr/lib/pump/write-controller",
}: CustomInstallOptions = {}): Plugin {
  return definePlugin({
    name: "custom-install",
    api: 1,

    async updateExecuted({ objectInstanceId, signal, image }, agent) {
      const package_ = await image();
      if (package_ === undefined) throw new PackageError("failed", "there is no package on this device");
      agent.log.info("controller is written", { bytes: package_.size });
      try {
        await promisify(execFile)(program, [package_.path], { signal });
      } catch (cause) {
        throw new PackageError("failed", "the controller did not take the package", { cause }); // Result 8
      }
      await agent.setFirmwareUpdateResult(objectInstanceId, 1);
      await agent.setFirmwareUpdateState(objectInstanceId, 0);
    },
  });
}

export const plugin = createCustomInstall();
