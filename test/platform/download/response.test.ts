import { describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import {
  continues,
  isWebPage,
  meaningOf,
  representationOf,
  retryAfter,
} from "../../../platform/download/response.js";

test.each([
  [200, "body"],
  [206, "part"],
  [301, "redirect"],
  [302, "redirect"],
  [303, "redirect"],
  [307, "redirect"],
  [308, "redirect"],
  [416, "cannot continue"],
  [407, "temporary"],
  [408, "temporary"],
  [425, "temporary"],
  [429, "temporary"],
  [500, "temporary"],
  [503, "temporary"],
  [599, "temporary"],
  [204, "no package"],
  [300, "no package"],
  [304, "no package"],
  [400, "no package"],
  [401, "no package"],
  [403, "no package"],
  [404, "no package"],
  [410, "no package"],
] as const)("status %d means: %s", (status, meaning) => expect(meaningOf(status)).toBe(meaning));

describe("the validator of a package", () => {
  const date = "Wed, 21 Oct 2026 07:28:00 GMT";
  test.each([
    ["a strong ETag", { etag: '"a"', "last-modified": date, "content-length": "9" }, '"a"'],
    [
      "the date, when the ETag is weak",
      { etag: 'W/"a"', "last-modified": date, "content-length": "9" },
      date,
    ],
    ["the date, when there is no ETag", { "last-modified": date, "content-length": "9" }, date],
    ["nothing, when there is a date but no length", { "last-modified": date }, undefined],
    ["nothing, when there is neither", { "content-length": "9" }, undefined],
  ])("is %s", (_, headers, validator) => expect(representationOf(headers).validator).toBe(validator));
});

describe("a partial response", () => {
  const known = { size: 1000, validator: '"a"' };
  test.each([
    ["is the rest", "bytes 400-999/1000", '"a"', true],
    ["is the rest when it does not repeat the ETag", "bytes 400-999/1000", undefined, true],
    ["is the rest when it does not tell the whole", "bytes 400-999/*", '"a"', true],
    ["begins elsewhere", "bytes 399-999/1000", '"a"', false],
    ["ends early", "bytes 400-998/1000", '"a"', false],
    ["is of a longer whole", "bytes 400-999/1001", '"a"', false],
    ["is of another package", "bytes 400-999/1000", '"b"', false],
    ["says nothing", undefined, '"a"', false],
    ["says nonsense", "bytes 400-", '"a"', false],
  ])("%s", (_, range, etag, expected) => {
    const headers = { ...(range && { "content-range": range }), ...(etag && { etag }) };
    expect(continues(headers, { received: 400, known })).toBe(expected);
  });

  test("is the rest of a package whose size was not announced", () => {
    const unsized = { size: undefined, validator: '"a"' };
    expect(continues({ "content-range": "bytes 400-999/1000" }, { received: 400, known: unsized })).toBe(
      true,
    );
    expect(continues({ "content-range": "bytes 400-998/1000" }, { received: 400, known: unsized })).toBe(
      false,
    );
  });
});

test.each([
  ["text/html", true],
  ["text/html; charset=utf-8", true],
  ["Text/HTML", true],
  ["application/xhtml+xml", true],
  ["application/octet-stream", false],
  ["text/plain", false],
  [undefined, false],
])("content of type %s is a web page: %s", (type, expected) =>
  expect(isWebPage(type === undefined ? {} : { "content-type": type })).toBe(expected),
);

test.each([
  ["120", seconds(120)],
  ["Thu, 01 Jan 2026 00:01:30 GMT", seconds(90)],
  ["Wed, 31 Dec 2025 23:00:00 GMT", seconds(0)],
  ["soon", undefined],
  [undefined, undefined],
])("Retry-After %s", (value, expected) =>
  expect(
    retryAfter(value === undefined ? {} : { "retry-after": value }, new Date("2026-01-01T00:00:00Z")),
  ).toBe(expected),
);
