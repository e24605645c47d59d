/** What the head of an HTTP response says about a package. Pure: RFC 9110 as functions. */
import type { IncomingHttpHeaders } from "node:http";
import { type Millis, millis } from "../../agent/ports.js";

export type StatusMeaning = "body" | "part" | "redirect" | "cannot continue" | "temporary" | "no package";

export function meaningOf(status: number): StatusMeaning {
  if (status === 200) return "body";
  if (status === 206) return "part";
  if ([301, 302, 303, 307, 308].includes(status)) return "redirect";
  if (status === 416) return "cannot continue";
  if ([408, 425, 429].includes(status) || status >= 500) return "temporary";
  return "no package";
}

/** What tells whether a package is still the one of which we have a part. */
export interface Representation {
  /** Bytes of the whole; undefined when the server did not say. */
  readonly size: number | undefined;
  /** For If-Range; undefined when there is none that is sure. */
  readonly validator: string | undefined;
}

/** Of a response 200. */
export const representationOf = (headers: IncomingHttpHeaders): Representation => {
  const size = contentLength(headers);
  return {
    size,
    validator: strongETag(headers.etag) ?? (size === undefined ? undefined : headers["last-modified"]),
  };
};

/** Is a response 206 the rest of `known`, from byte `offset` on? RFC 9110 §14.4. */
export function continues(headers: IncomingHttpHeaders, known: Representation, offset: number): boolean {
  const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
  const total = known.size ?? Number(last) + 1;
  const etag = strongETag(headers.etag);
  return (
    Number(first) === offset &&
    Number(last) === total - 1 &&
    (size === "*" || Number(size) === total) &&
    (etag === undefined ||
      known.validator === undefined ||
      !isETag(known.validator) ||
      etag === known.validator)
  );
}

/** RFC 9110 §13.1.5: a weak one does not tell whether the bytes are the same. */
const strongETag = (etag: string | undefined) => (etag !== undefined && isETag(etag) ? etag : undefined);
const isETag = (validator: string) => validator.startsWith('"');

const contentLength = (headers: IncomingHttpHeaders): number | undefined =>
  headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);

/** A portal or proxy that puts its page in the place of the package answers 200 as well. */
export const isWebPage = (headers: IncomingHttpHeaders): boolean =>
  /^(text\/html|application\/xhtml\+xml)\b/i.test(headers["content-type"] ?? "");

/** RFC 9110 §10.2.3: seconds, or a date. */
export function retryAfter(headers: IncomingHttpHeaders, now: Date): Millis | undefined {
  const value = headers["retry-after"];
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(wait) ? undefined : millis(Math.max(0, wait));
}
