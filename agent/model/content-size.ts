import { type InstanceContent, isResourceInstances, type ResourceContent } from "./value.js";

/** What keeping the values of an Object Instance costs, in bytes and roughly: for those who bound what a peer makes us keep. */
export function instanceSize(resources: InstanceContent): number {
  let size = 0;
  for (const content of resources.values()) size += contentSize(content);
  return size;
}

function contentSize(content: ResourceContent): number {
  if (isResourceInstances(content)) {
    return [...content.values()].reduce<number>((sum, value) => sum + contentSize(value), overhead);
  }
  if (typeof content === "string") return overhead + 3 * content.length; // UTF-8 has at most three bytes for each unit
  return content instanceof Uint8Array ? overhead + content.length : overhead;
}

const overhead = 16;
