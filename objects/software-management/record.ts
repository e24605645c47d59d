import { DecodeError } from "../../agent/model/errors.js";
import {
  boolean,
  decodeRecord,
  encodeRecord,
  integer,
  oneOf,
  type Parser,
  shape,
  text,
  variant,
} from "../../agent/persistence/record-format.js";
import type { ImageFile } from "../../agent/ports.js";
import { softwareResults } from "./results.js";
import { initialState, type SoftwareState, type Source } from "./state.js";

/** What one Object Instance keeps over a restart: the last step that is certain, and what Servers wrote. */
export interface SoftwareRecord {
  readonly state: SoftwareState;
  /** Update Supported Objects (/9/x/8). */
  readonly updateSupportedObjects: boolean;
}

export const initialRecord: SoftwareRecord = { state: initialState, updateSupportedObjects: false };

/** Of the format. A record of another version cannot be read. */
const VERSION = 1;

export const encodeSoftwareRecord = (record: SoftwareRecord): Uint8Array => encodeRecord(VERSION, record);

/** @throws DecodeError unless `bytes` are a record of this version that says one of the states */
export const decodeSoftwareRecord = (bytes: Uint8Array): SoftwareRecord =>
  decodeRecord(bytes, VERSION, parseRecord);

const sha256: Parser<string> = (json) => {
  const value = text(json);
  if (!/^[0-9a-f]{64}$/.test(value)) throw new DecodeError("expected a SHA-256 in hexadecimal");
  return value;
};

const count = integer(0, Number.MAX_SAFE_INTEGER);
const image: Parser<ImageFile> = shape({ path: text, size: count, sha256 });
const info = shape({ name: text, version: text });
const result = oneOf(...Object.values(softwareResults));
const source: Parser<Source> = variant("transfer", {
  push: shape({ transfer: oneOf("push") }),
  pull: shape({ transfer: oneOf("pull"), uri: text }),
});

const state: Parser<SoftwareState> = variant("name", {
  initial: shape({ name: oneOf("initial"), result }),
  downloading: shape({ name: oneOf("downloading"), result, source }),
  verifying: shape({ name: oneOf("verifying"), result, source, image }),
  delivered: shape({ name: oneOf("delivered"), result, image, info }),
  installing: shape({ name: oneOf("installing"), result, image, info, resumed: count }),
  installed: shape({ name: oneOf("installed"), result, info, active: boolean, wanted: boolean }),
  uninstalling: shape({ name: oneOf("uninstalling"), result, info, active: boolean, forUpdate: boolean }),
});

const parseRecord: Parser<SoftwareRecord> = shape({ state, updateSupportedObjects: boolean });
