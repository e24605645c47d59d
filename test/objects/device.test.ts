import { describe, expect, test } from "vitest";
import type { PowerReadings } from "../../agent/model/readings.js";
import { seconds } from "../../agent/ports.js";
import { createDevice, type DeviceOptions, type errorCodes } from "../../objects/device.js";
import { createSimulatedClock, settle } from "../simulated/clock.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore, tested } from "./doubles.js";

function create(options: Partial<DeviceOptions> = {}) {
  const clock = createSimulatedClock(new Date("2026-01-01T00:00:00Z"));
  const log = createRecordingLog();
  const store = createFailableStore();
  const acts: string[] = [];
  const object = createDevice({
    clock,
    log,
    store,
    describe: async () => ({
      manufacturer: "Acme",
      modelNumber: "M1",
      serialNumber: "",
      hardwareVersion: "B",
      firmwareVersion: "1.0",
    }),
    onReboot: () => void acts.push("reboot"),
    supportedBinding: "U",
    ...options,
  });
  return { object, clock, log, store, acts, ...tested(object) };
}

describe("the Device Object", () => {
  test("describes the board, and leaves out what the board does not know", async () => {
    const { read } = create();
    expect(await read("manufacturer")).toBe("Acme");
    expect(await read("firmwareVersion")).toBe("1.0");
    expect(await read("hardwareVersion")).toBe("B");
    expect(await read("serialNumber")).toBeUndefined();
    expect(await read("deviceType")).toBeUndefined();
    expect(await read("supportedBinding")).toBe("U");
  });

  test("asks the board once a second at most, and again then, for firmware may change without a restart", async () => {
    let version = "1.0";
    let asked = 0;
    const { read, clock } = create({
      describe: () => {
        asked++;
        return {
          manufacturer: "",
          modelNumber: "",
          serialNumber: "",
          hardwareVersion: "",
          firmwareVersion: version,
        };
      },
    });
    expect(await read("firmwareVersion")).toBe("1.0");
    expect(await read("manufacturer")).toBeUndefined();
    expect(asked).toBe(1);
    version = "2.0";
    await clock.advance(seconds(1));
    expect(await read("firmwareVersion")).toBe("2.0");
    expect(asked).toBe(2);
  });

  test("answers before it reboots", async () => {
    const { executeUnanswered, acts } = create();
    const answer = await executeUnanswered("reboot");
    expect(acts).toEqual([]);
    answer();
    await settle();
    expect(acts).toEqual(["reboot"]);
  });

  test("logs a reboot that fails", async () => {
    const { execute, log } = create({
      onReboot: () => {
        throw new Error("not permitted");
      },
    });
    await execute("reboot");
    await settle();
    expect(log.lines).toMatchObject([{ level: "error", event: "reboot failed" }]);
  });

  test("offers Factory Reset only where there is one, and answers first", async () => {
    expect(create().object.instances.get(0)?.["factoryReset"]).toBeUndefined();
    const acts: string[] = [];
    const { executeUnanswered } = create({ onFactoryReset: async () => void acts.push("reset") });
    const answer = await executeUnanswered("factoryReset");
    expect(acts).toEqual([]);
    answer();
    await settle();
    expect(acts).toEqual(["reset"]);
  });
});

describe("power", () => {
  const readings: PowerReadings = {
    sources: [
      { kind: "internalBattery", millivolts: 3800 },
      { kind: "usb", millivolts: 5000, milliamps: 900 },
    ],
    batteryLevel: 80,
    batteryStatus: "charging",
  };

  test("sources, voltages and currents share their Resource Instance IDs", async () => {
    const { read } = create({ power: () => readings });
    expect(await read("availablePowerSources")).toEqual(
      new Map([
        [0, 1],
        [1, 5],
      ]),
    );
    expect(await read("powerSourceVoltage")).toEqual(
      new Map([
        [0, 3800],
        [1, 5000],
      ]),
    );
    expect(await read("powerSourceCurrent")).toEqual(new Map([[1, 900]]));
    expect(await read("batteryLevel")).toBe(80);
    expect(await read("batteryStatus")).toBe(1);
  });

  test("a normal battery is a value and not the lack of one", async () => {
    const { read } = create({ power: () => ({ sources: [], batteryStatus: "normal" }) });
    expect(await read("batteryStatus")).toBe(0);
    expect(await read("batteryLevel")).toBeUndefined();
    expect(await read("availablePowerSources")).toBeUndefined();
  });

  test("that changes is told while somebody observes, and not asked for otherwise", async () => {
    let level = 80;
    let asked = 0;
    const { object, start, changes, clock } = create({
      power: async () => {
        asked++;
        return { sources: [], batteryLevel: level, batteryStatus: level < 20 ? "low" : "normal" };
      },
    });
    await start();
    await clock.advance(seconds(60));
    expect(asked).toBe(0);

    object.watched?.(true);
    await clock.advance(seconds(60));
    expect(changes).toEqual([]);
    level = 10;
    await clock.advance(seconds(10));
    expect(changes).toEqual(["0/batteryLevel", "0/batteryStatus", "0/errorCode"]);

    object.watched?.(false);
    const before = asked;
    level = 5;
    await clock.advance(seconds(60));
    expect(asked).toBe(before);
    expect(clock.pending).toBe(0);
  });
});

