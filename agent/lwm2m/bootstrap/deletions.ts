import { formatPath, type InstancePath } from "../../model/path.js";
import type { Log } from "../../ports.js";
import type { ObjectTree } from "../object-tree.js";
import type { BootstrapAccounts } from "./account-transaction.js";

/**
 * Deletes what the last bootstrap wants deleted. It comes after the accounts are durable, for what is deleted cannot be
 * brought back; after a power cut in between, the next start does it.
 */
export async function performDeletions(
  tree: ObjectTree,
  accounts: Pick<BootstrapAccounts, "deletions" | "deletionsDone">,
  log: Log,
): Promise<void> {
  const { deletions } = accounts;
  if (deletions.length === 0) return;
  for (const path of deletions) await deleteFor(tree, path, log);
  try {
    await accounts.deletionsDone();
  } catch (error) {
    const advice = "make room in the state directory and make it writable; the next start deletes again";
    log.error("deletions not noted", { advice, error });
  }
}

/** The bootstrap counts already: an instance that resists is one for the log. */
async function deleteFor(tree: ObjectTree, path: InstancePath, log: Log): Promise<void> {
  const [objectId, objectInstanceId] = path;
  if (!tree.hasInstance(objectId, objectInstanceId)) return;
  try {
    await tree.delete(objectId, objectInstanceId);
  } catch (error) {
    log.error("instance not deleted", { path: formatPath(path), error });
  }
}
