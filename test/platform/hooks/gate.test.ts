import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millis, type StageContext } from "../../../agent/ports.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHookGate, type HookGateOptions } from "../../../platform/hooks/gate.js";
import { createRecordingLog } from "../../simulated/log.js";
import { temporaryDirectory } from "../files/temporary-directory.js";

const context: StageContext = {
  uri: "https://example.com/fw.bin",
  package: { name: "fw", version: "2.0" },
  image: { path: "/var/cache/package", size: 3, sha256: "ab" },
  severity: 1,
  attempt: "attempt-1",
  signal: new AbortController().signal,
};

/** A folder of hooks: names and the bodies of shell scripts. */
function hooks(bodies: Readonly<Record<string, string>>, options: Partial<HookGateOptions> = {}) {
  const directory = temporaryDirectory();
  for (const [name, body] of Object.entries(bodies)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
  const gate = createHookGate({
    directory,
    clock: createSystemClock(),
    log: createRecordingLog(),
    ...options,
  });
  return { gate, directory };
}

test("without hooks an update goes on", async () => {
  const { gate } = hooks({});
  expect(await gate.before("apply", context)).toBe("go");
  await gate.after("apply", context);
  const nowhere = hooks({}, { directory: "/no/such/folder" }).gate;
  expect(await nowhere.before("download", context)).toBe("go");
});

test("each stage runs its own hooks, before and after", async () => {
  const names = ["download", "apply", "restart", "commit"].flatMap((stage) => [
    `before-${stage}`,
    `after-${stage}`,
  ]);
  const { gate, directory } = hooks(
    Object.fromEntries(
      names.map((name) => [name, 'echo "$LWM2M_HOOK $LWM2M_STAGE" >> "$(dirname "$0")/ran"']),
    ),
  );
  for (const stage of ["download", "apply", "restart", "commit"] as const) {
    expect(await gate.before(stage, context)).toBe("go");
    await gate.after(stage, context);
  }
  const ran = readFileSync(join(directory, "ran"), "utf8").trim().split("\n");
  expect(ran).toEqual(names.map((name) => `${name} ${name.replace(/^.*-/, "")}`));
});

test("exit code 75 puts it off, for the reason that the hook gives", async () => {
  const { gate, directory } = hooks({ "before-apply": "echo 'a patient is connected' >&2; exit 75" });
  expect(await gate.before("apply", context)).toEqual({ later: "a patient is connected" });
  writeFileSync(join(directory, "before-apply"), "#!/bin/sh\nexit 75\n");
  expect(await gate.before("apply", context)).toEqual({
    later: `${directory}/before-apply ended with exit code 75`,
  });
});

test.each([
  ["echo 'wrong site' >&2; exit 1", /^the hook before-download refused: wrong site$/],
  ["exit 9", /^the hook before-download refused: .*before-download ended with exit code 9$/],
  ["kill -9 $$", /^the hook before-download refused: .*before-download was ended by a signal$/],
])("a hook that ends with %s fails the update", async (body, message) => {
  const { gate } = hooks({ "before-download": body });
  await expect(gate.before("download", context)).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringMatching(message),
  });
});

test("a hook that hangs, or cannot be run, fails the update: it is never passed over", async () => {
  const slow = hooks({ "before-apply": "sleep 60" }, { timeLimit: millis(100) });
  await expect(slow.gate.before("apply", context)).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringContaining("did not end within 0.1 s"),
  });
  const { gate, directory } = hooks({ "before-apply": "exit 0" });
  chmodSync(join(directory, "before-apply"), 0o644);
  await expect(gate.before("apply", context)).rejects.toMatchObject({
    failure: "failed",
    message: expect.stringMatching(/^the hook before-apply could not be run: .*EACCES/),
  });
});

