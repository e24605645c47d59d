/** Reads OpenMetrics 1.0 text as strictly as the specification lets it, for the types that the agent has. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly samples: { readonly name: string; readonly labels: string; readonly value: number }[];
}

const familyName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[n"\\])*"(?:,(?!\})|(?=\})))*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const suffixes: Readonly<Record<string, string>> = { gauge: "", counter: "_total", info: "_info" };

/** @throws Error naming the line that is wrong */
export function parseOpenMetrics(text: string): readonly ParsedFamily[] {
  if (!text.endsWith("\n# EOF\n")) throw new Error("the text does not end with # EOF");
  const families: ParsedFamily[] = [];
  for (const line of text.slice(0, -"\n# EOF\n".length).split("\n")) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const family = families.at(-1);
    const [, keyword, name = "", rest = ""] = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "TYPE") {
      if (!familyName.test(name)) fail("no name of a family");
      if (families.some((each) => each.name === name)) fail("a family twice");
      if (suffixes[rest] === undefined) fail("a type that the agent does not have");
      families.push({ name, type: rest, samples: [] });
    } else if (keyword !== undefined) {
      if (name !== family?.name || family.samples.length > 0) fail("not of this family");
      if (keyword === "UNIT" && !name.endsWith(`_${rest}`)) fail("a name that does not end in its unit");
    } else {
      if (family === undefined) return fail("a sample before any family");
      const [, sample = "", labels = "", value = ""] = sampleLine.exec(line) ?? fail("no sample");
      if (sample !== family.name + suffixes[family.type]) fail("a sample of another family");
      if (family.samples.some((each) => each.labels === labels)) fail("a sample twice");
      if (family.type === "counter" && Number(value) < 0) fail("a negative counter");
      if (family.type === "info" && Number(value) !== 1) fail("an info that is not 1");
      family.samples.push({ name: sample, labels, value: Number(value) });
    }
  }
  return families;
}
