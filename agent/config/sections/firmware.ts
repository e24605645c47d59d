/** How firmware updates are handled, whatever the board. */
import type { z } from "zod";
import {
  absolutePath,
  choice,
  command,
  duration,
  flag,
  list,
  section,
  size,
  text,
  wholeNumber,
} from "../values.js";

const stages = ["download", "apply", "restart", "commit"] as const;
const hookNames = stages.flatMap((stage) => [`before-${stage}`, `after-${stage}`] as const);

const hooks = Object.fromEntries(
  hookNames.map((name) => [
    name,
    command()
      .optional()
      .describe(`Run ${name.replace("-", " ")}.`),
  ]),
) as Record<(typeof hookNames)[number], z.ZodOptional<ReturnType<typeof command>>>;

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
    delivery: choice("pull", "push", "both")
      .optional()
      .describe("How packages may come; both when not given."),
    trial: section({
      timeLimit: duration(10, 86_400)
        .optional()
        .describe(
          "For a new image to prove itself; afterwards the previous one comes back. 15 min when not given.",
        ),
      connectivity: choice("required", "ignored")
        .optional()
        .describe("Must it reach a Server that the old image reached? Required when not given."),
      health: command().optional().describe("The operator's own check: exit code 0 when the device is well."),
      healthInterval: duration(1, 3600)
        .optional()
        .describe("Between two runs of the check; 10 s when not given."),
      maximumBoots: wholeNumber(1, 100)
        .optional()
        .describe("How often the agent may start during the trial; 5 when not given."),
    })
      .optional()
      .describe("What a new image has to show before it is to stay."),
    hooks: section({
      directory: absolutePath()
        .optional()
        .describe("A folder with executables such as before-apply; /etc/lwm2m-agent/hooks.d when not given."),
      timeLimit: duration(1, 86_400).optional().describe("Of each hook; 5 min when not given."),
      ...hooks,
    })
      .optional()
      .describe("The operator's executables before and after each stage of an update."),
    maximumResumes: wholeNumber(0, 100)
      .optional()
      .describe("How often an update that was interrupted is taken up again; 2 when not given."),
  })
    .optional()
    .describe("Firmware updates."),
};
