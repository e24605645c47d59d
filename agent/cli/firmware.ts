/** `lwm2m-agent firmware …`: makes keys, signs packages, looks into them and tells whether a device would take them. */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Argv, CommandModule } from "yargs";
import { sha256OfFile } from "../../platform/files/sha256.js";
import { createLog } from "../../platform/log.js";
import { inspectFile, readManifest } from "../../platform/package/inspection.js";
import { parsePrivateKey } from "../../platform/package/keys.js";
import {
  createKeyFiles,
  type Release,
  writeReleaseBundle,
  writeSignatureFile,
} from "../../platform/package/release.js";
import { loadTrustedKeys } from "../../platform/package/trusted-keys.js";
import { createPackageVerifier } from "../../platform/package/verifier.js";
import { describeError } from "../../platform/system-error.js";
import { ConfigError } from "../model/errors.js";
import { type ImageFile, PackageError } from "../ports.js";
import { exitCodes } from "./failure.js";
import {
  renderInspection,
  renderKeys,
  renderSigned,
  renderVerified,
  valueOfInspection,
} from "./firmware-view.js";
import { askPassphrase, readPassphrase } from "./passphrase.js";

/** What the commands touch of the process they run in. */
export interface FirmwareCommandIo {
  out(line: string): void;
  err(line: string): void;
  /** 0: good · 1: refused · 2: it could not be done as asked. */
  exitCode(code: number): void;
  /** Asks a person, without showing what they type. */
  ask(question: string): Promise<string>;
}

const processIo: FirmwareCommandIo = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  exitCode: (code) => {
    process.exitCode = code;
  },
  ask: (question) => askPassphrase(question),
};

export function createFirmwareCommand(io: FirmwareCommandIo = processIo): CommandModule {
  return {
    command: "firmware <command>",
    describe: "Make keys, sign firmware packages, look into them and check them",
    builder: (yargs) =>
      yargs
        .command(keygenCommand(io))
        .command(signCommand(io))
        .command(inspectCommand(io))
        .command(verifyCommand(io))
        .demandCommand(1, "Say what to do: keygen, sign, inspect or verify.")
        .example("$0 firmware keygen release", "Once: release.key for you, release.pub for the devices")
        .example(
          "$0 firmware sign --key release.key --name gateway --version 1.4.0 --compatible acme-gateway-2 fw.bin",
          "For each release: fw.bin.sig, to lie beside fw.bin on the server",
        )
        .epilogue(
          "The exit code is 0 when all is good, 1 when a package is refused, 2 when the command could not run.",
        ),
    handler: () => {},
  };
}

export const firmwareCommand = createFirmwareCommand();

const withJson = <T>(yargs: Argv<T>) =>
  yargs.option("json", { type: "boolean", default: false, describe: "Answer in JSON" });

const withPassphraseFile = <T>(yargs: Argv<T>) =>
  yargs.option("passphrase-file", {
    type: "string",
    describe: "File whose first line is the passphrase of the private key",
  });

// ---- keygen ----------------------------------------------------------------------------------------------------

interface KeygenArguments {
  readonly name: string;
  readonly passphrase: boolean | undefined; // a default would conflict with the file
  readonly "passphrase-file": string | undefined;
  readonly json: boolean;
}

const keygenCommand = (io: FirmwareCommandIo): CommandModule<object, KeygenArguments> => ({
  command: "keygen <name>",
  describe: "Make a pair of keys: <name>.key to sign with, <name>.pub for the devices",
  builder: (yargs) =>
    withJson(withPassphraseFile(yargs))
      .positional("name", {
        type: "string",
        demandOption: true,
        describe: "Path of both files, without .key",
      })
      .option("passphrase", {
        type: "boolean",
        describe: "Ask for a passphrase, and encrypt the private key with it",
      })
      .conflicts("passphrase", "passphrase-file")
      .example("$0 firmware keygen release", "Keys without a passphrase, as a build machine may need them")
      .example(
        "$0 firmware keygen --passphrase release",
        "The private key is of no use without its passphrase",
      ),
  handler: async ({ name, passphrase, json, ...options }) => {
    const file = options["passphrase-file"];
    const secret = passphrase
      ? await askTwice(io)
      : file === undefined
        ? undefined
        : await readPassphrase(file);
    const key = await createKeyFiles(name, secret);
    io.out(json ? JSON.stringify(keyValue(name, key)) : renderKeys(name, key));
  },
});

