import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../../agent/config/load.js";
import { agentOptions } from "../../../agent/service/agent-options.js";
import { findingsOf } from "../../../agent/service/findings.js";
import { formatPublicKey, keyIdOf } from "../../../platform/package/keys.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { testKeys } from "../../platform/package/packages.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";

/** A configuration with these keys of `firmware`, in a folder of its own. */
async function configured(firmware: string, board = "simulated") {
  const folder = temporaryDirectory();
  const file = join(folder, "agent.yaml");
  const directories = `{ state: ${folder}/state, cache: ${folder}/cache, runtime: ${folder}/run }`;
  const lines = [
    "endpointName: test",
    "servers: [{ uri: coap://localhost }]",
    `board: { type: ${board} }`,
    `directories: ${directories}`,
    `firmware: ${firmware}`,
  ];
  writeFileSync(file, lines.join("\n"));
  const surroundings = { env: {}, uid: 0, hostname: "test", machineId: "0" };
  return loadConfig({ file, flags: [], surroundings });
}

const found = async (firmware: string, board?: string) =>
  (await findingsOf(await configured(firmware, board), createRecordingLog())).map(
    ({ level, found }) => `${level}: ${found}`,
  );

/** What `createAgent` is told of firmware. */
async function firmwareOf(config: Awaited<ReturnType<typeof configured>>) {
  const surroundings = { gates: [], clock: createSimulatedClock(), log: createRecordingLog() };
  return (await agentOptions(config, { ...surroundings, credentialsDirectory: undefined, uid: 0 })).firmware;
}

test("what the operator says of signatures and versions reaches the agent", async () => {
  const config = await configured(
    "{ keys: [/etc/keys], requireSignature: false, compatible: [gateway-2], allowDowngrade: true, allowReinstall: false }",
  );
  expect(await firmwareOf(config)).toMatchObject({
    verification: { keys: ["/etc/keys"], required: false, compatible: ["gateway-2"] },
    versions: { downgrade: true, reinstall: false },
  });
});

test("what they do not say is left to the agent", async () => {
  expect(await firmwareOf(await configured("{ maximumSize: 1 MiB }"))).toMatchObject({
    verification: {},
    versions: {},
  });
});

test("check warns of a device without keys, and tells those of a device that has some", async () => {
  expect(await found("{ maximumSize: 1 MiB }")).toContainEqual(
    expect.stringMatching(/^warning: no keys are configured/),
  );
  expect(await found("{ maximumSize: 1 MiB }", "none")).not.toContainEqual(expect.stringContaining("keys"));
  const path = join(temporaryDirectory(), "release.pub");
  writeFileSync(path, formatPublicKey(testKeys.publicKey));
  expect(await found(`{ keys: [${path}] }`)).toEqual([
    `info: packages signed by the key ${keyIdOf(testKeys.publicKey)} (${path}) are installed`,
    'info: packages made for "Simulated board", "simulated" are installed',
  ]);
  expect(await found("{ keys: [/nowhere.pub] }")).toContainEqual(
    expect.stringMatching(/^error: the key file \/nowhere.pub cannot be read/),
  );
});
