import { MAX_ID } from "../../agent/model/path.js";
import { AccessControl } from "../access-control.js";
import { type AccessControlEntry, accessControlIn } from "./accounts.js";
import { type AccountContent, instanceContent, withInstance, withoutInstance } from "./content.js";

/** What is left once Servers have gone, and the Object Instances that nobody can access any more. */
export interface Unbootstrapped {
  readonly content: AccountContent;
  readonly orphans: readonly (readonly [objectId: number, objectInstanceId: number])[];
}

/**
 * Access Control after the accounts of these Servers were removed (LwM2M Core 1.2 §6.1.6): what only they could access
 * goes with them, elsewhere their rights end, and what they owned gets another owner.
 * @param canDelete whether instances of an Object can be deleted; those that cannot fall to the Bootstrap-Server
 */
export function unbootstrap(
  content: AccountContent,
  gone: ReadonlySet<number>,
  canDelete: (objectId: number) => boolean,
): Unbootstrapped {
  let result = content;
  const orphans: [number, number][] = [];
  for (const [id, entry] of accessControlIn(content)) {
    const isTheirs = gone.has(entry.owner) || [...entry.acl.keys()].some((one) => gone.has(one));
    if (!isTheirs) continue;
    const rest = { ...entry, acl: new Map([...entry.acl].filter(([one]) => !gone.has(one))) };
    const isOrphan = isAccessibleBy(entry, gone) && entry.objectInstanceId !== MAX_ID;
    if (isOrphan && canDelete(entry.objectId)) {
      orphans.push([entry.objectId, entry.objectInstanceId]);
      result = withoutInstance(result, AccessControl.id, id);
    } else {
      const owner = gone.has(entry.owner) ? nextOwner(rest.acl) : entry.owner;
      result = withInstance(result, AccessControl.id, id, instanceContent(AccessControl, { ...rest, owner }));
    }
  }
  return { content: result, orphans };
}

/** Is there nobody else who may do anything with it? Entry 0 is for all Servers. */
const isAccessibleBy = ({ owner, acl }: AccessControlEntry, gone: ReadonlySet<number>): boolean =>
  (owner === MAX_ID || gone.has(owner)) && [...acl].every(([one, sum]) => gone.has(one) || sum === 0);

const write = 2;
const remove = 8;

/** Who may do most: Write counts one, Delete counts one; of equals the lowest Short Server ID. */
function nextOwner(acl: ReadonlyMap<number, number>): number {
  const points = (sum: number) => (sum & write ? 1 : 0) + (sum & remove ? 1 : 0);
  const candidates = [...acl].filter(([shortServerId]) => shortServerId !== 0);
  const [best] = candidates.sort(([a, x], [b, y]) => points(y) - points(x) || a - b);
  return best?.[0] ?? MAX_ID;
}
