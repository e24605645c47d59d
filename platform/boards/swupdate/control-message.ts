/**
 * The messages of SWUpdate's control socket, structures of C in the byte order of the machine. Upstream does not promise them,
 * so only what has always been the same is used: the update state, and the log of the last run.
 * @see network_ipc.h
 */

import { endianness } from "node:os";
import { DecodeError } from "../../../agent/model/errors.js";

export type UpdateState =
  | "ok"
  | "installed"
  | "testing"
  | "failed"
  | "unavailable"
  | "error"
  | "wait"
  | "in-progress";

/** One line of the daemon's log. */
export interface Notification {
  readonly isStart: boolean;
  readonly isError: boolean;
  readonly text: string;
}

const magic = 0x14052001;
const types = { ack: 1, nack: 2, setUpdateState: 7, getUpdateState: 8, notifyStream: 11 } as const;
/** In the order of their digits, in which the boot loader keeps them as `ustate`, too. */
const states: readonly UpdateState[] = [
  "ok",
  "installed",
  "testing",
  "failed",
  "unavailable",
  "error",
  "wait",
  "in-progress",
];
const dataAt = 8;
const textAt = 20;
const starts = 1;
const errorLevel = 1;

/** By the width of `size_t`, which is inside. */
export const messageSizes = { 64: 3120, 32: 3104 } as const;

/** Of the machine that we run on, which is the daemon's, too. */
export const messageSize: number =
  messageSizes[["arm", "ia32", "mips", "mipsel"].includes(process.arch) ? 32 : 64];

export const encodeGetState = (size: number): Buffer => encode(types.getUpdateState, size);
export const encodeNotifyStream = (size: number): Buffer => encode(types.notifyStream, size);

export function encodeSetState(state: UpdateState, size: number): Buffer {
  const message = encode(types.setUpdateState, size);
  message.write(String(states.indexOf(state)), dataAt, "latin1");
  return message;
}

/** @throws DecodeError unless it says yes */
export function decodeAnswer(message: Buffer): void {
  if (message.length < dataAt || readWord(message, 0) !== magic)
    throw new DecodeError("not a message of SWUpdate", { offset: 0 });
  const type = readWord(message, 4);
  if (type !== types.ack) {
    throw new DecodeError(
      type === types.nack ? `SWUpdate refuses: ${readText(message, dataAt, 128)}` : "not an answer",
      { offset: 4 },
    );
  }
}

/** @throws DecodeError when it is no state */
export function decodeState(message: Buffer): UpdateState {
  decodeAnswer(message);
  return parseState(message.toString("latin1", dataAt, dataAt + 1));
}

/** @param digit as the boot loader keeps it */
export function parseState(digit: string): UpdateState {
  const state = /^[0-7]$/.test(digit) ? states[Number(digit)] : undefined;
  if (state === undefined) throw new DecodeError(`"${digit}" is not an update state`);
  return state;
}

export const formatState = (state: UpdateState): string => String(states.indexOf(state));

/** Type and magic of these have never been filled in. */
export function decodeNotification(message: Buffer): Notification {
  if (message.length < textAt) throw new DecodeError("a notification is cut off", { offset: message.length });
  return {
    isStart: readWord(message, dataAt) === starts,
    isError: readWord(message, 16) === errorLevel,
    text: readText(message, textAt, 2048),
  };
}

/** `ERROR core/parser.c : parse : 216 : No downgrading allowed` → `No downgrading allowed`: the place is of no use here. */
export const withoutPlace = (line: string): string =>
  line.replace(/^ERROR\s*(?:\S+ : \w+ : \d+ )?:\s*/, "").trim();

function encode(type: number, size: number): Buffer {
  const message = Buffer.alloc(size);
  writeWord(message, magic, 0);
  writeWord(message, type, 4);
  return message;
}

const isLittleEndian = endianness() === "LE";

const readWord = (bytes: Buffer, offset: number): number =>
  isLittleEndian ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);

const writeWord = (bytes: Buffer, value: number, offset: number): number =>
  isLittleEndian ? bytes.writeUInt32LE(value, offset) : bytes.writeUInt32BE(value, offset);

const readText = (bytes: Buffer, offset: number, size: number): string =>
  (bytes.toString("utf8", offset, offset + size).split("\0")[0] ?? "").replace(/\p{Cc}/gu, " ").trim();
