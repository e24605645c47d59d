import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../../agent/config/load.js";
import type { Override } from "../../../agent/config/override.js";
import { formatProblem } from "../../../agent/config/problem.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lwm2m-agent-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const surroundings = { env: {}, uid: 0, hostname: "kitchen", machineId: "" };

async function messages(
  content: string | Uint8Array,
  { env = {}, flags = [] }: { env?: Record<string, string>; flags?: readonly Override[] } = {},
): Promise<readonly string[]> {
  const file = join(folder, "agent.yaml");
  await writeFile(file, content);
  const result = await readConfig({ file, flags, surroundings: { ...surroundings, env } });
  if (!("problems" in result)) return [];
  return result.problems.map((problem) => formatProblem(problem).replaceAll(file, "agent.yaml"));
}

const server = "servers: [{ uri: coap://localhost }]";
const uriExpected = "the address of a Server, such as coap://lwm2m.example.com:5683";
const anyTime = 'a time in seconds, or as in "30 s", "15 min", "12 h", "7 d", from 0 s to 4294967295 s';

const faults: readonly (readonly [name: string, content: string, message: string])[] = [
  [
    "a key that is mistyped",
    `${server}\nendpontName: x`,
    expect.stringMatching(
      /^agent\.yaml:2:1: endpontName: found an unknown key, expected one of endpointName, version, .*, control\. Did you mean endpointName\?$/,
    ),
  ],
  [
    "metrics for the whole network",
    `${server}\nmetrics: { port: 9469, address: 0.0.0.0 }`,
    'agent.yaml:2:33: metrics.address: found "0.0.0.0", expected 127.0.0.1 or ::1: there is no password, so it is for this device alone; from elsewhere through ssh -L or a proxy of yours',
  ],
  [
    "a status page without a port",
    `${server}\nstatusPage: {}`,
    "agent.yaml:2:1: statusPage.port: found nothing, expected a whole number from 1 to 65535",
  ],
  [
    "a key that is mistyped in a section",
    `${server}\nlog:\n  levl: debug`,
    "agent.yaml:3:3: log.levl: found an unknown key, expected one of level, format. Did you mean level?",
  ],
  [
    "a key that is mistyped in a list",
    "servers:\n  - uri: coap://localhost\n    lifetme: 300",
    expect.stringMatching(
      /^agent\.yaml:3:5: servers\[0\]\.lifetme: found an unknown key, expected one of uri, .*\. Did you mean lifetime\?$/,
    ),
  ],
  [
    "a key in another case",
    `${server}\nlog: { Level: debug }`,
    "agent.yaml:2:8: log.Level: found an unknown key, expected one of level, format. Did you mean level?",
  ],
  [
    "a key of another type of board",
    `${server}\nboard: { type: none, applyDuration: 5 }`,
    "agent.yaml:2:22: board.applyDuration: found an unknown key, expected one of type, manufacturer, modelNumber, serialNumber, hardwareVersion, restart",
  ],
  [
    "a value that is not one of those that there are",
    `${server}\nlog: { level: debgu }`,
    'agent.yaml:2:15: log.level: found "debgu", expected one of debug, info, warn, error, silent. Did you mean debug?',
  ],
  [
    "a board that is unknown",
    `${server}\nboard: { type: simulatd }`,
    expect.stringMatching(
      /^agent\.yaml:2:16: board\.type: found "simulatd", expected one of auto, none, .*\. Did you mean simulated\?$/,
    ),
  ],
  [
    "a board without type",
    `${server}\nboard: { firmwareVersion: "1" }`,
    expect.stringMatching(/^agent\.yaml:2:1: board\.type: found nothing, expected one of auto, none, /),
  ],
  [
    "a board that is no section",
    `${server}\nboard: simulated`,
    'agent.yaml:2:8: board: found "simulated", expected a board, such as "type: auto"',
  ],
  [
    "an endpoint name that is a number",
    `${server}\nendpointName: 12345`,
    'agent.yaml:2:15: endpointName: found 12345, expected a name of 1 to 252 bytes. Write it in quotes: "12345"',
  ],
  [
    "an endpoint name that is empty",
    `${server}\nendpointName: ""`,
    'agent.yaml:2:15: endpointName: found "", expected a name of 1 to 252 bytes',
  ],
  [
    "an endpoint name that is too long",
    `${server}\nendpointName: ${"é".repeat(127)}`,
    `agent.yaml:2:15: endpointName: found "${"é".repeat(59)}…, expected a name of 1 to 252 bytes`,
  ],
  [
    "a key without a value",
    `${server}\nendpointName:`,
    "agent.yaml:2:14: endpointName: found nothing, expected a value. Leave the key out otherwise",
  ],
  [
    "no Server at all",
    "endpointName: kitchen",
    'agent.yaml:1:1: servers: found nothing, expected at least one Server, as in "servers: [{ uri: coap://lwm2m.example.com }]", or a bootstrapServer. `lwm2m-agent init` writes a configuration',
  ],
  [
    "a list that is none",
    "servers: { uri: coap://localhost }",
    'agent.yaml:1:10: servers: found a section with uri, expected a list of at most 32 Servers. Begin each entry with "- "',
  ],
  [
    "a Server without address",
    "servers:\n  - lifetime: 300",
    `agent.yaml:2:5: servers[0].uri: found nothing, expected ${uriExpected}`,
  ],
  [
    "a Server that is no section",
    "servers: [coap://localhost]",
    'agent.yaml:1:11: servers[0]: found "coap://localhost", expected a section with keys such as uri, shortServerId, lifetime',
  ],
  [
    "an address without scheme",
    "servers: [{ uri: localhost }]",
    `agent.yaml:1:18: servers[0].uri: found "localhost", expected ${uriExpected}. Say coap://localhost`,
  ],
  [
    "a secure address",
    "servers: [{ uri: coaps://localhost }]",
    `agent.yaml:1:18: servers[0].uri: found "coaps://localhost", expected ${uriExpected}. Security with DTLS or TLS (coaps) is not part of this version: use coap:// on a network that you trust`,
  ],
  [
    "an address of another protocol",
    "servers: [{ uri: http://localhost }]",
    `agent.yaml:1:18: servers[0].uri: found "http://localhost", expected ${uriExpected}. This version speaks CoAP over UDP: use coap://`,
  ],
  [
    "an address with parts that it cannot have",
    'servers: [{ uri: "coap://localhost?x" }]',
    `agent.yaml:1:18: servers[0].uri: found "coap://localhost?x", expected ${uriExpected}. "coap://localhost?x" has parts that a server address cannot have: a server address looks like coap://host:5683`,
  ],
  [
    "an address with a password",
    "servers: [{ uri: coap://me:hunter2@localhost }]",
    `agent.yaml:1:18: servers[0].uri: found an address with a user or a password, expected ${uriExpected}. An address holds no user and no password`,
  ],
  [
    "a key that one of two forms does not have",
    `${server}\ndownloads: { proxy: { url: "http://proxy", bypas: [a] } }`,
    "agent.yaml:2:44: downloads.proxy.bypas: found an unknown key, expected one of url, bypass, user, password. Did you mean bypass?",
  ],
  [
    "a Bootstrap-Server without address",
    "bootstrapServer: { holdOff: 5 }",
    `agent.yaml:1:1: bootstrapServer.uri: found nothing, expected ${uriExpected}`,
  ],
  [
    "a number that is too large",
    "servers: [{ uri: coap://localhost, shortServerId: 65535 }]",
    "agent.yaml:1:51: servers[0].shortServerId: found 65535, expected a whole number from 1 to 65534",
  ],
  [
    "a number that is not whole",
    `${server}\nlocalPort: 56.83`,
    "agent.yaml:2:12: localPort: found 56.83, expected a whole number from 1 to 65535",
  ],
  [
    "a number in quotes",
    `${server}\nlocalPort: "5683"`,
    'agent.yaml:2:12: localPort: found "5683", expected a whole number from 1 to 65535. Write it without quotes',
  ],
  [
    "a number that is none",
    `${server}\nlocalPort: .nan`,
    "agent.yaml:2:12: localPort: found null, expected a whole number from 1 to 65535",
  ],
  [
    "two Servers with one Short Server ID",
    "servers:\n  - { uri: coap://a, shortServerId: 2 }\n  - { uri: coap://b }",
    "agent.yaml:3:5: servers[1].shortServerId: found nothing, expected another number than servers[0] has, which is 2",
  ],
  [
    "a time with a unit that is unknown",
    'servers: [{ uri: coap://localhost, lifetime: "5 minutes" }]',
    `agent.yaml:1:46: servers[0].lifetime: found "5 minutes", expected ${anyTime}`,
  ],
  [
    "a time below what makes sense",
    `${server}\nkeepAlive: 0 s`,
    'agent.yaml:2:12: keepAlive: found "0 s", expected a time in seconds, or as in "30 s", "15 min", "12 h", "7 d", from 1 s to 1 d',
  ],
  [
    "a size with a unit that is unknown",
    `${server}\nfirmware: { maximumSize: 5 Mb }`,
    'agent.yaml:2:26: firmware.maximumSize: found "5 Mb", expected a size in bytes, or as in "512 KiB", "64 MiB", "1 GiB", from 1 to 68719476736 bytes',
  ],
  [
    "a truth value of YAML 1.1",
    `${server}\nqueueMode: yes`,
    'agent.yaml:2:12: queueMode: found "yes", expected true or false. Write true, without quotes',
  ],
  [
    "a version of LwM2M that there is not",
    `${server}\nversion: 2.0`,
    "agent.yaml:2:10: version: found 2, expected a version of LwM2M: 1.0, 1.1 or 1.2",
  ],
  [
    "versions in the wrong order",
    `${server}\nversion: 1.0\nminimumVersion: 1.1`,
    "agent.yaml:3:17: minimumVersion: found 1.1, expected no newer one than version, which is 1.0",
  ],
  [
    "a key that makes sense with another one only",
    `${server}\nawakeTime: 10`,
    "agent.yaml:2:1: awakeTime: found the key awakeTime, expected it together with queueMode: true",
  ],
  [
    "a relative path where it must not be",
    `${server}\ndirectories: { state: var/lib }`,
    'agent.yaml:2:23: directories.state: found "var/lib", expected an absolute path, such as /etc/lwm2m-agent/file. Begin with a slash: /var/lib',
  ],
  [
    "an Object that does not come with the agent",
    `${server}\nobjects: [3303]`,
    "agent.yaml:2:11: objects[0]: found 3303, expected an Object that comes with the agent (6, 16, 19, 22) or the path of a definition file (XML). Object 3303 needs its definition file; by number there are 6, 16, 19, 22",
  ],
  [
    "rights for a Server that there is not",
    `${server}\naccessControl: [{ objectId: 3, acl: { 2: 1 } }]`,
    "agent.yaml:2:39: accessControl[0].acl.2: found the key 2, expected the Short Server ID of one of the servers: 1, or 0",
  ],
  [
    "rights that are none",
    `${server}\naccessControl: [{ objectId: 3, acl: { 1: rw } }]`,
    'agent.yaml:2:42: accessControl[0].acl.1: found "rw", expected a sum of 1 Read, 2 Write, 4 Execute, 8 Delete, 16 Create',
  ],
  [
    "a block size that CoAP does not have",
    `${server}\ncoap: { blockSize: 100 }`,
    "agent.yaml:2:20: coap.blockSize: found 100, expected one of 16, 32, 64, 128, 256, 512, 1024",
  ],
  [
    "a command that is no section",
    `${server}\nboard: { type: command, commands: { apply: /usr/bin/apply } }`,
    'agent.yaml:2:44: board.commands.apply: found "/usr/bin/apply", expected a section with keys such as program, arguments, timeLimit',
  ],
  [
    "a command board without the step that counts",
    `${server}\nboard: { type: command, commands: {} }`,
    "agent.yaml:2:25: board.commands.apply: found nothing, expected a section with keys such as program, arguments, timeLimit",
  ],
  [
    "a program that is looked for in PATH",
    `${server}\nfirmware: { hooks: { before-apply: { program: reboot-check } } }`,
    'agent.yaml:2:47: firmware.hooks.before-apply.program: found "reboot-check", expected an absolute path, such as /etc/lwm2m-agent/file. Begin with a slash: /reboot-check',
  ],
  [
    "a hook that there is not",
    `${server}\nfirmware: { hooks: { before-aply: { program: /bin/true } } }`,
    expect.stringMatching(
      /^agent\.yaml:2:22: firmware\.hooks\.before-aply: found an unknown key, expected one of directory, .*\. Did you mean before-apply\?$/,
    ),
  ],
  [
    "one slot where there have to be two",
    `${server}\nboard: { type: raspberry-pi, slots: [{ partition: 2, boot: /dev/a, root: /dev/b }] }`,
    "agent.yaml:2:37: board.slots: found a list of 1, expected a list of two slots, each with partition, boot and root",
  ],
  [
    "a secret in the place of its file",
    `${server}\ndownloads: { tls: { key: hunter2 } }`,
    'agent.yaml:2:26: downloads.tls.key: found a value that is not shown, expected where the secret lies: "file: /path" or "credential: name", never the secret itself',
  ],
  [
    "a password in the address of a proxy",
    `${server}\ndownloads: { proxy: { url: "http://me:hunter2@proxy:3128" } }`,
    "agent.yaml:2:28: downloads.proxy.url: found an address with a user or a password, expected an address as http://host:port; user and password have keys of their own",
  ],
  [
    "a time of day that there is not",
    `${server}\ndownloads: { windows: [{ from: "22:30", to: "25:00" }] }`,
    'agent.yaml:2:45: downloads.windows[0].to: found "25:00", expected a time of day as "22:30"',
  ],
  [
    "a day that there is not",
    `${server}\ndownloads: { windows: [{ days: [mon], from: "22:30", to: "04:00" }] }`,
    'agent.yaml:2:33: downloads.windows[0].days[0]: found "mon", expected one of sunday, monday, tuesday, wednesday, thursday, friday, saturday',
  ],
  [
    "a list as the whole file",
    "- servers",
    "agent.yaml:1:1: found a list, expected keys and values, as in endpointName: name",
  ],
  [
    "text as the whole file",
    "hello",
    "agent.yaml:1:1: found text, expected keys and values, as in endpointName: name",
  ],
  [
    "a key that is there twice",
    `${server}\n${server}`,
    "agent.yaml:2:1: found a key that stands here already, expected YAML. Keep one of them",
  ],
  [
    "a tab as indentation",
    "servers:\n\t- uri: coap://localhost",
    "agent.yaml:2:1: found a tab at the start of a line, expected YAML. Indent with spaces",
  ],
  [
    "a bracket that is never closed",
    "servers: [{ uri: coap://localhost }\n",
    expect.stringMatching(
      /^agent\.yaml:\d:\d+: found flow sequence in block collection must .*, expected YAML/,
    ),
  ],
  [
    "two documents",
    `${server}\n---\n${server}`,
    'agent.yaml:2:1: found a second document, expected one document: no line "---" in the middle',
  ],
];

