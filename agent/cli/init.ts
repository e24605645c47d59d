/** `lwm2m-agent init`: writes a configuration that works, and explains the rest of it in comments. */
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import type { CommandModule } from "yargs";
import { describeError, errorCode } from "../../platform/system-error.js";
import { checkConfig } from "../config/check.js";
import { defaultEndpointName } from "../config/defaults.js";
import { boardTypes } from "../config/sections/board.js";
import { whyNoServerUri } from "../config/sections/servers.js";
import { defaultConfigFile } from "../config/sources.js";
import { type InitialConfig, renderConfig } from "../config/template.js";
import { ConfigError } from "../model/errors.js";
import { surroundings } from "./config-flags.js";
import { print } from "./service-client.js";

interface InitFlags {
  readonly output: string;
  readonly force: boolean;
  readonly "endpoint-name": string | undefined;
  readonly server: readonly string[];
  readonly bootstrap: string | undefined;
  readonly board: string | undefined;
}

export const initCommand: CommandModule<object, InitFlags> = {
  command: "init",
  describe: "Write a configuration, with comments",
  builder: (yargs) =>
    yargs
      .usage(
        "$0 init\n\nAsks what it cannot know, or takes it from flags, and writes a file that explains itself. A file that is there\n" +
          "stays as it is, unless --force is given.",
      )
      .option("output", {
        type: "string",
        requiresArg: true,
        default: defaultConfigFile,
        describe: "Where to write",
      })
      .option("force", { type: "boolean", default: false, describe: "Replace a file that is there" })
      .option("endpoint-name", {
        type: "string",
        requiresArg: true,
        describe: "What Servers know this device by",
      })
      .option("server", {
        type: "string",
        array: true,
        nargs: 1,
        default: [],
        describe: "An LwM2M Server: coap://host[:port]",
      })
      .option("bootstrap", {
        type: "string",
        requiresArg: true,
        describe: "A Bootstrap-Server: coap://host[:port]",
      })
      .option("board", { choices: Object.keys(boardTypes), describe: "How this device takes firmware" })
      .example("sudo $0 init", "Answer three questions")
      .example(
        "sudo $0 init --server coap://lwm2m.example.com --endpoint-name pump-7 --board auto",
        "Without questions, for scripts",
      ) as never,
  handler: async (flags) => {
    const file = resolve(flags.output);
    const content = renderConfig(await answers(flags));
    await write(file, content, flags.force);
    print(`${file} is written. Next: lwm2m-agent check, then systemctl enable --now lwm2m-agent.`);
  },
};

async function answers(flags: InitFlags): Promise<InitialConfig> {
  const isAsking = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const isComplete = flags.server.length > 0 || flags.bootstrap !== undefined;
  const suggested = defaultEndpointName(surroundings());
  const stated: InitialConfig = {
    endpointName: flags["endpoint-name"] ?? suggested,
    servers: flags.server,
    bootstrapServer: flags.bootstrap,
    board: flags.board ?? "auto",
    schemaPath: fileURLToPath(new URL("../../../schema/agent.schema.json", import.meta.url)),
  };
  if (!isComplete && !isAsking) {
    throw new ConfigError("there is nobody to ask: say --server coap://host or --bootstrap coap://host");
  }
  const initial = isComplete ? stated : await ask(stated, flags);
  const { faults } = checkConfig(valuesOf(initial));
  const [fault] = faults;
  if (fault === undefined) return initial;
  throw new ConfigError(
    `${fault.path.join(".")}: expected ${fault.expected}${fault.hint === undefined ? "" : `. ${fault.hint}`}`,
  );
}

const valuesOf = ({ endpointName, servers, bootstrapServer, board }: InitialConfig) => ({
  endpointName,
  servers: servers.map((uri) => ({ uri })),
  ...(bootstrapServer !== undefined && { bootstrapServer: { uri: bootstrapServer } }),
  board: { type: board },
});

async function ask(stated: InitialConfig, flags: InitFlags): Promise<InitialConfig> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const question = async (text: string, fallback: string) =>
      (await terminal.question(`${text} [${fallback}]: `)).trim() || fallback;
    const uri = async () => {
      for (;;) {
        const answer = (await terminal.question("Address of the LwM2M Server, coap://host[:port]: ")).trim();
        const fault = answer === "" ? "There has to be one" : whyNoServerUri(answer);
        if (fault === undefined) return answer;
        print(`  ${fault}.`);
      }
    };
    const endpointName =
      flags["endpoint-name"] ?? (await question("Endpoint name of this device", stated.endpointName));
    const server = await uri();
    const isBootstrap = /^y/i.test(
      await question("Is that a Bootstrap-Server, which names the Server? y/n", "n"),
    );
    const board =
      flags.board ?? (await question(`Board (${Object.keys(boardTypes).join(", ")})`, stated.board));
    return {
      ...stated,
      endpointName,
      board,
      servers: isBootstrap ? [] : [server],
      bootstrapServer: isBootstrap ? server : undefined,
    };
  } finally {
    terminal.close();
  }
}

async function write(file: string, content: string, force: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    const replaces = force || (await saysNothing(file));
    const draft = replaces ? `${file}.new` : file;
    await writeFile(draft, content, { flag: replaces ? "w" : "wx" });
    await chmod(draft, 0o644); // the user of the service reads it; it holds no secret
    if (replaces)
      await rename(draft, file).catch((error: unknown) =>
        rm(draft, { force: true }).then(() => Promise.reject(error)),
      );
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") {
      throw new ConfigError(`${file} is there already: edit it, or replace it with --force`, { cause });
    }
    throw new ConfigError(`${file} cannot be written: ${describeError(cause)}. Use sudo, or --output`, {
      cause,
    });
  }
}

/** As the one that a package brings: comments, and no key. */
async function saysNothing(file: string): Promise<boolean> {
  try {
    return (await readFile(file, "utf8")).split("\n").every((line) => /^\s*(#|$)/.test(line));
  } catch {
    return false; // it is not there, or what is there is not ours to replace
  }
}
