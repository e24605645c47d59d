/** The template as somebody copies it: installed, compiled, tested, loaded. */
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { run, withFolder } from "./program.js";

const root = resolve(import.meta.dirname, "../..");

test(
  "the template compiles against the package, passes its tests, and the agent takes it",
  { timeout: 60_000 },
  () =>
    withFolder(async (folder) => {
      const copy = join(folder, "my-plugin");
      await cp(join(root, "examples/plugin-template"), copy, { recursive: true });
      const { devDependencies } = JSON.parse(await readFile(join(copy, "package.json"), "utf8")) as {
        devDependencies: Record<string, string>;
      };
      // What `npm install` would bring.
      await mkdir(join(copy, "node_modules/@types"), { recursive: true });
      await mkdir(join(copy, "node_modules/.bin"));
      for (const name of Object.keys(devDependencies)) {
        const installed = name === "lwm2m-agent" ? root : join(root, "node_modules", name);
        await symlink(installed, join(copy, "node_modules", name));
      }
      await symlink("../typescript/bin/tsc", join(copy, "node_modules/.bin/tsc"));

      const { NODE_OPTIONS: _, ...env } = process.env;
      const { stdout } = await promisify(execFile)("npm", ["test"], { cwd: copy, env });
      expect(stdout).toMatch(/^(#|ℹ) pass 3$/m);
      expect(stdout).toMatch(/^(#|ℹ) fail 0$/m);

      const plugins = join(folder, "plugins.d");
      await mkdir(plugins);
      await copyFile(join(copy, "dist/src/plugin.js"), join(plugins, "valve.js"));
      await symlink(join(copy, "node_modules"), join(folder, "node_modules")); // as the Debian package has it
      const file = join(folder, "agent.yaml");
      await writeFile(
        file,
        `endpointName: x\nservers: [{ uri: coap://127.0.0.1:9 }]\nboard: { type: none, manufacturer: a, modelNumber: b }\npluginDirectory: ${plugins}\n` +
          `directories: { state: ${folder}/state, cache: ${folder}/cache, runtime: ${folder}/run }\n`,
      );
      const checked = await run("check", "--config", file);
      expect(checked.stdout).not.toMatch(/^error:/m);
      expect(checked.exitCode).toBe(0);
    }),
);