test.each(faults)("%s is named with its place and a remedy", async (_, content, message) => {
  expect(await messages(content)).toEqual([message]);
});

test("there are at least thirty kinds of them", () => {
  expect(faults.length).toBeGreaterThanOrEqual(30);
});

test("all that is wrong is said at once, in the order of the file", async () => {
  const content = "servers:\n  - uri: coaps://x\n    lifetime: soon\nlog:\n  level: loud\nqueueMod: true\n";
  expect((await messages(content)).map((message) => message.split(": ").slice(0, 2).join(" "))).toEqual([
    "agent.yaml:2:10 servers[0].uri",
    "agent.yaml:3:15 servers[0].lifetime",
    "agent.yaml:5:10 log.level",
    "agent.yaml:6:1 queueMod",
  ]);
});

test("bytes that are no text are named", async () => {
  expect(await messages(Uint8Array.of(0x61, 0x3a, 0xff))).toEqual([
    "agent.yaml: found bytes that are no UTF-8, expected text in UTF-8",
  ]);
});

test("a file that is too large is not read", async () => {
  expect(await messages("#".repeat(300_000))).toEqual([
    "agent.yaml: found 300000 bytes, expected a file of at most 262144 bytes",
  ]);
});

test("aliases that grow without end are refused", async () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const item = level === 0 ? "x" : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array(9).fill(item).join(", ")}]`;
  });
  expect(await messages(levels.join("\n"))).toEqual([
    expect.stringMatching(
      /^agent\.yaml:1:1: found Excessive alias count .*, expected YAML with few aliases$/,
    ),
  ]);
});

test("a file that is not there, or a folder, is named with what to do", async () => {
  const none = await readConfig({ file: join(folder, "none.yaml"), flags: [], surroundings });
  expect("problems" in none && none.problems.map(formatProblem)).toEqual([
    `${folder}/none.yaml: found no such file, expected a configuration file. Write one with \`lwm2m-agent init --output <file>\``,
  ]);
  const directory = await readConfig({ file: folder, flags: [], surroundings });
  expect("problems" in directory && directory.problems.map(formatProblem)).toEqual([
    `${folder}: found a folder, expected a file. Name the file in it, such as ${folder}/agent.yaml`,
  ]);
});

test("a fault of the environment or of a flag names them, not the file", async () => {
  const flags = [{ path: ["log", "format"], value: "xml", source: "the flag --log-format" }];
  expect(await messages(server, { env: { LWM2M_AGENT_LOG_LEVEL: "loud" }, flags })).toEqual([
    'the environment variable LWM2M_AGENT_LOG_LEVEL: log.level: found "loud", expected one of debug, info, warn, error, silent',
    'the flag --log-format: log.format: found "xml", expected one of auto, json, journal, pretty',
  ]);
});

test("a variable that stands for no key is an error too", async () => {
  expect(await messages(server, { env: { LWM2M_AGENT_LOG_LEVLE: "info" } })).toEqual([
    "the environment variable LWM2M_AGENT_LOG_LEVLE: found a name that stands for no key, expected LWM2M_AGENT_, then a key with a single value such as LOG_LEVEL. Did you mean LWM2M_AGENT_LOG_LEVEL?",
  ]);
});
