import { DecodeError } from "../../agent/model/errors.js";
import {
  decodeRecord,
  encodeRecord,
  integer,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
  variant,
} from "../../agent/persistence/record-format.js";
import type { ImageFile } from "../../agent/ports.js";
import { isUpdateResult, type UpdateResult } from "./results.js";
import { type FirmwareUpdateState, initialState, type Source, type Updating } from "./state.js";

/** What the Firmware Update Object keeps over a restart: the last step that is certain, and what Servers wrote. */
export interface FirmwareUpdateRecord {
  readonly state: FirmwareUpdateState;
  /** Last State Change Time (/5/0/12), seconds since 1970. */
  readonly lastStateChange?: number;
  /** 0 critical, 1 mandatory, 2 optional. */
  readonly severity: number;
  readonly maximumDeferSeconds?: number;
}

export const initialRecord: FirmwareUpdateRecord = { state: initialState, severity: 1 };

/** Of the format. A record of another version cannot be read. */
const VERSION = 1;

export const encodeFirmwareUpdateRecord = (record: FirmwareUpdateRecord): Uint8Array =>
  encodeRecord(VERSION, record);

/** @throws DecodeError unless `bytes` are a record of this version that says one of the states */
export const decodeFirmwareUpdateRecord = (bytes: Uint8Array): FirmwareUpdateRecord =>
  decodeRecord(bytes, VERSION, parseRecord);

const sha256: Parser<string> = (json) => {
  const value = text(json);
  if (!/^[0-9a-f]{64}$/.test(value)) throw new DecodeError("expected a SHA-256 in hexadecimal");
  return value;
};

const result: Parser<UpdateResult> = (json) => {
  const value = integer(0, 11)(json);
  if (!isUpdateResult(value)) throw new DecodeError(`${value} is no Update Result`);
  return value;
};

const image: Parser<ImageFile> = shape({ path: text, size: integer(0, Number.MAX_SAFE_INTEGER), sha256 });
const verifiedPackage = shape({ image, info: shape({ name: text, version: text }) });
const source: Parser<Source> = variant("transfer", {
  push: shape({ transfer: oneOf("push") }),
  pull: shape({ transfer: oneOf("pull"), uri: text }),
});

const updating = {
  name: oneOf("updating"),
  result,
  source,
  step: oneOf("apply", "restart", "trial", "commit", "revert"),
  attempt: shape({ id: text, bootId: text, previousVersion: text }),
  resumed: integer(0, Number.MAX_SAFE_INTEGER),
};

const state: Parser<FirmwareUpdateState> = variant("name", {
  idle: shape({ name: oneOf("idle"), result, uri: text }),
  downloading: shape({ name: oneOf("downloading"), result, source }),
  verifying: shape({ name: oneOf("verifying"), result, source, image }),
  downloaded: shape({ name: oneOf("downloaded"), result, source, package: optional(verifiedPackage) }),
  updating: variant("by", {
    board: shape({ ...updating, by: oneOf("board"), package: verifiedPackage }),
    plugin: shape({ ...updating, by: oneOf("plugin"), package: optional(verifiedPackage) }),
  }) satisfies Parser<Updating>,
});

const parseRecord: Parser<FirmwareUpdateRecord> = shape({
  state,
  lastStateChange: optional(integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  severity: integer(0, 2),
  maximumDeferSeconds: optional(integer(0, 4294967295)),
});
