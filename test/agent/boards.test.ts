import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../agent/config/load.js";
import { createBoard } from "../../agent/service/boards.js";
import { createSystemClock } from "../../platform/clock.js";
import { systemRandom } from "../../platform/random.js";
import { temporaryDirectory } from "../platform/files/temporary-directory.js";
import { createRecordingLog } from "../simulated/log.js";

/** The board that a configuration file makes. */
async function boardOf(directory: string, board: string) {
  const file = join(directory, "agent.yaml");
  writeFileSync(file, `servers: [{ uri: coap://localhost }]\nboard: ${board}\n`);
  const surroundings = { env: {}, uid: 0, hostname: "kitchen", machineId: "" };
  const config = await loadConfig({ file, flags: [], surroundings });
  return createBoard(config.board, {
    directories: config.directories,
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
    uid: 0,
    onRestart: () => undefined,
    forget: async () => undefined,
  });
}

test("an Edison is what its section of the file says", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "version"), "2.1@stamp\n");
  writeFileSync(join(directory, "serial"), "FZED\n");
  const board = await boardOf(
    directory,
    `{ type: edison, hardwareVersion: C0, updatePartition: ${directory}/none, versionFile: ${directory}/version,
       serialNumberFile: ${directory}/serial, bootEnvironment: { configuration: ${directory}/fw_env.config } }`,
  );
  expect(board.name).toBe("edison");
  expect(await board.describe()).toEqual({
    manufacturer: "Intel",
    modelNumber: "Edison",
    serialNumber: "FZED",
    hardwareVersion: "C0",
    firmwareVersion: "2.1",
  });
  const found = (await board.check?.())?.map((finding) => finding.found).join("\n");
  expect(found).toContain(`${directory}/none`);
  expect(found).toContain(`${directory}/fw_env.config`);
});

test("a Raspberry Pi has the slots of the file, and no more than two", async () => {
  const slot = (partition: number) =>
    `{ partition: ${partition}, boot: /dev/x${partition}, root: /dev/y${partition} }`;
  const board = await boardOf(
    temporaryDirectory(),
    `{ type: raspberry-pi, manufacturer: Acme, slots: [${slot(2)}, ${slot(3)}] }`,
  );
  expect(board.name).toBe("raspberry-pi");
  expect((await board.describe()).manufacturer).toBe("Acme");
  await expect(
    boardOf(temporaryDirectory(), `{ type: raspberry-pi, slots: [${slot(2)}, ${slot(3)}, ${slot(4)}] }`),
  ).rejects.toThrow("slots");
});

test("where nothing is found, no firmware is taken, and the way out is named", async () => {
  const board = await boardOf(temporaryDirectory(), "{ type: auto, modelNumber: Box }");
  expect(board.name).toBe("none");
  expect((await board.describe()).modelNumber).toBe("Box");
});

test("what needs root is done by the helper, unless the agent is root or says otherwise", async () => {
  const context = {
    directories: { state: "/state", cache: "/cache", runtime: "/run" },
    clock: createSystemClock(),
    random: systemRandom,
    log: createRecordingLog(),
    uid: 990,
    onRestart: () => undefined,
    forget: async () => undefined,
  };
  const remote = await createBoard({ type: "edison" }, context);
  const local = await createBoard({ type: "edison", helper: false }, context);
  const asRoot = await createBoard({ type: "edison" }, { ...context, uid: 0 });
  const inHelper = await createBoard({ type: "edison", helper: true }, { ...context, isHelper: true });
  expect([remote, local, asRoot, inHelper].map((board) => board.constructor.name)).toEqual([
    "RemoteBoard",
    "EdisonBoard",
    "EdisonBoard",
    "EdisonBoard",
  ]);
});
