/** How firmware updates are handled, whatever the board. */
import { absolutePath, flag, list, section, size, text } from "../values.js";

const packageName = () => text({ expected: "the name of a board or model, of 1 to 128 bytes", maximum: 128 });

export const firmwareKeys = {
  firmware: section({
    maximumSize: size(1).optional().describe("Of a package; a larger one is refused. 1 GiB when not given."),
    keys: list(absolutePath(), 64, "files or folders of public keys")
      .optional()
      .describe(
        "Public keys of those whose packages are installed: files, or folders of *.pub and *.pem, as `lwm2m-agent firmware keygen` makes them. They are read for each package.",
      ),
    requireSignature: flag()
      .optional()
      .describe(
        "Refuse packages that are not signed: yes with keys, unless RAUC or SWUpdate checks them with its own.",
      ),
    compatible: list(packageName(), 64, "names of boards or models")
      .optional()
      .describe(
        "Names by which a package may be meant for this device; the model number and the type of the board when not given.",
      ),
    allowDowngrade: flag()
      .optional()
      .describe("Install older versions than the one that runs: no when not given."),
    allowReinstall: flag()
      .optional()
      .describe("Install the version that runs once more: yes when not given."),
  })
    .optional()
    .describe("Firmware updates."),
};
