import { DecodeError } from "../model/errors.js";
import { MAX_ID } from "../model/path.js";
import type { ObjectLink } from "../model/value.js";

/** Writes `3:0`, as every format but TLV does. */
export const formatObjectLink = ({ objectId, objectInstanceId }: ObjectLink): string =>
  `${objectId}:${objectInstanceId}`;

/** @throws DecodeError unless `text` is two decimal numbers up to 65535 with a colon between */
export function parseObjectLink(text: string): ObjectLink {
  // LwM2M Core appendix C prints the null link in hexadecimal, and some peers follow it.
  if (/^ffff:ffff$/i.test(text)) return { objectId: MAX_ID, objectInstanceId: MAX_ID };
  const match = /^(0|[1-9]\d{0,4}):(0|[1-9]\d{0,4})$/.exec(text);
  const objectId = Number(match?.[1]);
  const objectInstanceId = Number(match?.[2]);
  if (!(objectId <= MAX_ID && objectInstanceId <= MAX_ID))
    throw new DecodeError("this is not an Object Link");
  return { objectId, objectInstanceId };
}
