/**
 * Where the program starts. What a unit does after each boot, `run` alone or with `--config`, goes its way without the
 * command line parser: that and the help of each command take half as long to evaluate as Node.js takes to start. All other words
 * go the usual way, so that nothing is understood here in another way than there.
 */
export async function main(): Promise<void> {
  const run = plainRun(process.argv.slice(2));
  if (run === undefined) return (await import("./command-line.js")).main();
  const { runAgent } = await import("./run.js");
  await runAgent(run);
}

/** @returns undefined for all but `run`, `run --config file` and `run --config=file` */
export function plainRun(words: readonly string[]): { readonly config: string | undefined } | undefined {
  const [command, ...rest] = words;
  if (command !== "run") return undefined;
  if (rest.length === 0) return { config: undefined };
  const said =
    rest.length === 2 && rest[0] === "--config" ? rest[1] : only(rest)?.match(/^--config=(.*)$/)?.[1];
  return said !== undefined && plainPath.test(said) ? { config: said } : undefined;
}

/** What can be nothing but a path to any parser: no quotes, no dash at its beginning. */
const plainPath = /^[A-Za-z0-9_./][A-Za-z0-9_./+@-]*$/;

const only = (words: readonly string[]): string | undefined => (words.length === 1 ? words[0] : undefined);
