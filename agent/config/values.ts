/** What values of the configuration look like. Each schema says in one phrase what it expects: messages use it as it stands. */
import { z } from "zod";

export interface TextOptions {
  /** Such as `a name of 1 to 64 letters`. */
  readonly expected: string;
  readonly pattern?: RegExp;
  /** Bytes. */
  readonly maximum?: number;
}

/** Text that is not empty. */
export function text({ expected, pattern, maximum = 4096 }: TextOptions) {
  const base = z.string({ error: expected }).min(1, { error: expected });
  return (pattern === undefined ? base : base.regex(pattern, { error: expected })).refine(
    (value) => Buffer.byteLength(value) <= maximum,
    { error: expected },
  );
}

export const wholeNumber = (minimum: number, maximum: number) => {
  const expected = `a whole number from ${minimum} to ${maximum}`;
  return z.int({ error: expected }).min(minimum, { error: expected }).max(maximum, { error: expected });
};

export const decimal = (minimum: number, maximum: number) => {
  const expected = `a number from ${minimum} to ${maximum}`;
  return z.number({ error: expected }).min(minimum, { error: expected }).max(maximum, { error: expected });
};

export const flag = () => z.boolean({ error: "true or false" });

export const choice = <const Values extends readonly [string, ...string[]]>(...values: Values) =>
  z.enum(values, { error: `one of ${values.join(", ")}` });

export const list = <Item extends z.ZodType>(item: Item, maximum: number, what: string) => {
  const expected = `a list of at most ${maximum} ${what}`;
  return z.array(item, { error: expected }).max(maximum, { error: expected });
};

/** A mapping with these keys and no others. */
export const section = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: `a section with keys such as ${Object.keys(shape).slice(0, 3).join(", ")}`,
  });

// ---- With units --------------------------------------------------------------------------------------------------

const secondsIn = { s: 1, min: 60, h: 3600, d: 86_400 } as const;
const durationPattern = /^(\d+(?:\.\d+)?) ?(s|min|h|d)$/;

/** A time in seconds: a number, or text with a unit. Whole seconds. */
export function duration(minimum: number, maximum: number = 2 ** 32 - 1) {
  const range = `from ${formatDuration(minimum)} to ${formatDuration(maximum)}`;
  const expected = `a time in seconds, or as in "30 s", "15 min", "12 h", "7 d", ${range}`;
  return z
    .union([z.number(), z.string().regex(durationPattern, { error: expected })], { error: expected })
    .transform(secondsOf)
    .refine((value) => Number.isInteger(value) && value >= minimum && value <= maximum, { error: expected });
}

function secondsOf(value: number | string): number {
  if (typeof value === "number") return value;
  const [, amount = "", unit = "s"] = durationPattern.exec(value) ?? [];
  return Number(amount) * secondsIn[unit as keyof typeof secondsIn];
}

/** `90 s`, `15 min`, `1 d`: in the largest unit that says it exactly. */
export function formatDuration(value: number): string {
  if (value === 0) return "0 s";
  const units = Object.entries(secondsIn).reverse();
  const [unit, size] = units.find(([, each]) => value % each === 0) ?? ["s", 1];
  return `${value / size} ${unit}`;
}

const bytesIn = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, kB: 1e3, MB: 1e6, GB: 1e9 } as const;
const sizePattern = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|kB|MB|GB)$/;

/** An amount of data in bytes: a number, or text with a unit. */
export function size(minimum: number, maximum: number = 64 * 1024 ** 3) {
  const expected = `a size in bytes, or as in "512 KiB", "64 MiB", "1 GiB", from ${minimum} to ${maximum} bytes`;
  return z
    .union([z.number(), z.string().regex(sizePattern, { error: expected })], { error: expected })
    .transform(bytesOf)
    .refine((value) => Number.isInteger(value) && value >= minimum && value <= maximum, { error: expected });
}

function bytesOf(value: number | string): number {
  if (typeof value === "number") return value;
  const [, amount = "", unit = "B"] = sizePattern.exec(value) ?? [];
  return Number(amount) * bytesIn[unit as keyof typeof bytesIn];
}

// ---- Files -------------------------------------------------------------------------------------------------------

/** A path that means the same wherever the service is started. */
export const absolutePath = () =>
  text({ expected: "an absolute path, such as /etc/lwm2m-agent/file", pattern: /^\/[^\0]*$/ });

/** A path; a relative one counts from the folder of the configuration file. */
export const filePath = () => text({ expected: "a path", pattern: /^[^\0]+$/ });

const expectedSecret = 'where the secret lies: "file: /path" or "credential: name", never the secret itself';

/** Where a secret lies; never the secret itself. */
export const secretSource = () =>
  z.union(
    [
      z.strictObject({ file: absolutePath() }),
      z.strictObject({ credential: z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/, { error: expectedSecret }) }),
    ],
    { error: expectedSecret },
  );

export type SecretSource = z.output<ReturnType<typeof secretSource>>;

const commandKeys = () => ({
  program: absolutePath().describe("The executable."),
  arguments: list(text({ expected: "text" }), 64, "arguments")
    .optional()
    .describe("Handed on as they are."),
  timeLimit: duration(1, 7 * 86_400)
    .optional()
    .describe("After it the program is ended."),
});

/** A program with its arguments, never looked at by a shell. */
export const command = () => section(commandKeys());

export type CommandConfig = z.output<ReturnType<typeof command>>;

/** The same for a step of a command board. */
export const step = () =>
  section({
    ...commandKeys(),
    imageOnInput: flag()
      .optional()
      .describe("The image comes on standard input, too: for inspect and apply."),
  });
