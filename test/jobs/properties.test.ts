import { describe, expect, test } from "vitest";
import type { ResourceType } from "../../agent/model/value.js";
import { createPropertyMap, fromJson, toJson } from "../../jobs/properties.js";

const map = createPropertyMap(10241);

// Names and Resources as in the property map of the 2016 preview; Config has the number it is given.
test.each([
  ["RegistrationLifetime", "/1/0/1"],
  ["DefaultMinPeriod", "/1/0/2"],
  ["DefaultMaxPeriod", "/1/0/3"],
  ["Manufacturer", "/3/0/0"],
  ["ModelNumber", "/3/0/1"],
  ["SerialNumber", "/3/0/2"],
  ["FirmwareVersion", "/3/0/3"],
  ["RebootDevice", "/3/0/4"],
  ["FactoryResetDevice", "/3/0/5"],
  ["BatteryLevel", "/3/0/9"],
  ["MemoryFree", "/3/0/10"],
  ["CurrentTime", "/3/0/13"],
  ["UtcOffset", "/3/0/14"],
  ["UTCOffset", "/3/0/14"],
  ["Timezone", "/3/0/15"],
  ["DeviceDescription", "/3/0/17"],
  ["HardwareVersion", "/3/0/18"],
  ["BatteryStatus", "/3/0/20"],
  ["MemoryTotal", "/3/0/21"],
  ["FirmwarePackage", "/5/0/0"],
  ["FirmwarePackageUri", "/5/0/1"],
  ["FirmwarePackageURI", "/5/0/1"],
  ["UpdateFirmware", "/5/0/2"],
  ["FirmwareUpdateState", "/5/0/3"],
  ["FirmwareUpdateResult", "/5/0/5"],
  ["FirmwarePackageName", "/5/0/6"],
  ["FirmwarePackageVersion", "/5/0/7"],
  ["ConfigName", "/10241/0/1"],
  ["ConfigValue", "/10241/0/2"],
  ["ConfigApply", "/10241/0/3"],
])("%s is %s", (name, path) => {
  const property = map.find(name);
  expect(`/${property?.path.join("/")}`).toBe(path);
  expect(property?.definition).toBeDefined();
});

test.each(["timezone", "", "/3", "/3/0", "/3/0/15/0", "/3/0/65535", "toString", "__proto__"])(
  "%j is no property",
  (name) => {
    expect(map.find(name)).toBeUndefined();
  },
);

const definition = (type: ResourceType) => ({ id: 0, operations: "RW", type }) as const;

describe("JSON", () => {
  test.each<[ResourceType, Parameters<typeof toJson>[0], Parameters<typeof fromJson>[0]]>([
    ["string", "2.0", "2.0"],
    ["integer", -5, -5],
    ["integer", 9007199254740993n, "9007199254740993"],
    ["unsigned", 18446744073709551615n, "18446744073709551615"],
    ["float", 22.5, 22.5],
    ["boolean", false, false],
    ["opaque", Uint8Array.of(1, 2, 3), "AQID"],
    ["time", 1767225600, "2026-01-01T00:00:00.000Z"],
    ["time", 9e12, 9e12],
    ["objlnk", { objectId: 3, objectInstanceId: 0 }, "3:0"],
  ])("of type %s goes both ways: %s", (type, content, json) => {
    expect(toJson(content, type)).toEqual(json);
    expect(fromJson(json, definition(type))).toEqual(content);
  });

  test.each<[ResourceType, string, unknown]>([
    ["integer", "42", 42],
    ["float", "1e3", 1000],
    ["boolean", "true", true],
    ["time", "1767225600", 1767225600],
  ])("takes text for type %s", (type, text, value) => {
    expect(fromJson(text, definition(type))).toEqual(value);
  });

  test.each<[ResourceType, Parameters<typeof fromJson>[0]]>([
    ["integer", 1.5],
    ["integer", ""],
    ["integer", "0x10"],
    ["unsigned", -1],
    ["float", "warm"],
    ["float", ""],
    ["boolean", "yes"],
    ["boolean", 1],
    ["opaque", "A"],
    ["time", "yesterday"],
    ["time", "2026-13-01T00:00:00Z"],
    ["objlnk", "3"],
    ["objlnk", "3:70000"],
    ["string", { text: "no" }],
    ["string", ["no"]],
  ])("of type %s refuses %j", (type, json) => {
    expect(() => fromJson(json, definition(type))).toThrow("expected");
  });

  test("carries Resource Instances as an object", () => {
    const voltages = { id: 7, operations: "R", type: "integer", multiple: true } as const;
    const content = new Map([
      [0, 3800],
      [1, 5000],
    ]);
    expect(toJson(content, "integer")).toEqual({ 0: 3800, 1: 5000 });
    expect(fromJson({ 0: 3800, 1: "5000" }, voltages)).toEqual(content);
    expect(() => fromJson(3800, voltages)).toThrow("expected");
    expect(() => fromJson({ first: 1 }, voltages)).toThrow("no Resource Instance ID");
  });
});
