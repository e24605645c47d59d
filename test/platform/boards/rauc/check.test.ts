import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRaucBoard } from "../../../../platform/boards/rauc/rauc.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { type Value, Variant } from "../../../../platform/dbus/value.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createMemoryStore } from "../../../simulated/store.js";
import { createScriptedBus, type ScriptedBus } from "../../dbus/scripted-bus.js";

let directory: string;
let bus: ScriptedBus;
const path = (name: string) => join(directory, name);

function write(name: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text, { mode });
}

const configuration = (system = "", keyring = "path=ca.pem") =>
  write(
    "system.conf",
    `[system]\ncompatible=Board\nbootloader=grub\nmountprefix=${path("mnt")}\nstatusfile=${path("slots")}\n${system}\n[keyring]\n${keyring}\n`,
  );

/** CN=Acme, made by openssl in a key pair of its own; valid in 2001. */
const expired = `-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUVYit17KlBqM0B0qoIQmnQvtM51swCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEQWNtZTAeFw0wMTAxMDEwMDAwMDBaFw0wMjAxMDEwMDAwMDBa
MA8xDTALBgNVBAMMBEFjbWUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQbJkAM
nAyYjMa7iBg8hmScOFWPjTeRQh9A+sFuoUrCt/fRNVlj59cCFYOpxI3E42MbLSil
vO1xR1ZCdRGCMguEo1MwUTAdBgNVHQ4EFgQUQJ6Z8NTpsprl4IZHODZrq81/fMQw
HwYDVR0jBBgwFoAUQJ6Z8NTpsprl4IZHODZrq81/fMQwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiA3MtdayjsnN68DU9inAAQuH7FkRvXWLOzAPa3Y
ovC5dwIhAPKFx7EeKJzK4ShZL4ltpqX5wK+BFb/LFbZqN+WAD6UK
-----END CERTIFICATE-----
`;

/** The same, valid until 2126. */
const authority = `-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUYGvRkRSIlXSyWn9N/uadGMCFGLUwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEQWNtZTAgFw0yNjExMjUwOTAwMzBaGA8yMTI2MTEwMTA5MDAz
MFowDzENMAsGA1UEAwwEQWNtZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIHr
FV+ekqaRBKmtpmErg9IGkn7CGklnX+jsVoXSolmQJzbQ8Om19cD3obJXiYWSy4xF
BCull/rZQ3LtxE8gu5ejUzBRMB0GA1UdDgQWBBQqO5X8VfgtTBJDPxZfrtJzgPys
FjAfBgNVHSMEGDAWgBQqO5X8VfgtTBJDPxZfrtJzgPysFjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIB6Qf6rHk34+Me9KJ3edSyQInfPWL5151XUk
vVkAlPWKAiAkljwuZqLLlMbGQYGnKNgtTSLWiAKBJU60p29lL4KM+Q==
-----END CERTIFICATE-----
`;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "check-"));
  write("rauc", "#!/bin/sh\necho 'rauc 1.8'\n", 0o755);
  write("root/dev/mapper/control", "");
  configuration();
  write("ca.pem", authority);
  const slot = (bootStatus: string) =>
    new Map<Value, Value>([
      ["state", new Variant("s", "booted")],
      ["boot-status", new Variant("s", bootStatus)],
    ]);
  bus = await createScriptedBus({
    GetAll: (_, peer) =>
      peer.answer("a{sv}", [
        new Map([
          ["Compatible", new Variant("s", "Board")],
          ["Operation", new Variant("s", "idle")],
        ]),
      ]),
    GetSlotStatus: (_, peer) => peer.answer("a(sa{sv})", [[["rootfs.1", slot("good")]]]),
  });
});

afterEach(async () => {
  await bus.close();
  rmSync(directory, { recursive: true, force: true });
});

/** `level: what was found`, without what is only good to know. */
async function findings(options: Partial<Parameters<typeof createRaucBoard>[0]> = {}): Promise<string[]> {
  const board = createRaucBoard({
    clock: createSystemClock(),
    log: createRecordingLog(),
    store: createMemoryStore(),
    busAddress: bus.address,
    program: path("rauc"),
    configurationPath: path("system.conf"),
    root: path("root"),
    packageDirectory: directory,
    ...options,
  });
  const found = (await board.check?.()) ?? [];
  for (const { level, remedy } of found) expect(level === "info" || remedy !== "").toBe(true);
  return found.filter(({ level }) => level !== "info").map((finding) => `${finding.level}: ${finding.found}`);
}

