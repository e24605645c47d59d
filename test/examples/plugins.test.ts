/** The examples of docs/plugins.md, each with a whole agent and a Server. */

import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ResourcePath } from "../../agent/model/path.js";
import type { Plugin } from "../../agent/plugin.js";
import { createConfiguration } from "../../examples/plugins/configuration.js";
import { createCustomDownload } from "../../examples/plugins/custom-download.js";
import { createCustomInstall } from "../../examples/plugins/custom-install.js";
import { createDigitalInput } from "../../examples/plugins/digital-input.js";
import { createFactoryReset } from "../../examples/plugins/factory-reset.js";
import { resourceIn } from "../../jobs/device-gateway.js";
import { createSimulatedImage } from "../../platform/boards/simulated-image.js";
import { type ManagedAgent, startManagedAgent } from "../agent/managed-agent.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";

let managed: ManagedAgent | undefined;
afterEach(async () => {
  await managed?.close();
  managed = undefined;
});

async function startWith(...plugins: readonly Plugin[]) {
  managed = await startManagedAgent({ plugins });
  return managed;
}

const [packageUri, update, state, result] = [1, 2, 3, 5].map((id): ResourcePath => [5, 0, id]) as [
  ResourcePath,
  ResourcePath,
  ResourcePath,
  ResourcePath,
];

/** An executable that notes its arguments. */
async function program(directory: string, exitCode = 0) {
  const path = join(directory, "program");
  await writeFile(path, `#!/bin/sh\ncat "$1" > "${directory}/installed"\nexit ${exitCode}\n`);
  await chmod(path, 0o755);
  return { path, installed: () => readFile(join(directory, "installed"), "utf8") };
}

test("digital-input: a Server reads the pin, hears of its edges, and counts anew", async () => {
  const file = join(temporaryDirectory(), "value");
  await writeFile(file, "0\n");
  const { server, read, write, execute } = await startWith(
    createDigitalInput({ file, periodMilliseconds: 10 }),
  );
  expect(server.device("board")?.objects.get(3200)).toEqual({ version: "1.1", instances: [0] });
  expect(await read([3200, 0, 5500])).toBe("0");
  await write([3200, 0, 5750], "gate");
  expect(await read([3200, 0, 5750])).toBe("gate");
  const heard: unknown[] = [];
  await server.observe("board", [3200, 0, 5500], (content) =>
    heard.push(resourceIn(content, [3200, 0, 5500])),
  );
  await new Promise((resolve) => setTimeout(resolve, 50)); // it has looked once
  await writeFile(file, "1\n");
  await expect.poll(() => heard.at(-1)).toBe("1");
  expect(await read([3200, 0, 5501])).toBe("1");
  await execute([3200, 0, 5505]);
  expect(await read([3200, 0, 5501])).toBe("0");
  await writeFile(file, "open\n");
  await expect(read([3200, 0, 5500])).rejects.toMatchObject({ code: "5.00" });
});

describe("custom-download", () => {
  async function stickWith(content: string, sha256 = createHash("sha256").update(content).digest("hex")) {
    const directory = temporaryDirectory();
    const [stick, folder] = [join(directory, "stick"), join(directory, "folder")];
    await mkdir(stick);
    await writeFile(join(stick, "pump.bin"), content);
    await writeFile(join(stick, "pump.bin.sha256"), `${sha256}  pump.bin\n`);
    const installer = await program(directory);
    await startWith(createCustomDownload({ stick, folder, installer: installer.path }));
    return { ...installer, folder, agent: managed as ManagedAgent };
  }

  test("takes a package from the stick and installs it", async () => {
    const { agent, installed, folder } = await stickWith("the image");
    await agent.write(packageUri, "usb:///pump.bin");
    await expect.poll(() => agent.read(state)).toBe(2);
    await agent.execute(update);
    await expect.poll(() => agent.read(result)).toBe(1);
    await expect.poll(() => agent.read(state)).toBe(0);
    expect(await installed()).toBe("the image");
    expect(await readdir(folder)).toEqual([]);
    expect(agent.restarts()).toBe(0);
  });

  test.each([
    ["one that is not what its list says", "usb:///pump.bin", 5],
    ["one that is not there", "usb:///other.bin", 4],
    ["one outside of the stick", "usb:///..%2F..%2Fetc%2Fpasswd", 4],
  ])("refuses %s", async (_what, uri, expected) => {
    const { agent, folder } = await stickWith("the image", "0".repeat(64));
    await agent.write(packageUri, uri);
    await expect.poll(() => agent.read(result)).toBe(expected);
    expect(await agent.read(state)).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("custom-install", () => {
  async function fetched(exitCode: number) {
    const image = createSimulatedImage({ name: "controller", version: "2.0", size: 5000, seed: 1 });
    const http = createServer((_, response) => response.end(image));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const writer = await program(temporaryDirectory(), exitCode);
    const agent = await startWith(createCustomInstall({ program: writer.path }));
    await agent.write(packageUri, `http://127.0.0.1:${(http.address() as AddressInfo).port}/controller.bin`);
    await expect.poll(() => agent.read(state), { timeout: 5000 }).toBe(2);
    http.close();
    return { agent, image, ...writer };
  }

  test("hands the package that the agent has verified to its program", async () => {
    const { agent, image, installed } = await fetched(0);
    await agent.execute(update);
    await expect.poll(() => agent.read(result)).toBe(1);
    await expect.poll(() => agent.read(state)).toBe(0);
    expect(await installed()).toBe(Buffer.from(image).toString("utf8"));
    expect(agent.restarts()).toBe(0);
  });

  test("reports a program that fails as Result 8", async () => {
    const { agent } = await fetched(3);
    await agent.execute(update);
    await expect.poll(() => agent.read(result)).toBe(8);
  });
});

test("configuration: a good one is written, a bad one is refused and changes nothing", async () => {
  const file = join(temporaryDirectory(), "settings.json");
  const { write, execute } = await startWith(createConfiguration({ file }));
  const apply = async (value: string) => {
    await write([42769, 0, 2], value);
    await execute([42769, 0, 3]);
  };
  await apply('{"litresPerMinute": 12}');
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ litresPerMinute: 12, nightMode: false });
  for (const bad of ["", "null", '{"litresPerMinute": 50}', '{"litresPerMinute": 1, "nightMode": "yes"}']) {
    await expect(apply(bad)).rejects.toMatchObject({ code: "4.00" });
  }
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ litresPerMinute: 12 });
});

describe("factory-reset", () => {
  test("forgets what the application has kept, then resets the device", async () => {
    const folder = temporaryDirectory();
    await mkdir(join(folder, "history"));
    await writeFile(join(folder, "history/today"), "");
    await writeFile(join(folder, "calibration.json"), "{}");
    const { execute, restarts } = await startWith(createFactoryReset({ folder }));
    await execute([3, 0, 5]);
    await expect.poll(restarts).toBe(1);
    expect(await readdir(folder)).toEqual(["calibration.json"]);
  });

  test("does not reset a device whose application cannot forget", async () => {
    const folder = join(temporaryDirectory(), "none");
    const { execute, restarts, log, agent } = await startWith(createFactoryReset({ folder }));
    await execute([3, 0, 5]);
    await expect.poll(() => log.lines.some(({ event }) => event === "plugin callback failed")).toBe(true);
    expect(restarts()).toBe(0);
    expect(agent.status().plugins).toEqual([
      { name: "factory-reset", health: "running", reason: expect.stringContaining("ENOENT") },
    ]);
  });
});
