/** What boards that write partitions themselves can be told. The defaults are those of their factory images. */
import { z } from "zod";
import { absolutePath, choice, section, text, wholeNumber } from "../values.js";

const programPath = () => absolutePath().optional();

const bootEnvironment = section({
  configuration: absolutePath().optional().describe("/etc/fw_env.config when not given."),
  printProgram: programPath().describe("fw_printenv of the path when not given."),
  setProgram: programPath().describe("fw_setenv of the path when not given."),
})
  .optional()
  .describe("How the environment of U-Boot is read and written.");

export const edisonKeys = {
  updatePartition: absolutePath().optional().describe("/dev/disk/by-partlabel/update when not given."),
  mountPoint: absolutePath()
    .optional()
    .describe("A folder of the agent's own; /run/lwm2m-agent-helper/update when not given."),
  request: choice("environment", "restart-argument")
    .optional()
    .describe("How the boot loader hears of an update: by bootargs_mode, or by `reboot ota`."),
  bootEnvironment,
  packageVersionFile: text({ expected: "the name of a file in the package", maximum: 255 })
    .optional()
    .describe("Its first line is the version of a bare zip archive; unknown when not given."),
  factoryPackage: section({ file: absolutePath().describe("Its path.") })
    .optional()
    .describe("What a factory reset installs; it is refused when not given."),
  serialNumberFile: absolutePath().optional().describe("/factory/serial_number when not given."),
  versionFile: absolutePath().optional().describe("Of the image that runs; /etc/version when not given."),
};

const slot = section({
  partition: wholeNumber(1, 255).describe("As boot_partition in autoboot.txt."),
  boot: absolutePath().describe("Its device."),
  root: absolutePath().describe("Device of the root partition that belongs to it."),
});

export const raspberryPiKeys = {
  slots: z
    .tuple([slot, slot], { error: "a list of two slots, each with partition, boot and root" })
    .optional()
    .describe("Partitions 2 and 5, 3 and 6 of /dev/mmcblk0 when not given."),
  autobootFile: absolutePath()
    .optional()
    .describe("Of the first partition, mounted read-only; /boot/autoboot/autoboot.txt when not given."),
  disk: absolutePath().optional().describe("The whole card; /dev/mmcblk0 when not given."),
  tryRequest: choice("argument", "parameter-file")
    .optional()
    .describe("How the firmware hears of a try: with the restart, or by /run/systemd/reboot-param."),
};