describe("a check of RAUC", () => {
  test("finds nothing where all is well", async () => {
    expect(await findings()).toEqual([]);
  });

  test("finds a program that is not there", async () => {
    expect(await findings({ program: "/nonexistent/rauc" })).toEqual([
      expect.stringMatching(/^error: .*cannot be run/),
    ]);
  });

  test("finds that the service does not answer", async () => {
    expect(await findings({ busAddress: "unix:path=/nonexistent" })).toEqual([
      expect.stringMatching(/^error: the service of RAUC does not answer/),
    ]);
  });

  test.each([
    ["bundle-formats=verity", "path=ca.pem", /^error: system.conf allows no plain bundles/],
    ["statusfile=per-slot", "path=ca.pem", /^warning: RAUC keeps the status of slots inside/],
    ["", "", /^error: system.conf names no keyring/],
    ["", "path=missing.pem", /^error: the keyring cannot be read/],
    ["", "path=system.conf", /^error: .*holds no certificate/],
    ["", "directory=missing", /^error: the keyring cannot be read/],
    ["compatible=Other", "path=ca.pem", /^warning: the service is for "Board", system.conf says "Other"/],
  ])("finds what is wrong with [system] %s and [keyring] %s", async (system, keyring, expected) => {
    rmSync(path("root/dev"), { recursive: true });
    configuration(system, keyring);
    expect(await findings()).toEqual([expect.stringMatching(expected)]);
  });

  test("finds a keyring that has expired", async () => {
    write("ca.pem", expired);
    expect(await findings()).toEqual([
      expect.stringMatching(/^error: .*ca.pem: the certificate of CN=Acme has expired/),
    ]);
  });

  test("finds a service that marks every image good", async () => {
    write("root/etc/systemd/system/multi-user.target.wants/rauc-mark-good.service", "");
    expect(await findings()).toEqual([
      expect.stringMatching(/^warning: rauc-mark-good.service marks each image good/),
    ]);
  });

  test("finds that somebody marked good what is on trial", async () => {
    const record = { attempt: "a", bootId: "b", previousSlot: "rootfs.0", expectedSlot: "rootfs.1" };
    const store = createMemoryStore([["rauc.json", Buffer.from(JSON.stringify(record))]]);
    expect(await findings({ store })).toEqual([
      expect.stringMatching(/^warning: slot rootfs.1 is on trial, but somebody else/),
    ]);
  });

  test.each([
    ["/dev/mmcblk0p1 0x0 0x4000\n# a comment\n", 1],
    ["/dev/mmcblk0p1 0x0 0x4000\n/dev/mmcblk0p2 0x0 0x4000\n", 0],
  ])("finds an environment of one copy: %j", async (text, count) => {
    write("root/etc/fw_env.config", text);
    configuration("bootloader=uboot");
    expect(await findings()).toEqual(Array(count).fill(expect.stringMatching(/^warning: .*one copy alone/)));
  });

  test("finds packages where RAUC cannot install from", async () => {
    expect(await findings({ packageDirectory: "/proc" })).toEqual([
      expect.stringMatching(/^error: RAUC will not find the device/),
    ]);
    expect(await findings({ packageDirectory: "/nonexistent" })).toEqual([
      expect.stringMatching(/^error: .*cannot be looked at/),
    ]);
  });
});

test("without a factory image a factory reset says so, and one that fails restarts nothing", async () => {
  const options = {
    clock: createSystemClock(),
    log: createRecordingLog(),
    store: createMemoryStore(),
    busAddress: bus.address,
    restart: { by: "program", program: path("restart") },
  } as const;
  write("restart", `#!/bin/sh\ntouch ${path("restarted")}\n`, 0o755);
  write("reset", "#!/bin/sh\necho 'no image there' >&2\nexit 1\n", 0o755);
  await expect(createRaucBoard(options).factoryReset()).rejects.toThrow(/no factory image is configured/);
  const failing = createRaucBoard({ ...options, factoryReset: { program: path("reset") } });
  await expect(failing.factoryReset()).rejects.toThrow(/no image there/);
});
