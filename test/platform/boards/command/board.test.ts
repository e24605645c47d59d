import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ApplyOptions, millis, type UpdateAttempt } from "../../../../agent/ports.js";
import { type CommandBoardOptions, createCommandBoard } from "../../../../platform/boards/command/board.js";
import type { CommandStep } from "../../../../platform/boards/command/steps.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { boardContract } from "../board.contract.js";
import { createTwoSlotWorld, examplePackage, script } from "./two-slots.js";

boardContract("the command board with the example scripts", () => createTwoSlotWorld());

const never = new AbortController().signal;
const applying: ApplyOptions = { signal: never, progress: () => {}, attempt: "attempt-1" };
const image = { path: "/nowhere", size: 3, sha256: "ab" };

/** A board whose programs are given as the body of a shell script. */
function board(
  bodies: Partial<Record<CommandStep, string>>,
  options: Partial<CommandBoardOptions> = {},
  folder = temporaryDirectory(),
) {
  const log = createRecordingLog();
  const commands = Object.fromEntries(
    Object.entries({ apply: "exit 0", ...bodies }).map(([step, body]) => [
      step,
      { program: script(folder, step, body) },
    ]),
  ) as unknown as CommandBoardOptions["commands"];
  const made = createCommandBoard({ commands, root: folder, clock: createSystemClock(), log, ...options });
  return Object.assign(made, { log, folder, commands });
}

test.each([
  ["exit 0", "running"],
  ["exit 3", "restart"],
] as const)("apply that ends with %s means %s", async (body, meaning) => {
  expect(await board({ apply: body }).apply(image, applying)).toBe(meaning);
});

test.each([
  ["echo 'the modem is in use' >&2; exit 4", { name: "BusyError", message: "the modem is in use" }],
  ["echo 'wrong signature' >&2; exit 5", { failure: "integrity", message: "wrong signature" }],
  ["echo 'for revision C' >&2; exit 6", { failure: "unsupported-package", message: "for revision C" }],
  ["echo 'slot too small' >&2; exit 7", { failure: "storage", message: "slot too small" }],
  ["echo 'flash gone' >&2; exit 1", { failure: "failed", message: "flash gone" }],
  [
    "exit 2",
    { failure: "failed", message: expect.stringMatching(/the step apply, ended with exit code 2$/) },
  ],
  ["kill -9 $$", { failure: "failed", message: expect.stringMatching(/was ended by a signal$/) }],
  ["printf 'a\\033[31mred\\007' >&2; exit 1", { failure: "failed", message: "a red" }],
])("apply that ends with %s is refused as it says", async (body, error) => {
  await expect(board({ apply: body }).apply(image, applying)).rejects.toMatchObject(error);
});

test("a program that is too slow is ended, and one that is not there is named", async () => {
  const folder = temporaryDirectory();
  const slow = { program: script(folder, "slow", "sleep 60"), timeLimit: millis(200) };
  const options = { clock: createSystemClock(), log: createRecordingLog() };
  await expect(
    createCommandBoard({ commands: { apply: slow }, ...options }).apply(image, applying),
  ).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringMatching(/^the step apply could not be done: .*slow did not end within 0.2 s/),
  });
  const missing = { program: "/no/such/program" };
  await expect(
    createCommandBoard({ commands: { apply: missing }, ...options }).apply(image, applying),
  ).rejects.toMatchObject({ failure: "failed", message: expect.stringContaining("/no/such/program") });
});

test("apply is told all about the image, the package, the attempt and what ran before", async () => {
  const made = board({
    inspect: "echo name=fw; echo version=2.0",
    apply: 'env | grep ^LWM2M_ | sort > "$(dirname "$0")/told"',
    describe: "echo version=1.5",
  });
  await made.apply(image, applying);
  expect(readFileSync(join(made.folder, "told"), "utf8").split("\n").slice(0, -1)).toEqual([
    "LWM2M_ATTEMPT=attempt-1",
    "LWM2M_IMAGE=/nowhere",
    "LWM2M_IMAGE_SHA256=ab",
    "LWM2M_IMAGE_SIZE=3",
    "LWM2M_PACKAGE_NAME=fw",
    "LWM2M_PACKAGE_VERSION=2.0",
    "LWM2M_PREVIOUS_VERSION=1.5",
    "LWM2M_PROGRESS_FD=3",
    "LWM2M_STEP=apply",
  ]);
});

test("progress is read from descriptor 3 and from standard output, and never goes backwards", async () => {
  const told: [number, string | undefined][] = [];
  await board({ apply: "echo 10 erasing >&3; echo 50% writing; echo 30 >&3; echo 777; echo 12 >&2" }).apply(
    image,
    {
      ...applying,
      progress: (fraction, message) => told.push([fraction, message]),
    },
  );
  expect(told.map(([fraction]) => fraction)).toEqual(
    told.map(([fraction]) => fraction).toSorted((a, b) => a - b),
  );
  expect(told.map(([, message]) => message)).toEqual(expect.arrayContaining(["erasing", "writing"]));
  expect(told.at(-1)).toEqual([1, undefined]);
});

test("the image comes on standard input where that is asked for; one that breaks off fails the step", async () => {
  const folder = temporaryDirectory();
  const program = script(folder, "apply", 'cat > "$(dirname "$0")/got"');
  const options = { clock: createSystemClock(), log: createRecordingLog() };
  const made = createCommandBoard({ commands: { apply: { program, imageOnInput: true } }, ...options });
  const path = join(folder, "image");
  writeFileSync(path, "firmware");
  await made.apply({ ...image, path }, applying);
  expect(readFileSync(join(folder, "got"), "utf8")).toBe("firmware");
  rmSync(path);
  await expect(made.apply({ ...image, path }, applying)).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringContaining("the image cannot be read"),
  });
});

