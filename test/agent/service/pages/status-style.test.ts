import { expect, test } from "vitest";
import { statusStyle } from "../../../../agent/service/pages/status-style.js";

/** The colours of a scheme, by name. */
const coloursOf = (block: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...block.matchAll(/--([a-z-]+): #([0-9a-f]{6})/g)].map(([, name, value]) => [name, value]),
  );

/** WCAG 2.2, "relative luminance". */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const [, light = "", dark = ""] = statusStyle.split(":root {");

test.each([
  ["light", coloursOf(light)],
  ["dark", coloursOf(dark)],
])("words can be read in the %s scheme: 4.5 to 1 at least", (_, colours) => {
  const pairs = [
    ...["text", "quiet", "good", "held", "bad"].map((name) => [name, "card"]),
    ...["text", "quiet"].map((name) => [name, "ground"]),
    ...["good", "busy", "held", "bad"].map((name) => [name, `${name}-ground`]),
  ];
  for (const [word = "", ground = ""] of pairs) {
    const [one, other] = [colours[word], colours[ground]];
    expect(one && other, `${word} on ${ground}`).toBeDefined();
    expect(contrast(one ?? "", other ?? ""), `${word} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  }
});

test("a bar can be told from what is left of it", () => {
  for (const { busy = "", line = "" } of [coloursOf(light), coloursOf(dark)]) {
    expect(contrast(busy, line)).toBeGreaterThanOrEqual(3);
  }
});
