/** The real libubootenv on plain files, which work as devices do: what our code relies on, and what our double claims. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { createBootEnvironment } from "../../../platform/boards/boot-environment.js";
import { createSystemClock } from "../../../platform/clock.js";
import { fakeBootEnvironment } from "../../platform/boards/fake-boot-environment.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

const size = 64 * 1024;

beforeAll(() => {
  const { error } = spawnSync("fw_printenv", ["-V"]);
  if (error) throw new Error("fw_printenv is not installed: apt-get install libubootenv-tool");
});

/** As the Edison has it: two copies of 64 KiB. */
function world({ copies = 2, initial = "bootdelay=3\nbootcmd=run do_boot\n" } = {}) {
  const directory = temporaryDirectory();
  const paths = Array.from({ length: copies }, (_, index) => join(directory, `copy-${index}`));
  for (const path of paths) {
    writeFileSync(path, "");
    truncateSync(path, size);
  }
  const configuration = join(directory, "fw_env.config");
  writeFileSync(configuration, paths.map((path) => `${path} 0 0x10000\n`).join(""));
  const defaults = join(directory, "defaults");
  writeFileSync(defaults, initial);
  if (initial !== "") {
    execFileSync("fw_setenv", ["-c", configuration, "-f", defaults, "-s", "-"], { input: initial });
  }
  const options = { clock: createSystemClock(), configuration };
  return { directory, paths, configuration, defaults, options, environment: createBootEnvironment(options) };
}

const print = (configuration: string, ...words: string[]) =>
  spawnSync("fw_printenv", ["-c", configuration, ...words], { encoding: "utf8" });

test("several variables are written and deleted at once, and read back", async () => {
  const { environment, configuration } = world();
  await environment.write({ ota_status: "9", bootargs_mode: "ota", bootdelay: undefined });
  expect(await environment.read(["ota_status", "bootargs_mode", "bootdelay", "bootcmd"])).toEqual({
    ota_status: "9",
    bootargs_mode: "ota",
    bootdelay: undefined,
    bootcmd: "run do_boot",
  });
  expect(print(configuration).stdout.split("\n").sort()).toEqual([
    "",
    "bootargs_mode=ota",
    "bootcmd=run do_boot",
    "ota_status=9",
  ]);
});

test("one ruined copy is survived, whichever it is", async () => {
  for (const ruined of [0, 1]) {
    const { environment, paths } = world();
    await environment.write({ ota_status: "9" });
    await environment.write({ ota_status: "8" }); // both copies are written now
    const path = paths[ruined] ?? "";
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 2000);
    writeFileSync(path, bytes);
    // The copy that is left is the newer one, or the one before it: whole in either case.
    expect(["8", "9"]).toContain((await environment.read(["ota_status"])).ota_status);
    await environment.write({ ota_status: "7" });
    expect((await environment.read(["ota_status"])).ota_status).toBe("7");
  }
});

test("an environment of which nothing is left is an error, not an empty one", async () => {
  const { environment, options, defaults, paths } = world({ initial: "" });
  await expect(environment.read(["ota_status"])).rejects.toThrow("cannot be read");
  await expect(environment.write({ ota_status: "9" })).rejects.toThrow("cannot be read");
  for (const path of paths) expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);

  const fresh = createBootEnvironment({ ...options, defaults });
  await fresh.write({ ota_status: "9" });
  expect((await environment.read(["ota_status"])).ota_status).toBe("9");
});

test("check warns of a single copy", async () => {
  expect(await world().environment.check()).toEqual([]);
  expect(await world({ copies: 1 }).environment.check()).toMatchObject([{ level: "warning" }]);
});

describe("our double of libubootenv does what the real one does", () => {
  const both = () => {
    const real = world();
    const fake = fakeBootEnvironment(temporaryDirectory(), "libubootenv");
    fake.set({ bootdelay: "3", bootcmd: "run do_boot" });
    return [
      {
        print: "fw_printenv",
        set: "fw_setenv",
        configuration: real.configuration,
      },
      {
        print: fake.printProgram,
        set: fake.setProgram,
        configuration: fake.configuration,
      },
    ];
  };
  const results = (act: (one: ReturnType<typeof both>[number]) => unknown) => both().map(act);
  const run = (program: string, words: string[], input = "") => {
    const { status, stdout } = spawnSync(program, words, { encoding: "utf8", input });
    return { status, stdout: stdout.split("\n").sort() };
  };

  test.each<[string, string[]]>([
    ["one variable", ["bootcmd"]],
    ["a missing one among others", ["bootcmd", "missing", "bootdelay"]],
    ["the value alone", ["-n", "bootdelay"]],
    ["the value alone of a missing one", ["-n", "missing"]],
    ["all", []],
  ])("printing %s", (_, words) => {
    const [real, fake] = results(({ print, configuration }) => run(print, ["-c", configuration, ...words]));
    expect(fake).toEqual(real);
  });

  test.each([
    ["a value", "a=1\n"],
    ["a deletion and a value", "bootdelay=\na=b\n"],
    ["the classic form", "bootdelay 5\na b\n"],
    ["the classic deletion", "bootdelay\n"],
  ])("a script with %s", (_, script) => {
    const [real, fake] = results(({ print, set, configuration }) => [
      run(set, ["-c", configuration, "-s", "-"], script).status,
      run(print, ["-c", configuration]),
    ]);
    expect(fake).toEqual(real);
  });
});
