import { describe, expect, test } from "vitest";
import { DecodeError } from "../../../agent/model/errors.js";
import {
  decodeFirmwareUpdateRecord,
  encodeFirmwareUpdateRecord,
  type FirmwareUpdateRecord,
  initialRecord,
} from "../../../objects/firmware-update/record.js";
import { createSeededRandom } from "../../simulated/random.js";
import { imageOf } from "./world.js";

const source = { transfer: "pull", uri: "coap://x/2.0" } as const;
const image = imageOf("2.0");
const verified = { image, info: { name: "fw", version: "2.0" } };
const attempt = { id: "a", bootId: "b", previousVersion: "1.0" };
const updating = { name: "updating", result: 0, source, attempt, resumed: 1 } as const;

const records: FirmwareUpdateRecord[] = [
  initialRecord,
  {
    severity: 0,
    maximumDeferSeconds: 60,
    lastStateChange: 1767225600,
    state: { name: "idle", result: 7, uri: "x" },
  },
  { severity: 1, state: { name: "downloading", result: 0, source: { transfer: "push" } } },
  { severity: 1, state: { name: "verifying", result: 0, source, image } },
  { severity: 1, state: { name: "downloaded", result: 11, source, package: verified } },
  { severity: 1, state: { name: "downloaded", result: 0, source } },
  { severity: 2, state: { ...updating, by: "board", step: "trial", package: verified } },
  { severity: 2, state: { ...updating, by: "plugin", step: "apply" } },
  {
    severity: 1,
    automaticUpgrade: true,
    lastOutcome: { result: 5, reason: "signed by nobody", at: 1767225600 },
    state: {
      name: "downloaded",
      result: 11,
      source,
      package: verified,
      request: { attempt: { ...attempt, servers: [1, 101] }, by: "board", deferredSeconds: 90 },
    },
  },
  {
    severity: 1,
    lastOutcome: {
      ...{ result: 8, reason: "no", package: verified.info, previousVersion: "1.0" },
      at: -1,
    },
    state: {
      ...updating,
      ...{ by: "board", package: verified, step: "revert", deferredSeconds: 3, starts: 2, reverts: 1 },
      setback: { result: 8, reason: "not healthy" },
    },
  },
];

describe("the record of the firmware update", () => {
  test.each(records)("comes back as it was: $state.name", (record) => {
    expect(decodeFirmwareUpdateRecord(encodeFirmwareUpdateRecord(record))).toEqual(record);
  });

  test("cut at any byte, or changed in any, is a DecodeError or a whole record", () => {
    const random = createSeededRandom(5);
    for (const record of records) {
      const bytes = encodeFirmwareUpdateRecord(record);
      for (let at = 0; at < bytes.length; at++) {
        expect(() => decodeFirmwareUpdateRecord(bytes.subarray(0, at))).toThrow(DecodeError);
        const changed = Uint8Array.from(bytes);
        changed[at] = random.integer(256);
        try {
          expect(decodeFirmwareUpdateRecord(changed).state.name).toBeTypeOf("string");
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
    }
  });

  test("of the first release is read as it is, an update under way included", () => {
    const written = `{"version":1,"content":{"state":{"name":"updating","result":0,"source":{"transfer":"pull","uri":"http://x/2.0"},"step":"restart","attempt":{"id":"a","bootId":"b","previousVersion":"1.0"},"resumed":0,"by":"board","package":{"image":${JSON.stringify(image)},"info":{"name":"fw","version":"2.0"}}},"severity":1,"lastStateChange":1767225600}}`;
    expect(decodeFirmwareUpdateRecord(Buffer.from(written))).toMatchObject({
      severity: 1,
      state: { name: "updating", step: "restart", package: verified, attempt },
    });
  });

  test("can be read by the first release after a rollback: its version stays, and its fields are there", () => {
    for (const record of records) {
      const { version, content } = JSON.parse(Buffer.from(encodeFirmwareUpdateRecord(record)).toString());
      expect(version).toBe(1);
      expect(content.severity).toBeTypeOf("number");
      if (record.state.name !== "updating") continue;
      const fields = ["by", "name", "result", "source", "step", "attempt", "resumed"];
      expect(Object.keys(content.state)).toEqual(expect.arrayContaining(fields));
      expect(Object.keys(content.state.attempt)).toEqual(expect.arrayContaining(Object.keys(attempt)));
    }
  });

  test.each([
    ["an unknown Update Result", { ...initialRecord, state: { name: "idle", result: 14, uri: "" } }],
    ["a Severity out of range", { ...initialRecord, severity: 3 }],
    [
      "a board's update without its package",
      { severity: 1, state: { ...updating, by: "board", step: "apply" } },
    ],
    ["an unknown step", { severity: 1, state: { ...updating, by: "plugin", step: "dance" } }],
    [
      "a digest that is none",
      {
        severity: 1,
        state: { name: "verifying", result: 0, source, image: { ...image, sha256: "../../etc" } },
      },
    ],
  ])("with %s is a DecodeError", (_, record) => {
    const bytes = encodeFirmwareUpdateRecord(record as FirmwareUpdateRecord);
    expect(() => decodeFirmwareUpdateRecord(bytes)).toThrow(DecodeError);
  });
});