const keyValue = (name: string, { id, source }: { readonly id: string; readonly source: string }) => ({
  keyId: id,
  privateKey: `${name}.key`,
  publicKey: source,
});

async function askTwice(io: FirmwareCommandIo): Promise<string> {
  const passphrase = await io.ask("Passphrase of the new key: ");
  if ((await io.ask("The same once more: ")) === passphrase) return passphrase;
  throw new ConfigError("the passphrases differ; nothing was written");
}

// ---- sign ------------------------------------------------------------------------------------------------------

interface SignArguments {
  readonly files: readonly string[];
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly compatible: readonly string[];
  readonly bundle: string | undefined;
  readonly output: string | undefined;
  readonly "passphrase-file": string | undefined;
  readonly json: boolean;
}

const signCommand = (io: FirmwareCommandIo): CommandModule<object, SignArguments> => ({
  command: "sign <files..>",
  describe: "Sign a package: its signature in a file beside it, or both in one bundle",
  builder: (yargs) =>
    withJson(withPassphraseFile(yargs))
      .version(false) // the option of that name is the package's here
      .positional("files", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "What the package consists of",
      })
      .option("key", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "Private key, as PEM",
      })
      .option("name", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "Name of the package, /5/0/6",
      })
      .option("version", {
        type: "string",
        demandOption: true,
        requiresArg: true,
        describe: "Its version, /5/0/7",
      })
      .option("compatible", {
        type: "string",
        array: true,
        nargs: 1,
        demandOption: true,
        describe: "Board or model that may install it; may be given several times",
      })
      .option("bundle", {
        type: "string",
        requiresArg: true,
        describe: "Write manifest, signature and files into this one file",
      })
      .option("output", {
        type: "string",
        requiresArg: true,
        conflicts: "bundle",
        describe: "Where the signature goes; <file>.sig when not given",
      })
      .example(
        "$0 firmware sign --key release.key --name gateway --version 1.4.0 --compatible acme-gateway-2 fw.bin",
        "fw.bin.sig, to lie beside fw.bin",
      )
      .example(
        "$0 firmware sign --key release.key --name gateway --version 1.4.0 --compatible raspberry-pi --bundle gateway-1.4.0.bundle boot.img root.img",
        "One file, which a server may also push",
      ),
  handler: async ({ files, key, name, version, compatible, bundle, output, json, ...options }) => {
    const [first = "", another] = files;
    if (bundle === undefined && another !== undefined) {
      throw new ConfigError("several files make a package only as a bundle: give it a name with --bundle");
    }
    const target = bundle ?? output ?? `${first}.sig`;
    for (const file of [...files, key]) {
      if (resolve(file) === resolve(target)) throw new ConfigError(`${target} would be written over itself`);
    }
    const privateKey = await readPrivateKey(io, key, options["passphrase-file"]);
    const release: Release = { name, version, compatible, paths: files, privateKey };
    const { manifest } =
      bundle === undefined
        ? await writeSignatureFile(release, target)
        : await writeReleaseBundle(release, target);
    io.out(json ? JSON.stringify({ output: target, manifest }) : renderSigned(target, manifest));
  },
});

async function readPrivateKey(io: FirmwareCommandIo, path: string, passphraseFile: string | undefined) {
  let pem: string;
  try {
    pem = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`the key ${path} cannot be read: ${describeError(cause)}`, { cause });
  }
  return parsePrivateKey(pem, path, () =>
    passphraseFile === undefined ? io.ask(`Passphrase of ${path}: `) : readPassphrase(passphraseFile),
  );
}

