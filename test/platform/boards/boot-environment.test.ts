import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBootEnvironment } from "../../../platform/boards/boot-environment.js";
import { createSystemClock } from "../../../platform/clock.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { fakeBootEnvironment } from "./fake-boot-environment.js";

const clock = createSystemClock();

function world(family: "classic" | "libubootenv") {
  const directory = temporaryDirectory();
  const fake = fakeBootEnvironment(directory, family);
  const { printProgram, setProgram, configuration } = fake;
  const options = { clock, printProgram, setProgram, configuration };
  return { directory, fake, options, environment: createBootEnvironment(options) };
}

describe.each(["classic", "libubootenv"] as const)("the programs of the %s family", (family) => {
  test("a missing variable is undefined, and does not hide the others", async () => {
    const { fake, environment } = world(family);
    fake.set({ ota_done: "1", ota_status: "0" });
    expect(await environment.read(["ota_done", "ota_abort", "ota_status"])).toEqual({
      ota_done: "1",
      ota_abort: undefined,
      ota_status: "0",
    });
  });

  test("several variables change and go in one write, and nothing else changes", async () => {
    const { fake, environment } = world(family);
    fake.set({ bootcmd: "run do_boot; a=b", ota_abort: "1", ota_checked: "1" });
    await environment.write({ ota_status: "9", ota_abort: undefined, ota_checked: undefined });
    expect(fake.variables()).toEqual({ bootcmd: "run do_boot; a=b", ota_status: "9" });
    await environment.write({ BOOT_ORDER: "A B", ota_status: undefined });
    expect(fake.variables()).toEqual({ bootcmd: "run do_boot; a=b", BOOT_ORDER: "A B" });
    // The form that the family does not take is tried once at most.
    expect(fake.scripts()).toHaveLength(family === "classic" ? 2 : 3);
  });

  test("what is there already is not written again", async () => {
    const { fake, environment } = world(family);
    fake.set({ ustate: "1" });
    await environment.write({ ustate: "1", other: undefined });
    expect(fake.scripts()).toEqual([]);
  });

  test("an environment that cannot be read is neither guessed nor overwritten", async () => {
    const { fake, environment } = world(family);
    fake.ruin();
    await expect(environment.read(["ota_status"])).rejects.toThrow("cannot be read");
    await expect(environment.write({ ota_status: "9" })).rejects.toThrow("cannot be read");
    expect(fake.scripts()).toEqual([]);
    expect(await environment.check()).toMatchObject([
      { level: "error", found: expect.stringContaining("cannot be read") },
    ]);
  });

  test("nothing is found where two copies can be read", async () => {
    expect(await world(family).environment.check()).toEqual([]);
  });
});

test("libubootenv begins a new environment from a file of defaults, when told", async () => {
  const { fake, options, directory } = world("libubootenv");
  fake.ruin();
  writeFileSync(join(directory, "defaults"), "");
  const environment = createBootEnvironment({ ...options, defaults: join(directory, "defaults") });
  await environment.write({ ota_status: "9" });
  expect(fake.variables()).toEqual({ ota_status: "9" });
});

test("the defaults that the classic program falls back to are not taken for the environment", async () => {
  const { options, directory } = world("classic");
  const printProgram = join(directory, "torn");
  writeFileSync(
    printProgram,
    "#!/bin/sh\necho 'Warning: Bad CRC, using default environment' >&2\necho ota_status=0\n",
    {
      mode: 0o755,
    },
  );
  const environment = createBootEnvironment({ ...options, printProgram });
  await expect(environment.read(["ota_status"])).rejects.toThrow("Bad CRC");
});

test("a write that is reported but not there is an error", async () => {
  const { options, directory } = world("libubootenv");
  const setProgram = join(directory, "ignores");
  writeFileSync(setProgram, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const environment = createBootEnvironment({ ...options, setProgram });
  await expect(environment.write({ ota_status: "9" })).rejects.toThrow("ota_status has not changed");
});

test("a write that fails says why", async () => {
  const { options, directory } = world("libubootenv");
  const setProgram = join(directory, "fails");
  writeFileSync(setProgram, "#!/bin/sh\necho 'Error storing the env' >&2\nexit 1\n", { mode: 0o755 });
  const environment = createBootEnvironment({ ...options, setProgram });
  await expect(environment.write({ ota_status: "9" })).rejects.toThrow("Error storing the env");
});

test("a program that is not there is named, and check says which package has it", async () => {
  const { options } = world("classic");
  const environment = createBootEnvironment({ ...options, printProgram: "/no/such/fw_printenv" });
  await expect(environment.read(["x"])).rejects.toThrow("/no/such/fw_printenv");
  expect(await environment.check()).toMatchObject([{ remedy: expect.stringContaining("libubootenv-tool") }]);
});

test.each(["", "-s", "a b", "a=b", "$x"])("%j is no name", async (name) => {
  const { environment, fake } = world("classic");
  await expect(environment.read([name])).rejects.toThrow(RangeError);
  await expect(environment.write({ [name]: "1" })).rejects.toThrow(RangeError);
  expect(fake.scripts()).toEqual([]);
});

test.each(["", "run x; reset", "a=b", " a", "a\nb", "$x"])("%j is no value", async (value) => {
  const { environment, fake } = world("classic");
  await expect(environment.write({ name: value })).rejects.toThrow(RangeError);
  expect(fake.scripts()).toEqual([]);
});

test.each([
  ["/dev/mtd1 0 0x4000\n", "warning", "a power cut while it is written loses it"],
  ["# nothing\n\n", "error", "names no copy"],
])("check reads the list of copies: %j", async (text, level, found) => {
  const { fake, environment } = world("classic");
  writeFileSync(fake.configuration, text);
  expect(await environment.check()).toMatchObject([{ level, found: expect.stringContaining(found) }]);
});

test("check names a list of copies that is not there", async () => {
  const { options } = world("classic");
  const environment = createBootEnvironment({ ...options, configuration: "/no/such/fw_env.config" });
  expect(await environment.check()).toMatchObject([
    { level: "error", found: expect.stringContaining("/no/such/fw_env.config") },
  ]);
});
