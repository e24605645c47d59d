import { chmod, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { AnyHandlers, ObjectImplementation } from "../../agent/model/definition.js";
import type { PluginAgent } from "../../agent/plugin.js";
import { seconds } from "../../agent/ports.js";
import { checkScript, createScriptPlugin, type ScriptOptions } from "../../agent/scripts.js";
import { resourceIn } from "../../jobs/device-gateway.js";
import { createSystemClock } from "../../platform/clock.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";
import { createRecordingLog } from "../simulated/log.js";
import { type ManagedAgent, startManagedAgent } from "./managed-agent.js";
import { item, objectFile } from "./oma/files.js";

const document = objectFile({
  id: 30000,
  items: [
    item({ id: 0, name: "Text", operations: "RW", type: "String" }),
    item({ id: 1, name: "Count", operations: "RW", type: "Integer" }),
    item({ id: 2, name: "Level", operations: "RW", type: "Float", units: "Cel" }),
    item({ id: 3, name: "On", operations: "RW", type: "Boolean" }),
    item({ id: 4, name: "Bytes", operations: "RW", type: "Opaque" }),
    item({ id: 5, name: "At", operations: "RW", type: "Time" }),
    item({ id: 6, name: "Link", operations: "RW", type: "Objlnk" }),
    item({ id: 7, name: "Many", operations: "RW", type: "Integer", multiple: true }),
    item({ id: 8, name: "Act", operations: "E", type: "" }),
  ],
});

/** A script of these lines, and the Object that it answers for. */
async function scripted(lines: string, options: Partial<ScriptOptions> = {}) {
  const directory = temporaryDirectory();
  const [object, program] = [join(directory, "30000.xml"), join(directory, "script")];
  await writeFile(object, document);
  await writeFile(program, `#!/bin/sh\ncd "${directory}"\n${lines}\n`);
  await chmod(program, 0o755);
  const plugin = createScriptPlugin("script-30000", { object, program, ...options }, createSystemClock());
  const objects: ObjectImplementation[] = [];
  await plugin.start?.({
    log: createRecordingLog(),
    addObject: (added: ObjectImplementation) => void objects.push(added),
  } as unknown as PluginAgent); // all that it asks for
  const handlers = objects[0]?.instances.get(options.instances?.[0] ?? 0) as AnyHandlers;
  const said = () => readFile(join(directory, "said"), "utf8");
  return { plugin, handlers, said, object: objects[0] };
}

const values: readonly (readonly [name: string, output: string, value: unknown])[] = [
  ["text", "two words ", "two words "],
  ["text", "first\nsecond", "first\nsecond"],
  ["text", "", ""],
  ["count", "-7", -7],
  ["count", "9007199254740993", 9007199254740993n],
  ["level", " 21.5 ", 21.5],
  ["on", "1", true],
  ["on", "false", false],
  ["bytes", "AQID", Uint8Array.of(1, 2, 3)],
  ["at", "1700000000", 1_700_000_000],
  ["link", "3:0", { objectId: 3, objectInstanceId: 0 }],
  ["many", "0=5\n7=-1", new Map(Object.entries({ 0: 5, 7: -1 }).map(([id, value]) => [Number(id), value]))],
];

describe("what a script says is a value:", () => {
  test.each(values)("%s %j", async (name, output, value) => {
    const { handlers } = await scripted(`cat <<'END'\n${output}\nEND`);
    const read = await handlers[name]?.read?.();
    expect(read instanceof Uint8Array ? Uint8Array.from(read) : read).toEqual(value);
  });

  test.each([
    ["count", "seven"],
    ["count", ""],
    ["level", "21,5"],
    ["on", "yes"],
    ["bytes", "%"],
    ["link", "3"],
    ["many", "5"],
    ["many", "70000=5"],
  ])("and %s %j is none: 5.00", async (name, output) => {
    const { handlers } = await scripted(`cat <<'END'\n${output}\nEND`);
    await expect(handlers[name]?.read?.()).rejects.toMatchObject({
      code: "5.00",
      message: expect.stringContaining("script read /30000/0/"),
    });
  });

  test("nor is one that has no end", async () => {
    const { handlers } = await scripted("yes | head -c 100000");
    await expect(handlers["text"]?.read?.()).rejects.toMatchObject({ code: "5.00" });
  });
});

test.each([
  [1, "5.00"],
  [2, "4.00"],
  [4, "4.04"],
  [5, "4.05"],
  [75, "5.03"],
  [99, "5.00"],
])("exit code %i is %s for who writes and executes", async (exitCode, code) => {
  const { handlers } = await scripted(`echo "the reason" >&2; exit ${exitCode}`);
  await expect(handlers["count"]?.write?.(1 as never)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(/script write \/30000\/0\/1: the reason$/),
  });
  await expect(handlers["act"]?.execute?.(new Map())).rejects.toMatchObject({ code });
  const reading = handlers["count"]?.read?.();
  if (exitCode === 4) expect(await reading).toBeUndefined();
  else await expect(reading).rejects.toMatchObject({ code });
});