// ---- inspect ---------------------------------------------------------------------------------------------------

interface InspectArguments {
  readonly file: string;
  readonly json: boolean;
}

const inspectCommand = (io: FirmwareCommandIo): CommandModule<object, InspectArguments> => ({
  command: "inspect <file>",
  describe: "Show what a bundle, a signature, a key file or a package is; trusts no signature",
  builder: (yargs) =>
    withJson(yargs)
      .positional("file", { type: "string", demandOption: true, describe: "What to look into" })
      .example("$0 firmware inspect gateway-1.4.0.bundle", "Name, version, boards, files and key of a bundle")
      .example("$0 firmware inspect --json fw.bin.sig", "The same for a program"),
  handler: async ({ file, json }) => {
    await refusing(io, json, async () => {
      const inspection = await inspectFile(file);
      io.out(json ? JSON.stringify(valueOfInspection(inspection)) : renderInspection(file, inspection));
      io.exitCode(
        "fault" in inspection && inspection.fault !== undefined ? exitCodes.failure : exitCodes.success,
      );
    });
  },
});

// ---- verify ----------------------------------------------------------------------------------------------------

interface VerifyArguments {
  readonly file: string;
  readonly key: readonly string[];
  readonly signature: string | undefined;
  readonly compatible: readonly string[] | undefined;
  readonly json: boolean;
}

const verifyCommand = (io: FirmwareCommandIo): CommandModule<object, VerifyArguments> => ({
  command: "verify <file>",
  describe: "Check a package as a device does: signature, digests, and whom it is for",
  builder: (yargs) =>
    withJson(yargs)
      .positional("file", {
        type: "string",
        demandOption: true,
        describe: "A bundle, or a package with its signature",
      })
      .option("key", {
        type: "string",
        array: true,
        nargs: 1,
        demandOption: true,
        describe: "Public key that is trusted: a file, or a folder of them; may be given several times",
      })
      .option("signature", {
        type: "string",
        requiresArg: true,
        describe: "Where the signature of a package is; <file>.sig when not given",
      })
      .option("compatible", {
        type: "string",
        array: true,
        nargs: 1,
        describe: "Name of the device; without it every device is the right one",
      })
      .example("$0 firmware verify --key release.pub gateway-1.4.0.bundle", "Is it signed by us, and whole?")
      .example(
        "$0 firmware verify --key release.pub --compatible acme-gateway-2 fw.bin",
        "Would this kind of device take it?",
      ),
  handler: async ({ file, key, signature = `${file}.sig`, compatible, json }) => {
    const { findings } = await loadTrustedKeys(key);
    const unusable = findings.find(({ level }) => level === "error");
    if (unusable !== undefined) throw new ConfigError(unusable.found);
    const verifier = createPackageVerifier({
      keys: key,
      required: true,
      ...(compatible !== undefined && { compatible: async () => compatible }),
      fetchSmall: () => readSignature(signature),
      log: createLog({ level: "silent", pretty: false }),
    });
    await refusing(io, json, async () => {
      const image = await imageOf(file);
      const { signal } = new AbortController();
      await verifier.verify(image, { uri: pathToFileURL(resolve(file)).href, signal });
      const manifest = await readManifest(file, signature);
      io.out(json ? JSON.stringify({ accepted: true, manifest }) : renderVerified(file, manifest));
      io.exitCode(exitCodes.success);
    });
  },
});

async function imageOf(path: string): Promise<ImageFile> {
  try {
    const { size } = await stat(path);
    return { path, size, sha256: await sha256OfFile(path) };
  } catch (cause) {
    throw new ConfigError(`${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

async function readSignature(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new PackageError("invalid-uri", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** A package that is refused is an answer, not a failure of the command. */
async function refusing(io: FirmwareCommandIo, json: boolean, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    if (json) io.out(JSON.stringify({ accepted: false, failure: error.failure, reason: error.message }));
    else io.err(`refused: ${error.message}`);
    io.exitCode(exitCodes.failure);
  }
}