test.each([
  ['echo \'{"name":"fw","version":"1.10"}\'', { name: "fw", version: "1.10" }],
  ["printf '# comment\\n\\nNAME=\"my fw\"\\nVERSION=2.0\\n'", { name: "my fw", version: "2.0" }],
  ["echo version=3", { name: "firmware", version: "3" }],
])("inspect that prints by %s names the package", async (inspect, info) => {
  expect(await board({ inspect }).inspect(image, { signal: never })).toEqual(info);
});

test.each([
  ["echo name=fw", "there is no version"],
  ["echo version=", "there is no version"],
  ["echo hello", '"hello" is not of the form name=value'],
  ["echo '{\"version\":1.10}'", '"version" is not a text in quotes'],
  ["echo '{\"version\":'", "it is not one JSON object"],
  ["printf 'version=a\\033b'", '"version" contains control characters'],
  [`printf 'version=%0300d' 1`, '"version" has more than 255 characters'],
])("inspect that prints by %s is not understood", async (inspect, why) => {
  await expect(board({ inspect }).inspect(image, { signal: never })).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringContaining(why),
  });
});

const attempt: UpdateAttempt = {
  id: "attempt-1",
  package: { name: "fw", version: "2.0" },
  image,
  bootId: "boot-1",
  previousVersion: "1.0",
};

test.each([
  ["2.0", "2.0", "new"],
  ["2.0", "1.0", "old"],
  ["2.0", "1.7", "unknown"],
  ["", "1.0", "old"],
  ["", "1.7", "new"],
] as const)("without a program, version %j is tried and %j runs: %s", async (version, running, outcome) => {
  const made = board({}, { description: { firmwareVersion: running } });
  expect(await made.outcome({ ...attempt, package: { name: "fw", version } })).toBe(outcome);
});

test.each([
  ["echo new", "new"],
  ["echo old", "old"],
  ["echo unknown", "unknown"],
  ["echo maybe", "unknown"],
  ["echo new; exit 1", "unknown"],
] as const)("outcome by %s is %s", async (body, outcome) => {
  const made = board({ outcome: body });
  expect(await made.outcome(attempt)).toBe(outcome);
  expect(made.log.lines.some(({ event }) => event === "outcome unclear")).toBe(
    !/^echo (new|old|unknown)$/.test(body),
  );
});

test("what is changed is changed alone: others are told to come back", async () => {
  const made = board({ apply: "sleep 0.3", commit: "exit 0", revert: "exit 0" });
  const running = made.apply(image, applying);
  const busy = { name: "BusyError", message: "the step apply is under way" };
  await expect(made.commit()).rejects.toMatchObject(busy);
  await expect(made.revert()).rejects.toMatchObject(busy);
  await running;
  await made.commit();
});

test("closing ends what runs", async () => {
  const made = board({ apply: "sleep 60" });
  const running = made.apply(image, applying);
  await made.close?.();
  await expect(running).rejects.toThrow("the agent is closing");
});

test("a factory reset that asks for a restart gets one", async () => {
  const made = board({ "factory-reset": "exit 3", restart: 'echo done > "$(dirname "$0")/restarted"' });
  await made.factoryReset();
  expect(readFileSync(join(made.folder, "restarted"), "utf8")).toBe("done\n");
  await expect(board({}).factoryReset()).rejects.toThrow("no program for the step factory-reset");
});

test("the description comes from the configuration, a file, the program and os-release, in that order", async () => {
  const folder = temporaryDirectory();
  writeFileSync(join(folder, "revision"), 'HW="rev C"\n');
  const made = board(
    { describe: "echo manufacturer=nobody; echo model=M1; echo serial=S1; echo version=7" },
    { description: { manufacturer: "Acme", hardwareVersion: { file: join(folder, "revision"), key: "HW" } } },
  );
  expect(await made.describe()).toEqual({
    manufacturer: "Acme",
    modelNumber: "M1",
    serialNumber: "S1",
    hardwareVersion: "rev C",
    firmwareVersion: "7",
  });
});

test("a description whose program fails is made without it, and asked for again the next time", async () => {
  const folder = temporaryDirectory();
  const made = board({ describe: `test -e ${folder}/ready && echo version=2` });
  expect((await made.describe()).firmwareVersion).toBe("");
  expect(made.log.lines.map(({ event }) => event)).toContain("board not described");
  writeFileSync(join(folder, "ready"), "");
  expect((await made.describe()).firmwareVersion).toBe("2");
});

test("check names programs that cannot run or that others could change, and steps that are missing", async () => {
  const made = board({ inspect: "exit 0", commit: "exit 0" });
  chmodSync(made.commands.apply.program, 0o644);
  chmodSync(made.commands.commit?.program ?? "", 0o777);
  const found = (await made.check?.())?.map(
    ({ level, found }) => `${level}: ${found.replace(made.folder, "")}`,
  );
  expect(found).toEqual([
    "error: the program of the step apply, /apply, is not an executable file",
    "error: the program of the step commit, /commit, can be changed by every user",
    "warning: there is no program for the step revert: an image that does not work stays",
    "info: there is no program for the step factory-reset: a Server that asks for it is refused",
  ]);
});

test("the example refuses a package for another board", async () => {
  const { board } = await createTwoSlotWorld();
  await expect(
    board.inspect(examplePackage("2.0", { compatible: "other" }), { signal: never }),
  ).rejects.toMatchObject({
    failure: "unsupported-package",
    message: "the package is for other, this board is test-board",
  });
  await expect(
    board.inspect({ ...image, path: import.meta.filename }, { signal: never }),
  ).rejects.toMatchObject({
    failure: "unsupported-package",
    message: "there is no manifest in the package",
  });
});
