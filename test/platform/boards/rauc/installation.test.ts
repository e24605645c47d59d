/** What other releases of RAUC do than the one that the interop tests drive. */
import { afterEach, describe, expect, test } from "vitest";
import { BusyError, millis, seconds } from "../../../../agent/ports.js";
import { install, ServiceDied } from "../../../../platform/boards/rauc/installation.js";
import { RaucService } from "../../../../platform/boards/rauc/service.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { connectToBus } from "../../../../platform/dbus/connection.js";
import { toProperties, type Value, Variant } from "../../../../platform/dbus/value.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { createScriptedBus, type Peer, type ScriptedBus, type Service } from "../../dbus/scripted-bus.js";

let bus: ScriptedBus | undefined;
afterEach(async () => {
  await bus?.close();
  bus = undefined;
});

const clock = createSystemClock();
const never = new AbortController().signal;

async function run(
  service: Service,
  options: Partial<Parameters<typeof install>[0]> = {},
): Promise<string[]> {
  bus = await createScriptedBus(service);
  const connection = await connectToBus({ address: bus.address, clock });
  const told: string[] = [];
  try {
    await install({
      bus: connection,
      path: "/package",
      transaction: "attempt-1",
      signal: never,
      progress: (fraction, message) => told.push(`${fraction} ${message}`),
      timeLimit: seconds(20),
      clock,
      log: createRecordingLog(),
      ...options,
    });
    return told;
  } finally {
    connection.close();
  }
}

const completed = (peer: Peer, code = 0) => peer.signal("Completed", "i", [code]);
const changed = (peer: Peer, properties: readonly (readonly [string, Variant])[]) =>
  peer.signal(
    "PropertiesChanged",
    "sa{sv}as",
    ["de.pengutronix.rauc.Installer", new Map<Value, Value>(properties), []],
    {
      interface: "org.freedesktop.DBus.Properties",
    },
  );
const progress = (peer: Peer, percent: number, text: string) =>
  changed(peer, [["Progress", new Variant("(isi)", [percent, text, 1])]]);
const unsupported = "org.gtk.GDBus.UnmappedGError.Quark._g_2dio_2derror_2dquark.Code30";