test("Objects that say more about the device are linked", async () => {
  const { read } = create({ extDevInfo: [{ objectId: 16, objectInstanceId: 0 }] });
  expect(await read("extDevInfo")).toEqual(new Map([[0, { objectId: 16, objectInstanceId: 0 }]]));
});

test("memory is read in kB", async () => {
  const { read } = create({ memory: () => ({ free: 1200, total: 64000 }) });
  expect(await read("memoryFree")).toBe(1200);
  expect(await read("memoryTotal")).toBe(64000);
});

describe("Error Code", () => {
  test("is a single 0 while all is well", async () => {
    expect(await create().read("errorCode")).toEqual(new Map([[0, 0]]));
  });

  test("says a low battery by itself, and errors that only this device has", async () => {
    const { read, execute } = create({
      power: () => ({ sources: [], batteryStatus: "low" }),
      faults: { active: () => [32, "gpsFailure"], reset: () => undefined },
    });
    const errors = new Map([
      [0, 32],
      [1, 3],
      [2, 1],
    ]);
    expect(await read("errorCode")).toEqual(errors);
    await execute("resetErrorCode"); // what is still wrong comes back
    expect(await read("errorCode")).toEqual(errors);
  });

  test("has one instance per active error until it is reset", async () => {
    let active: (keyof typeof errorCodes)[] = ["lowBattery", "peripheralMalfunction"];
    const faults = {
      active: () => active,
      reset: () => {
        active = [];
      },
    };
    const { read, execute, start, changes } = create({ faults });
    await start();
    expect(await read("errorCode")).toEqual(
      new Map([
        [0, 1],
        [1, 8],
      ]),
    );

    await execute("resetErrorCode");

    expect(await read("errorCode")).toEqual(new Map([[0, 0]]));
    expect(changes).toEqual(["0/errorCode"]);
  });
});

describe("time", () => {
  test("is the clock's until a Server sets it; then it goes on from there", async () => {
    const { read, write, clock } = create();
    expect(await read("currentTime")).toBe(Date.parse("2026-01-01T00:00:00Z") / 1000);

    await write("currentTime", 1000);
    expect(await read("currentTime")).toBe(1000);
    await clock.advance(seconds(90));

    expect(await read("currentTime")).toBe(1090);
  });

  test("that a Server set is as far from the system's clock after a restart, and does not follow its jumps before", async () => {
    const before = create();
    const date = Date.parse("2026-01-01T00:00:00Z") / 1000;
    await before.write("currentTime", date + 3600);
    const after = create({ store: before.store });
    await after.start();
    await after.clock.advance(seconds(10));
    expect(await after.read("currentTime")).toBe(date + 3610);
  });

  test("that cannot be told apart from the system's is refused", async () => {
    await expect(create().write("currentTime", -Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
      code: "4.00",
    });
  });

  test("offset and zone survive a restart and win over the system's", async () => {
    const place = () => ({ utcOffset: "+00:00" });
    const before = create({ place });
    expect(await before.read("utcOffset")).toBe("+00:00");
    await before.write("utcOffset", "+02:00");
    await before.write("timezone", "Europe/Paris");

    const after = create({ store: before.store, place });
    await after.start();

    expect(await after.read("utcOffset")).toBe("+02:00");
    expect(await after.read("timezone")).toBe("Europe/Paris");
  });

  test.each(["+02:00", "-0330", "+14", "Z"])("takes the offset %s", async (offset) => {
    const { write, read } = create();
    await write("utcOffset", offset);
    expect(await read("utcOffset")).toBe(offset);
  });

  test.each(["", "2", "+2", "+25:00", "+02:60", "UTC", "+02:00 "])(
    "refuses the offset %j",
    async (offset) => {
      await expect(create().write("utcOffset", offset)).rejects.toMatchObject({ code: "4.00" });
    },
  );

  test.each(["", "Europe/", "Europe/Paris\n", "../etc/passwd"])("refuses the time zone %j", async (zone) => {
    await expect(create().write("timezone", zone)).rejects.toMatchObject({ code: "4.00" });
  });
});
