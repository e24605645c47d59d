import type { ExecuteArguments } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import { AdvancedFirmwareUpdate } from "./definition.js";

/** At most so many links are read; a device has fewer components. */
const MAX_LINKS = 64;

/**
 * Which other Object Instances an Update means: without argument 0 the linked ones, with a bare 0 none, else those that it
 * lists, as `</33629/1>,</33629/2>`.
 * @throws RequestError 4.00 when it lists anything but instances that exist
 */
export function targetsOf(
  args: ExecuteArguments,
  { self, linked, exists }: { self: number; linked: readonly number[]; exists: (id: number) => boolean },
): readonly number[] {
  if (!args.has(0)) return linked;
  const list = args.get(0) ?? "";
  if (list === "") return [];
  const links = list.split(",");
  if (links.length > MAX_LINKS) throw new RequestError("4.00", `at most ${MAX_LINKS} instances are listed`);
  const ids = links.map((link) => {
    const [, objectId, id] = /^\s*<\/(\d{1,5})\/(\d{1,5})>\s*$/.exec(link) ?? [];
    if (Number(objectId) !== AdvancedFirmwareUpdate.id || !exists(Number(id))) {
      throw new RequestError("4.00", `${JSON.stringify(link)} is no instance of this Object`);
    }
    return Number(id);
  });
  return [...new Set(ids)].filter((id) => id !== self);
}