test("several hooks of a folder run in the order of their names, until one does not want to go on", async () => {
  const note = 'echo "$(basename "$0")" >> "$(dirname "$0")/../ran"';
  const { gate, directory } = hooks({
    "before-apply": 'echo first >> "$(dirname "$0")/ran"',
    "before-apply.d/20-second": note,
    "before-apply.d/10-first": note,
    "before-apply.d/30-waits": `${note}; exit 75`,
    "before-apply.d/40-never": note,
    "before-apply.d/README.md": "exit 1",
    "before-apply.d/10-first.dpkg-old": "exit 1",
    "before-apply.d/20-second~": "exit 1",
  });
  expect(await gate.before("apply", context)).toHaveProperty("later");
  expect(readFileSync(join(directory, "ran"), "utf8")).toBe("first\n10-first\n20-second\n30-waits\n");
});

test("a hook named in the configuration runs before those of the folder, with its arguments", async () => {
  const { directory } = hooks({ record: 'echo "named $*" >> "$(dirname "$0")/ran"' });
  const { gate } = hooks(
    { "after-commit": `echo found >> ${directory}/ran` },
    { programs: { "after-commit": { program: join(directory, "record"), arguments: ["a b", "$(id)"] } } },
  );
  await gate.after("commit", context);
  expect(readFileSync(join(directory, "ran"), "utf8")).toBe("named a b $(id)\nfound\n");
});

test("a hook is told all that is known, and empty texts for the rest", async () => {
  const { gate, directory } = hooks({
    "before-download": 'env | grep ^LWM2M_ | sort > "$(dirname "$0")/told"',
  });
  const told = () => readFileSync(join(directory, "told"), "utf8").trim().split("\n");
  await gate.before("download", context);
  expect(told()).toEqual([
    "LWM2M_ATTEMPT=attempt-1",
    "LWM2M_HOOK=before-download",
    "LWM2M_IMAGE=/var/cache/package",
    "LWM2M_IMAGE_SHA256=ab",
    "LWM2M_IMAGE_SIZE=3",
    "LWM2M_PACKAGE_NAME=fw",
    "LWM2M_PACKAGE_VERSION=2.0",
    "LWM2M_SEVERITY=1",
    "LWM2M_STAGE=download",
    "LWM2M_URI=https://example.com/fw.bin",
  ]);
  const nothing = { package: undefined, image: undefined, attempt: undefined };
  await gate.before("download", { ...context, ...nothing, uri: "coap://a\0b\nLWM2M_STAGE=x" });
  expect(told()).toContain("LWM2M_URI=coap://a b LWM2M_STAGE=x");
  expect(told()).toContain("LWM2M_IMAGE=");
  expect(told()).toContain("LWM2M_STAGE=download");
});

test("an abort ends the hook and is the error", async () => {
  const { gate, directory } = hooks({ "before-apply": 'touch "$(dirname "$0")/started"; sleep 60' });
  const controller = new AbortController();
  const asked = gate.before("apply", { ...context, signal: controller.signal });
  await expect.poll(() => existsSync(join(directory, "started"))).toBe(true);
  controller.abort(new Error("cancelled"));
  await expect(asked).rejects.toThrow(/^cancelled$/);
});

test("what goes wrong after a stage is said", async () => {
  const { gate } = hooks({ "after-apply": "echo 'no mail server' >&2; exit 75" });
  await expect(gate.after("apply", context)).rejects.toThrow("the hook after-apply failed: no mail server");
});

test("check names hooks that cannot run or that others could change", async () => {
  const { gate, directory } = hooks({
    "before-apply": "exit 0",
    "after-apply": "exit 0",
    "after-commit.d/notify": "exit 0",
  });
  expect(await gate.check()).toEqual([]);
  chmodSync(join(directory, "before-apply"), 0o600);
  chmodSync(join(directory, "after-commit.d"), 0o777);
  expect((await gate.check()).map(({ found }) => found.replaceAll(directory, ""))).toEqual([
    "the hook before-apply, /before-apply, is not an executable file",
    "the hook after-commit, /after-commit.d/notify, lies below /after-commit.d, where somebody else could replace it",
  ]);
});
