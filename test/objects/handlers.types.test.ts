import { expectTypeOf, test } from "vitest";
import { type Handlers, type LiveObject, singleInstance } from "../../agent/model/definition.js";
import { Device } from "../../objects/device.js";
import type { FirmwareUpdate } from "../../objects/firmware-update/definition.js";
import type { FirmwareUpdateObject } from "../../objects/firmware-update/object.js";
import type { Server } from "../../objects/server.js";

// The compiler runs these tests: an error that is expected and does not come is one.

const mandatory: Handlers<typeof Device> = {
  reboot: { execute: () => {} },
  errorCode: { read: () => new Map([[0, 0]]) },
  supportedBinding: { read: () => "U" },
};

test("handlers follow from their definition", () => {
  expectTypeOf<Handlers<typeof Server>["lifetime"]["read"]>().returns.toEqualTypeOf<
    number | Promise<number>
  >();
  expectTypeOf<Handlers<typeof Server>["binding"]["read"]>().returns.toEqualTypeOf<
    string | Promise<string>
  >();
  singleInstance(Device, mandatory);
});

test("a missing mandatory Resource does not compile", () => {
  const { reboot: _, ...incomplete } = mandatory;
  // @ts-expect-error Reboot is mandatory
  singleInstance(Device, incomplete);
});

test("a value of another type does not compile", () => {
  // @ts-expect-error a battery level is a number
  singleInstance(Device, { ...mandatory, batteryLevel: { read: () => "80" } });
  // @ts-expect-error Error Code has Resource Instances
  singleInstance(Device, { ...mandatory, errorCode: { read: () => 0 } });
  // @ts-expect-error a mandatory Resource always has a value
  singleInstance(Device, { ...mandatory, supportedBinding: { read: () => undefined } });
});

test("a handler of another kind does not compile", () => {
  // @ts-expect-error Reboot is executed, not read
  singleInstance(Device, { ...mandatory, reboot: { read: () => 1 } });
  // @ts-expect-error Current Time is written as well
  singleInstance(Device, { ...mandatory, currentTime: { read: () => 0 } });
});

test("an unknown name does not compile", () => {
  const announce = (device: LiveObject<typeof Device>, firmware: LiveObject<typeof FirmwareUpdate>) => {
    device.changed(0, "batteryLevel");
    // @ts-expect-error the Resource is called batteryLevel
    device.changed(0, "batteryPercentage");
    // @ts-expect-error that is a Resource of Device
    firmware.changed(0, "batteryLevel");
  };
  expectTypeOf(announce).toBeFunction();
});

test("states and results that do not exist do not compile", () => {
  const report = (object: FirmwareUpdateObject) => {
    void object.setFirmwareUpdateState(0, 3);
    // @ts-expect-error there are states 0 to 3
    void object.setFirmwareUpdateState(0, 4);
    // @ts-expect-error version 1.1 has results 0 to 11
    void object.setFirmwareUpdateResult(0, 12);
  };
  expectTypeOf(report).toBeFunction();
});