test("a Write brings the value on standard input, in the same words", async () => {
  const { handlers, said } = await scripted(`printf '%s|' "$@" >> said; cat >> said; echo >> said`);
  const written: readonly (readonly [string, unknown])[] = [
    ["text", `"; rm -rf / $(id) \``],
    ["count", 9007199254740993n],
    ["level", 21.5],
    ["on", true],
    ["bytes", Uint8Array.of(1, 2, 3)],
    ["link", { objectId: 3, objectInstanceId: 0 }],
    ["many", new Map().set(0, 5).set(7, -1)],
  ];
  for (const [name, value] of written) await handlers[name]?.write?.(value as never);
  expect((await said()).split("\n")).toEqual([
    `write|/30000/0/0|"; rm -rf / $(id) \``,
    "write|/30000/0/1|9007199254740993",
    "write|/30000/0/2|21.5",
    "write|/30000/0/3|1",
    "write|/30000/0/4|AQID",
    "write|/30000/0/6|3:0",
    "write|/30000/0/7|0=5",
    "7=-1",
    "",
    "",
  ]);
});

test("each argument of an Execute is one argument of the script, whatever is in it", async () => {
  const { handlers, said } = await scripted(`printf '%s\\n' "$@" > said`, { instances: [3] });
  await handlers["act"]?.execute?.(
    new Map<number, string | undefined>().set(0, undefined).set(1, "a b; $(id)"),
  );
  expect(await said()).toBe("execute\n/30000/3/8\n0\n1=a b; $(id)\n");
});

test("the environment says what is asked, and nothing of ours", async () => {
  process.env["LWM2M_TEST_SECRET"] = "hidden";
  const { handlers, said } = await scripted("env > said; echo 1");
  await handlers["level"]?.read?.();
  delete process.env["LWM2M_TEST_SECRET"];
  const lines = (await said()).split("\n");
  expect(lines).toEqual(
    expect.arrayContaining([
      "LWM2M_OPERATION=read",
      "LWM2M_OBJECT=30000",
      "LWM2M_INSTANCE=0",
      "LWM2M_RESOURCE=2",
      "LWM2M_NAME=level",
      "LWM2M_TYPE=float",
      "LWM2M_UNITS=Cel",
    ]),
  );
  expect(lines.join()).not.toContain("hidden");
});

test("a script runs once at a time; one that does not end is ended, and the next has its turn", async () => {
  const { handlers, said } = await scripted(
    `case $2 in */0) exec sleep 60;; esac; mkdir busy || exit 1; sleep 0.1; rmdir busy; echo 1; echo ran >> said`,
    { timeLimit: seconds(1) },
  );
  const hanging = expect(handlers["text"]?.read?.()).rejects.toMatchObject({ code: "5.03" });
  expect(await Promise.all([handlers["count"]?.read?.(), handlers["level"]?.read?.()])).toEqual([1, 1]);
  await hanging;
  expect(await said()).toBe("ran\nran\n");
});

