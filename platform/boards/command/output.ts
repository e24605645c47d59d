/** What programs of a command board print: fields, and lines of progress. Pure. */

/** Longest text that is taken over. */
const maximumText = 255;

/** Field names are in lower case. */
export type Fields = ReadonlyMap<string, string>;

/**
 * One JSON object with texts, or lines `name=value` as in os-release: empty lines and `#` comments are left out, quotes
 * around a value are taken off.
 * @throws SyntaxError that says what is wrong
 */
export function parseFields(output: string): Fields {
  const text = output.trim();
  const entries = text.startsWith("{") ? jsonFields(text) : lineFields(text);
  return new Map(entries.map(([name, value]) => [name.toLowerCase(), checked(name, value)]));
}

function jsonFields(text: string): [string, string][] {
  const value = parseJson(text) as Readonly<Record<string, unknown>>; // it begins with {, so it is an object
  return Object.entries(value).map(([name, field]) => {
    // A number would lose what it looks like: version 1.10 is not 1.1.
    if (typeof field !== "string") throw new SyntaxError(`"${name}" is not a text in quotes`);
    return [name, field];
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError("it is not one JSON object");
  }
}

function lineFields(text: string): [string, string][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name, value] = /^([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) {
        throw new SyntaxError(`"${line.slice(0, 60)}" is not of the form name=value`);
      }
      return [name, /^(["'])(.*)\1$/.exec(value)?.[2] ?? value];
    });
}

function checked(name: string, value: string): string {
  if (value.length > maximumText) throw new SyntaxError(`"${name}" has more than ${maximumText} characters`);
  if (/\p{Cc}/u.test(value)) throw new SyntaxError(`"${name}" contains control characters`);
  return value;
}

/** `42`, `42 %` or `42 writing the slot`; undefined when the line is about something else. */
export function parseProgress(line: string): { fraction: number; message?: string } | undefined {
  const [, number, message] = /^\s*(\d{1,3}(?:\.\d+)?)(?:\s*%)?(?:\s+(\S.*))?\s*$/.exec(line) ?? [];
  const percent = Number(number);
  if (number === undefined || percent > 100) return undefined;
  const text = message?.replace(/\p{Cc}+/gu, " ").trim();
  return { fraction: percent / 100, ...(text && { message: text.slice(0, maximumText) }) };
}
