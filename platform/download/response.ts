/** What the head of an HTTP response says about a package. Pure: RFC 9110 as functions. */
import type { IncomingHttpHeaders } from "node:http";
import type { Part, Representation } from "../../agent/download/transfer.js";
import { type Millis, millis } from "../../agent/ports.js";

export type StatusMeaning = "body" | "part" | "redirect" | "cannot continue" | "temporary" | "no package";

export function meaningOf(status: number): StatusMeaning {
  if (status === 200) return "body";
  if (status === 206) return "part";
  if ([301, 302, 303, 307, 308].includes(status)) return "redirect";
  if (status === 416) return "cannot continue";
  // 407 comes from our own proxy, and says nothing about the package.
  if ([407, 408, 425, 429].includes(status) || status >= 500) return "temporary";
  return "no package";
}

/** Of a response 200. */
export const representationOf = (headers: IncomingHttpHeaders): Representation => {
  const size = contentLength(headers);
  return {
    size,
    validator: strongETag(headers.etag) ?? (size === undefined ? undefined : headers["last-modified"]),
  };
};

/** Is a response 206 the rest of the package, right behind the part that is there? RFC 9110 §14.4. */
export function continues(headers: IncomingHttpHeaders, { received, known }: Head): boolean {
  if (received === 0 || known?.validator === undefined) return false; // nobody asked for a part
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
  const total = known.size ?? Number(last) + 1;
  return (
    Number(first) === received &&
    Number(last) === total - 1 &&
    (size === "*" || Number(size) === total) &&
    isSameAs(known.validator, headers)
  );
}

/** A server need not repeat what the request named; where it does, it has to be the same. */
const isSameAs = (validator: string, headers: IncomingHttpHeaders) => {
  const found = isETag(validator) ? strongETag(headers.etag) : headers["last-modified"];
  return found === undefined || found === validator;
};

/** Does a response 416 say that there is nothing behind the part that is there, because it is all? */
export function isCompleteAt(headers: IncomingHttpHeaders, { received, known }: Head): boolean {
  const [, size] = /^bytes \*\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
  return (
    known?.validator !== undefined && Number(size) === received && known.size === received && received > 0
  );
}

type Head = Pick<Part, "received" | "known">;

/** RFC 9110 §13.1.5: a weak one does not tell whether the bytes are the same. */
const strongETag = (etag: string | undefined) => (etag !== undefined && isETag(etag) ? etag : undefined);
const isETag = (validator: string) => validator.startsWith('"');

const contentLength = (headers: IncomingHttpHeaders): number | undefined =>
  headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);

/** A portal or proxy that puts its page in the place of the package answers 200 as well. */
export const isWebPage = (headers: IncomingHttpHeaders): boolean =>
  /^(text\/html|application\/xhtml\+xml)\b/i.test(headers["content-type"] ?? "");

/** The same page, from a server that does not say what it sends. */
export const looksLikeWebPage = (beginning: Uint8Array): boolean =>
  /^(\u00ef\u00bb\u00bf)?\s*<(!doctype\s+html|html)[\s>]/i.test(
    Buffer.from(beginning.buffer, beginning.byteOffset, Math.min(beginning.length, 256)).toString("latin1"),
  );

/** How the body is encoded; undefined when it is not (RFC 9110 §8.4). */
export function encodingOf(headers: IncomingHttpHeaders): string | undefined {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  return encoding === "" || encoding === "identity" ? undefined : encoding;
}

/** RFC 9110 §10.2.3: seconds, or a date. */
export function retryAfter(headers: IncomingHttpHeaders, now: Date): Millis | undefined {
  const value = headers["retry-after"];
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(wait) ? undefined : millis(Math.max(0, wait));
}
