import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRestart, RestartError } from "../../../platform/boards/restart.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createScriptedBus, type ScriptedBus, type Service } from "../dbus/scripted-bus.js";

let directory: string;
let bus: ScriptedBus | undefined;
const clock = createSystemClock();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "restart-"));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await bus?.close();
  bus = undefined;
});

function program(text: string): string {
  const path = join(directory, "program");
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const recording = () => program(`printf '%s\\n' "$@" > ${directory}/arguments`);
const given = () => readFileSync(join(directory, "arguments"), "utf8").split("\n").slice(0, -1);

describe("a restart", () => {
  test("by systemctl does not wait for a machine that takes us with it", async () => {
    await createRestart({ by: "systemctl", program: recording() }, clock)();
    expect(given()).toEqual(["--no-block", "--no-ask-password", "reboot"]);
  });

  test("by systemctl hands the boot loader its text as one argument", async () => {
    await createRestart({ by: "systemctl", program: recording() }, clock)("0 tryboot");
    expect(given()).toEqual(["--no-block", "--no-ask-password", "reboot", "--reboot-argument=0 tryboot"]);
  });

  test("by a program is its arguments and the text", async () => {
    const restart = createRestart({ by: "program", program: recording(), arguments: ["-x"] }, clock);
    await restart();
    expect(given()).toEqual(["-x"]);
    await restart("ota; rm -rf /");
    expect(given()).toEqual(["-x", "ota; rm -rf /"]);
  });

  test("that is refused names the polkit rule, and the one more that a text takes", async () => {
    const refusing = program(
      "echo 'Call to Reboot failed: Interactive authentication required.' >&2; exit 1",
    );
    const restart = createRestart({ by: "systemctl", program: refusing }, clock);
    await expect(restart()).rejects.toThrow(
      /org\.freedesktop\.login1\.reboot, .*reboot-multiple-sessions \(/,
    );
    await expect(restart("ota")).rejects.toThrow(/set-reboot-parameter/);
  });

  test("that fails otherwise says how", async () => {
    const failing = program("echo 'no such unit' >&2; exit 4");
    await expect(createRestart({ by: "systemctl", program: failing }, clock)()).rejects.toThrow(
      /ended with 4: no such unit/,
    );
    const missing = createRestart({ by: "program", program: "/nonexistent" }, clock);
    await expect(missing()).rejects.toThrow(RestartError);
  });
});

describe("a restart by logind", () => {
  const open = async (service: Service) => {
    bus = await createScriptedBus(service);
    return createRestart({ by: "logind", busAddress: bus.address }, clock);
  };

  test("asks without a question to the user, the text first", async () => {
    const bodies: unknown[] = [];
    const restart = await open({
      SetRebootParameter: ({ body }, peer) => {
        bodies.push(body);
        peer.answer();
      },
      Reboot: ({ body }, peer) => {
        bodies.push(body);
        peer.answer();
      },
    });
    await restart("0 tryboot");
    expect(bus?.calls).toEqual(["SetRebootParameter", "Reboot"]);
    expect(bodies).toEqual([["0 tryboot"], [false]]);
    await restart();
    expect(bus?.calls).toEqual(["SetRebootParameter", "Reboot", "Reboot"]);
  });

  test.each(["InteractiveAuthorizationRequired", "AccessDenied"])(
    "that is refused with %s names the polkit rule",
    async (name) => {
      const restart = await open({
        Reboot: (_, peer) => peer.refuse(`org.freedesktop.DBus.Error.${name}`, "no"),
      });
      await expect(restart()).rejects.toThrow(/a polkit rule must allow org\.freedesktop\.login1\.reboot/);
    },
  );

  test("that cannot tell the boot loader does not restart", async () => {
    const restart = await open({
      SetRebootParameter: (_, peer) =>
        peer.refuse("org.freedesktop.DBus.Error.NotSupported", "in a container"),
      Reboot: (_, peer) => peer.answer(),
    });
    await expect(restart("ota")).rejects.toThrow(/NotSupported: in a container/);
    expect(bus?.calls).toEqual(["SetRebootParameter"]);
  });

  test("without a bus says so", async () => {
    const restart = createRestart({ by: "logind", busAddress: "unix:path=/nonexistent" }, clock);
    await expect(restart()).rejects.toThrow(/no message bus/);
  });
});