test("a run that nobody waits for any more ends with the agent", async () => {
  const { handlers, plugin } = await scripted("exec sleep 60");
  const reading = expect(handlers["text"]?.read?.()).rejects.toThrow("the agent stops");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await plugin.stop?.();
  await reading;
});

describe("what cannot be offered is said with its remedy:", () => {
  const refusals: readonly (readonly [
    what: string,
    change: (directory: string) => Promise<Partial<ScriptOptions> | void>,
    message: RegExp,
  ])[] = [
    ["no definition", async () => ({ object: "/nowhere/1.xml" }), /^\/nowhere\/1\.xml cannot be read/],
    [
      "no program",
      async () => ({ program: "/nowhere/x" }),
      /^the script, \/nowhere\/x, cannot be used: .*: Install it/,
    ],
    [
      "a program that is not executable",
      (directory) => chmod(join(directory, "script"), 0o644),
      /is not an executable file: .*chmod \+x/,
    ],
    [
      "a program that others can change",
      (directory) => chmod(join(directory, "script"), 0o777),
      /can be changed by every user: chmod go-w/,
    ],
    ["a Resource that is none", async () => ({ resources: [77] }), /there is no Resource 77; there are 0, 1/],
    [
      "more instances than there can be",
      async (directory) => {
        await writeFile(join(directory, "30000.xml"), objectFile({ instances: "Single" }));
        return { instances: [0, 1] };
      },
      /has one instance, number 0/,
    ],
  ];
  test.each(refusals)("%s", async (_what, change, message) => {
    const directory = temporaryDirectory();
    const [object, program] = [join(directory, "30000.xml"), join(directory, "script")];
    await writeFile(object, document);
    await writeFile(program, "#!/bin/sh\n");
    await chmod(program, 0o755);
    const changed = (await change(directory)) ?? {};
    await expect(checkScript({ object, program, ...changed })).rejects.toThrow(message);
  });
});

let managed: ManagedAgent | undefined;
afterEach(() => managed?.close());

test("the example answers a Server, and observers hear of changes", async () => {
  const directory = temporaryDirectory();
  const [object, sensor, program] = ["3303.xml", "temp", "script"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const items = [
    item({ id: 5700, name: "Sensor Value", type: "Float", mandatory: true }),
    item({ id: 5701, name: "Sensor Units", type: "String" }),
    item({ id: 5601, name: "Min Measured Value", type: "Float" }),
    item({ id: 5605, name: "Reset Min and Max", operations: "E", type: "" }),
  ];
  await writeFile(object, objectFile({ id: 3303, name: "Temperature", version: "1.1", items }));
  await writeFile(sensor, "21500\n");
  const example = resolve(import.meta.dirname, "../../examples/scripts/temperature");
  await writeFile(program, `#!/bin/sh\nSENSOR=${sensor} exec ${example} "$@"\n`);
  await chmod(program, 0o755);
  const options = { object, program, pollInterval: seconds(1) };
  managed = await startManagedAgent({
    plugins: [createScriptPlugin("script-3303", options, createSystemClock())],
  });
  const { server, read, execute } = managed;
  expect(server.device("board")?.objects.get(3303)).toEqual({ version: "1.1", instances: [0] });
  expect(await read([3303, 0, 5700])).toBe("21.5");
  expect(await read([3303, 0, 5701])).toBe("Cel");
  await expect(read([3303, 0, 5601])).rejects.toMatchObject({ code: "4.04" });
  await execute([3303, 0, 5605]);
  const heard: unknown[] = [];
  await server.observe("board", [3303, 0, 5700], (content) =>
    heard.push(resourceIn(content, [3303, 0, 5700])),
  );
  await writeFile(sensor, "30250\n");
  await expect.poll(() => heard.at(-1), { timeout: 5000 }).toBe("30.25");
});
