import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { ControlClient } from "../../../../agent/control/client.js";
import { ConfigError } from "../../../../agent/model/errors.js";
import { encodeRecord } from "../../../../agent/persistence/record-format.js";
import { collectDiagnosis } from "../../../../agent/service/diagnostics/collect.js";
import { formatAccountRecord } from "../../../../objects/accounts/record.js";
import { createArchive } from "../../../../platform/archive.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { temporaryDirectory } from "../../../platform/files/temporary-directory.js";
import { idleStatus } from "../statuses.js";

/** Each occurs nowhere by chance. */
const secrets = {
  psk: "PSK-4711-OF-THE-PUMP",
  identity: "IDENTITY-4711-OF-THE-PUMP",
  serverKey: "SERVERKEY-4711",
  oscore: "OSCORE-MASTER-4711",
  proxy: "PROXY-PASSWORD-4711",
  token: "TOKEN-4711",
  signature: "SIGNED-LINK-4711",
  value: "WIFI-PASSPHRASE-4711",
};

const bytes = (text: string) => new TextEncoder().encode(text);

async function device(): Promise<string> {
  const folder = temporaryDirectory();
  const state = join(folder, "state");
  await mkdir(join(state, "board"), { recursive: true });
  const content = new Map([
    [
      0,
      new Map([
        [
          3,
          new Map<number, string | number | boolean | Uint8Array>([
            [0, "coaps://lwm2m.example.com"],
            [1, false],
            [2, 0],
            [3, bytes(secrets.identity)],
            [4, bytes(secrets.serverKey)],
            [5, bytes(secrets.psk)],
            [10, 123],
          ]),
        ],
      ]),
    ],
    [21, new Map([[0, new Map([[0, bytes(secrets.oscore)]])]])],
  ]);
  await writeFile(
    join(state, "accounts"),
    encodeRecord(1, formatAccountRecord({ content, factory: content })),
  );
  await writeFile(join(state, "configuration"), encodeRecord(1, { wifi: secrets.value }));
  await writeFile(
    join(state, "firmware-update"),
    JSON.stringify({ packageUri: `https://fw.example.com/a.bin?sig=${secrets.signature}` }),
  );
  await writeFile(join(folder, "proxy-password"), `${secrets.proxy}\n`, { mode: 0o600 });
  await writeFile(
    join(folder, "agent.yaml"),
    [
      "endpointName: pump-7",
      "servers: [{ uri: coap://127.0.0.1:5699 }]",
      "board: { type: simulated }",
      `directories: { state: ${state}, cache: ${folder}/cache, runtime: ${folder}/run }`,
      `downloads: { proxy: { url: "http://127.0.0.1:3128", user: me, password: { file: ${folder}/proxy-password } } }`,
      `firmware: { trial: { health: { program: /bin/true, arguments: [--token, ${secrets.token}] } } }`,
    ].join("\n"),
  );
  return folder;
}

const diagnose = (folder: string, ask: ControlClient["ask"]) =>
  collectDiagnosis({
    sources: {
      file: join(folder, "agent.yaml"),
      flags: [],
      surroundings: { env: {}, uid: 0, hostname: "pump", machineId: "" },
    },
    version: "0.1.0",
    service: { ask },
    clock: createSystemClock(),
  });

const silent: ControlClient["ask"] = () => Promise.reject(new ConfigError("no agent runs here"));

/** A service whose log and status say what they never should. */
const talkative = ((request: { method: string }) => {
  const said = Object.values(secrets).flatMap((secret) => [
    secret,
    Buffer.from(secret).toString("hex"),
    Buffer.from(secret).toString("base64"),
  ]);
  if (request.method === "log") return Promise.resolve(said.map((secret) => `{"message":"key ${secret}"}`));
  if (request.method === "metrics") return Promise.resolve("# EOF\n");
  return Promise.resolve(idleStatus);
}) as ControlClient["ask"];

const limit = { timeout: 60_000 };

test("no key and no password of the device is in it, in whatever form", limit, async () => {
  const folder = await device();
  const { entries } = await diagnose(folder, silent);
  const archive = gunzipSync(await createArchive(entries)).toString("latin1");
  expect(archive).toContain('"endpointName": "pump-7"'); // the configuration was understood
  for (const secret of Object.values(secrets)) {
    const form = Buffer.from(secret);
    for (const text of [secret, form.toString("hex"), form.toString("base64").replace(/=+$/, "")]) {
      expect(archive, text).not.toContain(text);
    }
  }
});

test("keys that a log should never hold are taken out of it", limit, async () => {
  const { entries } = await diagnose(await device(), talkative);
  const log = entries.find(({ name }) => name === "log/recent.jsonl")?.content ?? "";
  for (const secret of [secrets.psk, secrets.identity, secrets.serverKey, secrets.oscore, secrets.proxy]) {
    expect(log).not.toContain(secret);
    expect(log).not.toContain(Buffer.from(secret).toString("hex"));
    expect(log).not.toContain(Buffer.from(secret).toString("base64").replace(/=+$/, ""));
  }
  expect(log.split("\n")).toHaveLength(25); // the lines themselves are there
});

test("what helps is in it: accounts without keys, state, board, findings, versions", limit, async () => {
  const { entries, missing } = await diagnose(await device(), silent);
  const text = (name: string) => entries.find((entry) => entry.name === name)?.content ?? "";
  const accounts = JSON.parse(text("state/accounts")) as { content: unknown };
  expect(accounts.content).toEqual([
    [
      0,
      [
        [
          3,
          [
            [0, "coaps://lwm2m.example.com"],
            [1, false],
            [2, 0],
            [3, "(not shown)"],
            [4, "(not shown)"],
            [5, "(not shown)"],
            [10, 123],
          ],
        ],
      ],
    ],
    [21, [[0, [[0, "(not shown)"]]]]],
  ]);
  expect(text("state/firmware-update")).toContain("https://fw.example.com/a.bin?(not shown)");
  expect(text("state.txt")).toMatch(/^ {2}configuration {2}\d+ bytes {2}644/m);
  expect(entries.some(({ name }) => name === "state/configuration")).toBe(false);
  expect(JSON.parse(text("configuration.json"))).toMatchObject({ stated: { endpointName: "pump-7" } });
  expect(JSON.parse(text("board.json"))).toMatchObject({
    type: "simulated",
    description: { firmwareVersion: "1.0" },
    findings: expect.any(Array),
  });
  expect(JSON.parse(text("versions.json"))).toMatchObject({
    agent: "0.1.0",
    node: { node: process.versions.node },
  });
  expect(JSON.parse(text("network.json"))).toMatchObject({
    hosts: [{ host: "127.0.0.1", addresses: ["127.0.0.1"] }],
  });
  expect(missing).toContain("status.json: no agent runs here");
  expect(text("README.txt")).toContain("status.json: no agent runs here");
});

test("a configuration that is wrong is part of the diagnosis", limit, async () => {
  const folder = temporaryDirectory();
  await writeFile(join(folder, "agent.yaml"), "endpontName: x\n");
  const { entries, missing } = await diagnose(folder, silent);
  const configuration = entries.find(({ name }) => name === "configuration.json")?.content ?? "";
  expect(configuration).toContain("Did you mean endpointName?");
  expect(missing).toContain("board.json: the configuration does not say which it is");
});
