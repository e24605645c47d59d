import { createSocket } from "node:dgram";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run, start, withFolder } from "./program.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-misuse-"));
  await writeFile(join(folder, "file"), "");
  await writeFile(join(folder, "empty.js"), "export const nothing = 1;\n");
  await writeFile(join(folder, "broken.js"), "export const plugin = {\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `%` stands for the test's folder. */
const mistakes: readonly [args: string, sentence: RegExp][] = [
  ["", /Say what to do: run, helper, init, check/],
  ["simulatte", /simulate/],
  ["simulate --devies 3", /Unknown argument: devies/],
  ["simulate --devices 0", /--devices takes a whole number from 1 to 1000/],
  ["simulate --devices many", /--devices takes a whole number from 1 to 1000/],
  ["simulate --port 70000", /--port takes a whole number from 0 to 65535/],
  ["simulate --package-size 0", /--package-size takes a whole number from 1/],
  ["simulate --fail 9=bad-uri", /--fail 9=bad-uri: there is no device "9"; name one from 1 to 6/],
  ["simulate --fail 2=nonsense", /there is no fault "nonsense"; choose one of bad-uri, connection-cut/],
  ["simulate --fail 2", /there is no fault ""; choose one of/],
  ["simulate --plugin %/missing.js", /--plugin .*missing\.js cannot be loaded/],
  ["simulate --plugin %/broken.js", /--plugin .*broken\.js cannot be loaded/],
  ["simulate --plugin %/empty.js", /exports no plugin: a plugin is a module that exports `plugin`/],
  ["simulate --state %/file/state --socket %/sock", /cannot write to the directory .*Choose another one/],
  ["simulate --server nonsense", /a server address looks like coap:\/\/host:5683/],
  ["simulate --bootstrap http://localhost", /a server address looks like coap:\/\/host:5683/],
  ["simulate --server http://localhost", /a server address looks like coap:\/\/host:5683/],
  ["simulate --log-level loud", /log-level/],
  ["jobs", /An argument is missing\.\nTry: lwm2m-agent jobs --help/],
  ["jobs devices --socket %/none", /no simulation is running: start one with `lwm2m-agent simulate --wait`/],
  ["jobs read --socket %/none", /An argument is missing\.\nTry: lwm2m-agent jobs read --help/],
  ["jobs frobnicate --socket %/none", /Say what to do: firmware-update, reboot/],
];

test.concurrent.each(mistakes)(
  "`lwm2m-agent %s` ends with 2 and says what is wrong",
  async (line, sentence) => {
    const args = line
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => word.replace("%", folder));
    const { exitCode, stdout, stderr } = await run(...args);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/^\s+at /m); // a stack is for faults of ours
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  },
);

test("a port that is in use is named", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  try {
    const port = socket.address().port;
    const { exitCode, stderr } = await run("simulate", "--port", `${port}`, "--socket", join(folder, "p"));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(new RegExp(`^lwm2m-agent: .*${port}: it is in use; choose another one`));
  } finally {
    socket.close();
  }
});

test("a second simulation on the same control socket is refused, and the first goes on", () =>
  withFolder(async (own) => {
    const socket = join(own, "s");
    const first = start("simulate", "--wait", "--devices", "1", "--socket", socket);
    await first.said("devices are registered");
    const second = await run("simulate", "--devices", "1", "--socket", socket);
    expect(second).toMatchObject({ exitCode: 2 });
    expect(second.stderr).toContain("another simulation listens on");
    expect(await run("jobs", "devices", "--socket", socket)).toMatchObject({ exitCode: 0 });
    first.kill("SIGINT");
    expect(await first.ended).toMatchObject({ exitCode: 0 });
  }));
