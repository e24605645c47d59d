/** What the device runs on, and how it takes new firmware. One entry a type; `agent/service/boards.ts` makes them. */
import { z } from "zod";
import { absolutePath, command, duration, flag, list, section, step, text } from "../values.js";
import { edisonKeys, raspberryPiKeys } from "./board-slots.js";

const shortText = (what: string) =>
  text({ expected: "text of at most 255 bytes", maximum: 255 }).optional().describe(what);

const shortValue = () => text({ expected: "text of at most 255 bytes", maximum: 255 });

/** In place of what the device says of itself. */
const description = {
  manufacturer: shortText("/3/0/0; what the device says of itself when not given."),
  modelNumber: shortText("/3/0/1; what the device says of itself when not given."),
  serialNumber: shortText("/3/0/2; what the device says of itself when not given."),
  hardwareVersion: shortText("/3/0/18; what the device says of itself when not given."),
};

const restart = {
  restart: z
    .union([z.enum(["systemctl", "logind"]), command()], {
      error: '"systemctl", "logind", or a section with program and arguments',
    })
    .optional()
    .describe("How the machine is restarted; systemctl for root, logind for others when not given."),
};

/** Boards that need rights which the agent does not have. */
const helper = {
  helper: flag()
    .optional()
    .describe("lwm2m-agent-helper does what needs root; true when not given and the agent is not root."),
};

const records = {
  recordDirectory: absolutePath()
    .optional()
    .describe(
      "Where the board notes what it does, seen by both images; below the state folder when not given.",
    ),
};

const factoryReset = z
  .union([section({ bundle: absolutePath() }), command()], {
    error: "a section with bundle, or with program and arguments",
  })
  .optional()
  .describe("How the device returns to its factory image; refused when not given.");

const steps = {
  describe: step().optional().describe("Prints what the device is, as key=value lines."),
  inspect: step().optional().describe("Can the package be installed? Prints its name and version."),
  apply: step().describe("Installs the package."),
  outcome: step().optional().describe("After a boot: does the new image run?"),
  commit: step().optional().describe("Makes the running image the one that stays."),
  revert: step().optional().describe("Returns to the previous image."),
  restart: step().optional().describe("Restarts the machine."),
  "factory-reset": step().optional().describe("Returns to the factory image and settings."),
};

/** The types of boards, each with the keys that it takes. */
export const boardTypes = {
  auto: section({ type: z.literal("auto"), ...description, ...restart }).describe(
    "Find out; `none` where nothing is found.",
  ),
  none: section({ type: z.literal("none"), ...description, ...restart }).describe(
    "A device that takes no firmware.",
  ),
  rauc: section({
    type: z.literal("rauc"),
    ...description,
    ...restart,
    ...records,
    program: absolutePath().optional().describe("rauc, as PATH has it, when not given."),
    systemConf: absolutePath()
      .optional()
      .describe("RAUC's configuration; /etc/rauc/system.conf when not given."),
    installationLimit: duration(60, 7 * 86_400)
      .optional()
      .describe("For an installation; 2 h when not given."),
    factoryReset,
  }).describe("Two slots, by RAUC."),
  swupdate: section({
    type: z.literal("swupdate"),
    ...description,
    ...restart,
    ...records,
    socketDirectory: absolutePath()
      .optional()
      .describe("Where SWUpdate's sockets are; /run/swupdate or /tmp when not given."),
    key: absolutePath()
      .optional()
      .describe("What packages must be signed by (-k): a CA or a public key, as SWUpdate was built."),
    hardware: text({ expected: "a board and its revision, as in gateway:1.0", pattern: /^[^\s:]+:\S+$/ })
      .optional()
      .describe("board:revision (-H); /etc/hwrevision when not given."),
    copies: list(
      section({
        root: absolutePath().describe("Its root device, as `swupdate -g` names it."),
        selection: text({
          expected: "SOFTWARE,MODE as in stable,copy1",
          pattern: /^[^\s,]+,[^\s,]+$/,
        }).describe("What installs into it, as after `swupdate-client -e`."),
        boot: z
          .record(
            z.string().regex(/^[A-Za-z0-9_]{1,64}$/, { error: "a name of letters, digits and _" }),
            shortValue(),
            {
              error: "names of variables, each with a value",
            },
          )
          .optional()
          .describe("Variables of the boot loader that make it boot."),
      }),
      4,
      "copies of the system",
    )
      .optional()
      .describe("The copies of the system; not needed where packages say themselves where they go."),
    fallsBack: flag()
      .optional()
      .describe("The boot loader counts boots and returns to the previous copy by itself."),
    bootEnvironment: z
      .enum(["u-boot", "none"], { error: "u-boot or none" })
      .optional()
      .describe("Where SWUpdate keeps its state: in that of U-Boot when not given."),
    installationLimit: duration(60, 7 * 86_400)
      .optional()
      .describe("For an installation; 2 h when not given."),
    factoryReset: z
      .union([section({ package: absolutePath() }), command()], {
        error: "a section with package, or with program and arguments",
      })
      .optional()
      .describe("How the device returns to its factory image; refused when not given."),
  }).describe("By SWUpdate."),
  edison: section({
    type: z.literal("edison"),
    ...description,
    ...restart,
    ...helper,
    ...records,
    ...edisonKeys,
  }).describe("Intel Edison: its OTA partition and U-Boot. Needs root: docs/firmware.md."),
  "raspberry-pi": section({
    type: z.literal("raspberry-pi"),
    ...description,
    ...restart,
    ...helper,
    ...records,
    ...raspberryPiKeys,
  }).describe("Raspberry Pi with two systems and tryboot. Needs root: docs/firmware.md."),
  command: section({
    type: z.literal("command"),
    ...description,
    ...helper,
    commands: section(steps).describe("The steps that are programs."),
  }).describe("Programs of the operator's own."),
  simulated: section({
    type: z.literal("simulated"),
    applyDuration: duration(0, 86_400)
      .optional()
      .describe("How long an installation takes; 5 s when not given."),
    firmwareVersion: text({ expected: "a version", maximum: 255 })
      .optional()
      .describe("Of the factory image; 1.0 when not given."),
  }).describe("A board of files: takes simulated images and restarts in the same process."),
};

export type BoardType = keyof typeof boardTypes;

const [first, ...others] = Object.values(boardTypes);

export const boardKeys = {
  board: z
    .discriminatedUnion("type", [first as (typeof boardTypes)["auto"], ...others], {
      error: `a board, such as "type: auto"`,
    })
    .optional()
    .describe("What the device runs on, and how it takes new firmware; `type: auto` when not given."),
};
