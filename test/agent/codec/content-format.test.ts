import { expect, test } from "vitest";
import { contentFormats, formatVersions } from "../../../agent/codec/content-format.js";

/** LwM2M Core 1.2 §7.4 and its predecessors. */
test.each([
  [0, "1.0", undefined],
  [40, "1.0", undefined],
  [42, "1.0", undefined],
  [60, "1.1", undefined],
  [110, "1.1", undefined],
  [112, "1.1", undefined],
  [320, "1.2", undefined],
  [322, "1.2", undefined],
  [1542, "1.0", undefined],
  [1543, "1.0", "1.0"],
  [11542, "1.0", undefined],
  [11543, "1.0", "1.0"],
  [11544, "1.2", undefined],
])("Content-Format %i exists since %s", (contentFormat, since, writtenUntil) => {
  expect(formatVersions(contentFormat)).toEqual({ since, ...(writtenUntil && { writtenUntil }) });
});

test("each format that we name has its versions, and no other", () => {
  for (const contentFormat of Object.values(contentFormats))
    expect(formatVersions(contentFormat)).toBeDefined();
  for (const contentFormat of [1, 41, 50, 1541, 65535]) expect(formatVersions(contentFormat)).toBeUndefined();
});
