import { DecodeError } from "../../agent/model/errors.js";
import {
  boolean,
  decodeRecord,
  encodeRecord,
  integer,
  list,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
  variant,
} from "../../agent/persistence/record-format.js";
import type { ImageFile } from "../../agent/ports.js";
import type { UpdateOutcome } from "./outcome.js";
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
  /** Automatic Upgrade at Download (/5/0/14). */
  readonly automaticUpgrade?: boolean;
  /** Of the last update that ended, until the next one ends. */
  readonly lastOutcome?: UpdateOutcome;
}

export const initialRecord: FirmwareUpdateRecord = { state: initialState, severity: 1 };

/**
 * Of the format. A record of another version cannot be read, and that would lose a report: after a rollback it is an older
 * agent that reads what the newer one wrote. So fields are only ever added, optional, and the version stays.
 */
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
  const value = integer(0, 255)(json);
  if (!isUpdateResult(value)) throw new DecodeError(`${value} is no Update Result`);
  return value;
};

const image: Parser<ImageFile> = shape({ path: text, size: integer(0, Number.MAX_SAFE_INTEGER), sha256 });
const info = shape({ name: text, version: text });
const verifiedPackage = shape({ image, info });
const source: Parser<Source> = variant("transfer", {
  push: shape({ transfer: oneOf("push") }),
  pull: shape({ transfer: oneOf("pull"), uri: text }),
});

const count = integer(0, Number.MAX_SAFE_INTEGER);
const time = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const attempt = shape({
  id: text,
  bootId: text,
  previousVersion: text,
  servers: optional(list(integer(1, 65534))),
});
const request = shape({ attempt, by: oneOf("board", "plugin"), deferredSeconds: count });

const updating = {
  name: oneOf("updating"),
  result,
  source,
  step: oneOf("apply", "restart", "trial", "commit", "revert"),
  attempt,
  resumed: count,
  deferredSeconds: optional(count),
  starts: optional(count),
  setback: optional(shape({ result, reason: text })),
  reverts: optional(count),
};

const state: Parser<FirmwareUpdateState> = variant("name", {
  idle: shape({ name: oneOf("idle"), result, uri: text }),
  downloading: shape({ name: oneOf("downloading"), result, source }),
  verifying: shape({ name: oneOf("verifying"), result, source, image }),
  downloaded: shape({
    name: oneOf("downloaded"),
    result,
    source,
    package: optional(verifiedPackage),
    request: optional(request),
  }),
  updating: variant("by", {
    board: shape({ ...updating, by: oneOf("board"), package: verifiedPackage }),
    plugin: shape({ ...updating, by: oneOf("plugin"), package: optional(verifiedPackage) }),
  }) satisfies Parser<Updating>,
});

const parseRecord: Parser<FirmwareUpdateRecord> = shape({
  state,
  lastStateChange: optional(time),
  severity: integer(0, 2),
  maximumDeferSeconds: optional(integer(0, 4294967295)),
  automaticUpgrade: optional(boolean),
  lastOutcome: optional(
    shape({
      result,
      reason: text,
      package: optional(info),
      previousVersion: optional(text),
      at: time,
    }),
  ),
});
