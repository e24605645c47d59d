/** What the device runs on, and how it takes new firmware. One entry a type; `agent/service/boards.ts` makes them. */
import { z } from "zod";
import { duration, section, text } from "../values.js";
import { edisonKeys, raspberryPiKeys } from "./board-slots.js";

const description = {
  manufacturer: text({ expected: "text", maximum: 255 }).optional().describe("/3/0/0"),
  modelNumber: text({ expected: "text", maximum: 255 }).optional().describe("/3/0/1"),
  hardwareVersion: text({ expected: "text", maximum: 255 }).optional().describe("/3/0/18"),
};

/** The types of boards, each with the keys that it takes. */
export const boardTypes = {
  auto: section({ type: z.literal("auto"), ...description }).describe(
    "Find out; `none` where nothing is found.",
  ),
  none: section({ type: z.literal("none"), ...description }).describe("A device that takes no firmware."),
  edison: section({ type: z.literal("edison"), ...description, ...edisonKeys }).describe(
    "Intel Edison: its OTA partition and U-Boot. Needs root: docs/firmware.md.",
  ),
  "raspberry-pi": section({ type: z.literal("raspberry-pi"), ...description, ...raspberryPiKeys }).describe(
    "Raspberry Pi with two systems and tryboot. Needs root: docs/firmware.md.",
  ),
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
