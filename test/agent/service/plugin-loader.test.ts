import { chmod, chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../agent/model/errors.js";
import { seconds } from "../../../agent/ports.js";
import { findPluginFiles, inTime, loadTrustedPlugin } from "../../../agent/service/plugin-loader.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createSimulatedClock } from "../../simulated/clock.js";

const good = `export const plugin = { name: "good" };`;
/** Loads TypeScript by itself: then there is nothing to refuse. */
const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);

interface Refusal {
  readonly what: string;
  readonly name?: string;
  readonly content?: string;
  readonly change?: (path: string, directory: string) => Promise<void>;
  readonly message: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    what: "is not there",
    change: (path) => import("node:fs/promises").then(({ rm }) => rm(path)),
    message: /cannot be read: no such file or directory \(ENOENT\)$/,
  },
  {
    what: "every user can change",
    change: (path) => chmod(path, 0o646),
    message: /can be changed by every user: chmod go-w \/.*plugin\.mjs$/,
  },
  {
    what: "another user can replace, in its folder",
    change: (_path, directory) => chmod(directory, 0o777),
    message: /lies below \/.*, where somebody else could replace it: chown root .* && chmod go-w /,
  },
  {
    what: "exports nothing of that name",
    content: "export const other = 1;",
    message: /exports no plugin: a plugin is a module that exports `plugin`/,
  },
  { what: "exports a text", content: `export const plugin = "x";`, message: /exports no plugin/ },
  { what: "has no name", content: "export const plugin = { start() {} };", message: /exports no plugin/ },
  {
    what: "has a name that no log shows well",
    content: `export const plugin = { name: "my plugin" };`,
    message: /has a plugin of the name "my plugin": give it 1 to 64 letters, digits and "-"$/,
  },
  {
    what: "needs a newer agent",
    content: `export const plugin = { name: "a", api: 2 };`,
    message:
      /needs version 2 of the plugin API, this agent has 1: install a newer lwm2m-agent, or an older version of the plugin$/,
  },
  {
    what: "has a version that is none",
    content: `export const plugin = { name: "a", api: "1.0" };`,
    message: /says api: "1\.0": it is the version of the plugin API as a number, such as 1$/,
  },
  {
    what: "has a callback that cannot be called",
    content: `export const plugin = { name: "a", reboot: true };`,
    message: /has a reboot that is no function$/,
  },
  {
    what: "throws where it is imported",
    content: `throw new Error("no such bus");`,
    message: /cannot be loaded: no such bus$/,
  },
  { what: "is not JavaScript", content: "export const = ;", message: /cannot be loaded: / },
  {
    what: "imports what is not there",
    content: `import "no-such-package";`,
    message: /cannot be loaded: Cannot find package 'no-such-package'/,
  },
  ...(stripsTypes
    ? []
    : [
        {
          what: "is TypeScript, on a Node.js that does not strip types",
          name: "plugin.ts",
          message:
            /is TypeScript, which Node\.js \S+ does not load: compile it to a \.js file \(npx tsc\), or use Node\.js 22\.18 or newer$/,
        },
      ]),
  ...(process.getuid?.() === 0
    ? [
        {
          what: "belongs to somebody else",
          change: (path: string) => chown(path, 12_345, 0),
          message: /belongs to user 12345, who is neither root nor the user of the agent: chown root /,
        },
        {
          what: "another group can change",
          change: async (path: string) => {
            await chown(path, 0, 12_345);
            await chmod(path, 0o664);
          },
          message: /can be changed by the group 12345: chmod g-w /,
        },
        {
          what: "is a link to a file of somebody else",
          change: async (path: string, directory: string) => {
            const target = join(directory, "target.mjs");
            await import("node:fs/promises").then(({ rename }) => rename(path, target));
            await chown(target, 12_345, 0);
            await symlink(target, path);
          },
          message: /belongs to user 12345/,
        },
      ]
    : []),
];

describe("a module is refused that", () => {
  test.each(refusals)("$what", async ({ name = "plugin.mjs", content = good, change, message }) => {
    const directory = temporaryDirectory();
    const path = join(directory, name);
    await writeFile(path, content);
    await change?.(path, directory);
    const loading = loadTrustedPlugin({ path, said: path });
    await expect(loading).rejects.toBeInstanceOf(ConfigError);
    await expect(loading).rejects.toThrow(message);
  });
});

test("one of the present version is taken, also as the default export", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "plugin.mjs");
  await writeFile(path, `export default { name: "good", api: 1 };`);
  expect(await loadTrustedPlugin({ path, said: path })).toMatchObject({ name: "good" });
});

test("named modules come first, then those of the folder by name, each once", async () => {
  const directory = temporaryDirectory();
  for (const name of [
    "20-b.mjs",
    "10-a.js",
    "30-c.ts",
    "types.d.ts",
    ".hidden.js",
    "notes.txt",
    "x.mjs.bak",
  ]) {
    await writeFile(join(directory, name), good);
  }
  await mkdir(join(directory, "lib"));
  const named = ["/opt/own.js", join(directory, "30-c.ts")];
  expect((await findPluginFiles(named, directory)).map(({ path }) => path)).toEqual([
    ...named,
    join(directory, "10-a.js"),
    join(directory, "20-b.mjs"),
  ]);
  expect(await findPluginFiles([], join(directory, "none"))).toEqual([]);
  await expect(findPluginFiles([], join(directory, "10-a.js"))).rejects.toThrow(
    /^pluginDirectory: .*10-a\.js cannot be read: a part of the path is not a directory/,
  );
});

test("a module that waits for ever is given up", async () => {
  const clock = createSimulatedClock();
  const loading = inTime({ path: "/a.mjs", said: "/a.mjs" }, clock, new Promise(() => undefined));
  const refused = expect(loading).rejects.toThrow(
    "/a.mjs was not loaded within 30 s: nothing may wait where it is imported",
  );
  await clock.advance(seconds(30));
  await refused;
});