describe("an installation by RAUC", () => {
  test("a release that takes the id of the attempt gets it", async () => {
    let id: unknown;
    const told = await run({
      InstallBundle: ({ body }, peer) => {
        id = toProperties(body[1])?.get("transaction-id");
        peer.answer();
        progress(peer, 40, "Copying image");
        progress(peer, 20, "Checking");
        progress(peer, 100, "Installing done.");
        completed(peer);
      },
    });
    expect(id).toBe("attempt-1");
    expect(told).toEqual(["0.4 Copying image", "0.4 Checking", "1 Installing done."]);
  });

  test("one that does not know it is asked again without", async () => {
    await run({
      InstallBundle: ({ body }, peer) => {
        if ((body[1] as ReadonlyMap<Value, Value>).size > 0)
          return peer.refuse(unsupported, "Unsupported key: transaction-id");
        peer.answer();
        completed(peer);
      },
    });
    expect(bus?.calls).toEqual(["InstallBundle", "InstallBundle"]);
  });

  test("one before 1.3 is asked by its old method", async () => {
    await run({
      Install: (_, peer) => {
        peer.answer();
        completed(peer);
      },
    });
    expect(bus?.calls).toEqual(["InstallBundle", "Install"]);
  });

  test("the end of somebody else's installation, before the answer, is not ours", async () => {
    await expect(
      run({
        InstallBundle: (_, peer) => {
          completed(peer, 0);
          peer.answer();
          changed(peer, [
            ["LastError", new Variant("s", "Installation error: signature verification failed: x")],
          ]);
          completed(peer, 1);
        },
      }),
    ).rejects.toMatchObject({ failure: "integrity" });
  });

  test("a success that another user made up is not believed", async () => {
    await expect(
      run({
        InstallBundle: (_, peer) => {
          peer.answer();
          peer.signal("Completed", "i", [0], { sender: ":1.66" });
          changed(peer, [["LastError", new Variant("s", "No space left on device")]]);
          completed(peer, 1);
        },
      }),
    ).rejects.toMatchObject({ failure: "storage" });
  });

  test("a failure without words is asked for them", async () => {
    await expect(
      run({
        InstallBundle: (_, peer) => {
          peer.answer();
          completed(peer, 1);
        },
        GetAll: (_, peer) =>
          peer.answer("a{sv}", [new Map([["LastError", new Variant("s", "Compatible mismatch: x")]])]),
      }),
    ).rejects.toMatchObject({ failure: "unsupported-package", message: "Compatible mismatch: x" });
  });

  test("Operation that turns idle is not an end", async () => {
    const told = await run({
      InstallBundle: (_, peer) => {
        peer.answer();
        changed(peer, [["Operation", new Variant("s", "idle")]]);
        progress(peer, 50, "still at it");
        completed(peer);
      },
    });
    expect(told).toEqual(["0.5 still at it"]);
  });

  test("busy is busy", async () => {
    const busy = run({
      InstallBundle: (_, peer) => peer.refuse(unsupported, "Already processing a different method"),
    });
    await expect(busy).rejects.toThrow(BusyError);
  });

  test.each([
    ["its name is free again", (peer: Peer) => ownerChanged(peer, ":1.1", "")],
    ["another one has its name", (peer: Peer) => ownerChanged(peer, ":1.1", ":1.2")],
    ["the bus is gone", (peer: Peer) => peer.hangUp()],
  ])("the service ends in the middle: %s", async (_, end) => {
    const dying = run({
      InstallBundle: (_call, peer) => {
        peer.answer();
        end(peer);
      },
    });
    await expect(dying).rejects.toThrow(ServiceDied);
  });

  const ownerChanged = (peer: Peer, before: string, after: string) =>
    peer.signal("NameOwnerChanged", "sss", ["de.pengutronix.rauc", before, after], {
      sender: "org.freedesktop.DBus",
      interface: "org.freedesktop.DBus",
    });

  test("one that never ends is given up, and one that is aborted ends with the reason", async () => {
    const endless: Service = { InstallBundle: (_, peer) => peer.answer() };
    await expect(run(endless, { timeLimit: millis(20) })).rejects.toThrow(/did not finish/);
    await bus?.close();
    const cut = new AbortController();
    const aborted = run(
      {
        InstallBundle: (_, peer) => {
          peer.answer();
          progress(peer, 10, "x");
        },
      },
      { signal: cut.signal, progress: () => cut.abort(new Error("the power went")) },
    );
    await expect(aborted).rejects.toThrow("the power went");
  });
});

test("what a service says of its slots is taken as far as it makes sense", async () => {
  const slot = (properties: readonly (readonly [string, Variant])[]) => new Map<Value, Value>(properties);
  bus = await createScriptedBus({
    GetSlotStatus: (_, peer) =>
      peer.answer("a(sa{sv})", [
        [
          [
            "rootfs.0",
            slot([
              ["state", new Variant("s", "booted")],
              ["bundle.version", new Variant("s", "2")],
            ]),
          ],
          [
            "rootfs.1",
            slot([
              ["bootname", new Variant("s", "B")],
              ["installed.count", new Variant("u", 3)],
            ]),
          ],
          ["odd.0", slot([["state", new Variant("u", 7)]])],
        ],
      ]),
    GetPrimary: (_, peer) => peer.refuse("org.x.Failed", "no bootloader"),
  });
  const connection = await connectToBus({ address: bus.address, clock });
  const service = new RaucService(connection);
  expect(await service.slots()).toMatchObject([
    { name: "rootfs.0", isBooted: true, bundleVersion: "2", installedCount: 0 },
    { name: "rootfs.1", isBooted: false, bootName: "B", installedCount: 3 },
    { name: "odd.0", isBooted: false },
  ]);
  expect(await service.primary()).toBeUndefined();
  connection.close();
});
