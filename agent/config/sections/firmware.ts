/** How firmware updates are handled, whatever the board. */
import { section, size } from "../values.js";

export const firmwareKeys = {
  firmware: section({
    maximumSize: size(1).optional().describe("Of a package; a larger one is refused. 1 GiB when not given."),
  })
    .optional()
    .describe("Firmware updates."),
};
