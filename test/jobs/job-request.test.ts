import { describe, expect, test } from "vitest";
import { type Millis, millis, seconds } from "../../agent/ports.js";
import { formatTally, formatTimeSpan, statisticsOf } from "../../jobs/job.js";
import { checkJobRequest, type JobRequest, JobRequestError } from "../../jobs/job-request.js";
import { createPropertyMap } from "../../jobs/properties.js";

const settings = {
  properties: createPropertyMap(42769),
  configurationObjectId: 42769,
  timeout: seconds(120),
  pollInterval: seconds(5),
};
const check = (request: unknown) => checkJobRequest(request as JobRequest, settings); // callers need not be typed
const reboot = { type: "rebootDevice", jobId: "r", devices: ["d1"] };
const update = { type: "firmwareUpdate", jobId: "u", devices: "d1", packageUri: "http://192.0.2.1/a.img" };
const configure = { type: "updateDeviceConfiguration", jobId: "c", devices: "d1", value: "x" };
const read = { type: "readDeviceProperties", jobId: "r", devices: "d1", names: ["Timezone"] };
const write = { type: "writeDeviceProperties", jobId: "w", devices: "d1", properties: { Timezone: "UTC" } };

describe("a request is refused", () => {
  test.each<[string, unknown]>([
    ["no device", { ...reboot, devices: [] }],
    ["a list that is null", { ...reboot, devices: null }],
    ["a device that is null", { ...reboot, devices: ["d1", null] }],
    ["a blank device", { ...reboot, devices: ["d1", " "] }],
    ["no job id", { ...reboot, jobId: undefined }],
    ["a blank job id", { ...reboot, jobId: "" }],
    ["a job id of 65 characters", { ...reboot, jobId: "x".repeat(65) }],
    ["a job id with a dot", { ...reboot, jobId: "a.1" }],
    ["an unknown type", { ...reboot, type: "export" }],
    ["no package", { ...update, packageUri: undefined }],
    ["a blank package URI", { ...update, packageUri: " " }],
    ["a relative package URI", { ...update, packageUri: "/firmware.img" }],
    ["a package URI without host", { ...update, packageUri: "http:///firmware.img" }],
    ["a package URI of 256 bytes", { ...update, packageUri: `http://192.0.2.1/${"x".repeat(239)}` }],
    ["a timeout of 59 s", { ...update, timeout: seconds(59) }],
    ["a timeout of 24 h and 1 s", { ...update, timeout: seconds(86_401) }],
    ["a timeout that is no number", { ...update, timeout: Number.NaN }],
    ["no configuration", { ...configure, value: undefined }],
    ["a configuration that is null", { ...configure, value: null }],
    ["a configuration that is no text", { ...configure, value: 1 }],
    ["no name", { ...read, names: [] }],
    ["a blank name", { ...read, names: ["Timezone", ""] }],
    ["an unknown name", { ...read, names: ["Colour"] }],
    ["a path that is no Resource", { ...read, names: ["/3/0"] }],
    ["the reading of an executable", { ...read, names: ["RebootDevice"] }],
    ["no property", { ...write, properties: {} }],
    ["properties that are a list", { ...write, properties: ["Timezone"] }],
    ["a property that is null", { ...write, properties: { Timezone: null } }],
    ["a property that is undefined", { ...write, properties: { Timezone: undefined } }],
    ["a value of the wrong type", { ...write, properties: { RegistrationLifetime: "soon" } }],
    ["the writing of a package URI", { ...write, properties: { FirmwarePackageUri: "http://192.0.2.1/x" } }],
    ["the writing of a package by its path", { ...write, properties: { "/5/0/0": "AA==" } }],
  ])("with %s", (_, request) => {
    const refusal = expect(() => check(request));
    refusal.toThrow(JobRequestError);
    refusal.toThrow(expect.objectContaining({ statusCode: 400 }));
  });
});

describe("a request is accepted", () => {
  test.each<[string, unknown, object]>([
    ["one device as text", { ...reboot, devices: "d1" }, { DeviceIds: ["d1"] }],
    ["a device named twice, once", { ...reboot, devices: ["d1", "d2", "d1"] }, { DeviceIds: ["d1", "d2"] }],
    ["a timeout of 1 min", { ...update, timeout: seconds(60) }, { Timeout: "00:01:00" }],
    ["a timeout of 24 h", { ...update, timeout: seconds(86_400) }, { Timeout: "24:00:00" }],
    ["no timeout, which is 30 min", update, { Timeout: "00:30:00", PackageUri: "http://192.0.2.1/a.img" }],
    ["a package URI of 255 bytes", { ...update, packageUri: `http://192.0.2.1/${"x".repeat(238)}` }, {}],
    ["an empty configuration", { ...configure, value: "" }, { Value: "" }],
    ["a configuration of 256 bytes, for the device to judge", { ...configure, value: "x".repeat(256) }, {}],
    ["an old spelling", { ...read, names: ["UTCOffset"] }, { DevicePropertyNames: ["UtcOffset"] }],
    ["a path", { ...read, names: ["/3303/0/5700"] }, { DevicePropertyNames: ["/3303/0/5700"] }],
    ["a path of a named property", { ...read, names: ["/3/0/15"] }, { DevicePropertyNames: ["/3/0/15"] }],
    [
      "0, false and nothing as values",
      { ...write, properties: { DefaultMinPeriod: 0, "/9999/0/1": false, Timezone: "" } },
      {},
    ],
    [
      "a property that only the device knows to be read-only",
      { ...write, properties: { BatteryLevel: 50 } },
      {},
    ],
  ])("with %s", (_, request, parameters) => {
    expect(check(request).parameters).toMatchObject(parameters);
  });
});

test.each<[number, string]>([
  [0, "00:00:00"],
  [59_400, "00:00:59"],
  [5_400_000, "01:30:00"],
  [86_400_000, "24:00:00"],
])("%i ms are written %s", (duration, text) => {
  const span: Millis = millis(duration);
  expect(formatTimeSpan(span)).toBe(text);
});

test("the tally keeps its order and punctuation", () => {
  const children = ["completed", "failed", "cancelled", "running", "enqueued", "completed"] as const;
  const statistics = statisticsOf(children.map((status) => ({ status })));
  expect(statistics).toEqual({
    deviceCount: 6,
    pendingCount: 1,
    runningCount: 1,
    succeededCount: 2,
    failedCount: 1,
    cancelledCount: 1,
  });
  expect(formatTally(statistics)).toBe("Devices: 6; Succeeded: 2; Failed: 1;");
});
