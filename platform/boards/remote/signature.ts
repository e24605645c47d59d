/**
 * How a signature that lies beside a package reaches the helper, which has no network: the agent, who has fetched it for its
 * own check, leaves it beside the package. It vouches for a digest, so whoever changes it gains nothing.
 */
import { join } from "node:path";
import { PackageError } from "../../../agent/ports.js";
import { replaceFile } from "../../files/durable.js";
import type { FetchSmall } from "../../package/verifier.js";
import { describeError } from "../../system-error.js";
import type { Vault } from "./vault.js";

const fileName = "package.sig";

/** By this name the helper's verifier asks for what lies beside the package. */
export const packageUri = "helper:///package";

/** For the agent: what is fetched is also kept for the helper. */
export const keepSignature =
  (fetchSmall: FetchSmall, packageDirectory: string): FetchSmall =>
  async (uri, options) => {
    const signature = await fetchSmall(uri, options);
    try {
      await replaceFile(join(packageDirectory, fileName), signature);
    } catch (cause) {
      throw new PackageError("storage", `the signature cannot be kept: ${describeError(cause)}`, { cause });
    }
    return signature;
  };

/** For the helper: what the agent has kept. */
export const keptSignature =
  (vault: Vault): FetchSmall =>
  async (_, { maximumBytes }) => {
    const signature = await vault.readSmall(fileName, maximumBytes);
    if (signature === undefined) throw new PackageError("invalid-uri", "the agent has kept no signature");
    return signature;
  };
