/** The control socket of SWUpdate: the update state, and why the last run failed. */
import { connect, type Socket } from "node:net";
import { type Clock, millis, seconds } from "../../../agent/ports.js";
import { describeError } from "../../system-error.js";
import {
  decodeAnswer,
  decodeNotification,
  decodeState,
  encodeGetState,
  encodeNotifyStream,
  encodeSetState,
  messageSize,
  type UpdateState,
  withoutPlace,
} from "./control-message.js";

export interface ControlOptions {
  /** Of the socket. */
  readonly path: string;
  readonly clock: Clock;
}

/** The daemon does not answer; the message says what is missing. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

const timeLimit = seconds(10);
/** The log of the last run comes at once; when nothing came for so long it is over. */
const silence = millis(300);
const maximumErrors = 20;

export async function canReach(options: ControlOptions): Promise<boolean> {
  try {
    await talk(options, undefined, () => true);
    return true;
  } catch {
    return false;
  }
}

/** @throws ControlError */
export const readState = (options: ControlOptions): Promise<UpdateState> =>
  talk(options, encodeGetState(messageSize), (received) => whole(received, decodeState));

/** @throws ControlError also when the daemon has no boot loader to keep it in */
export const writeState = (options: ControlOptions, state: UpdateState): Promise<true> =>
  talk(options, encodeSetState(state, messageSize), (received) =>
    whole(received, (answer) => {
      decodeAnswer(answer);
      return true as const;
    }),
  );

/** What the daemon said was wrong in its last run; empty when nothing was. @throws ControlError */
export async function readLastErrors(options: ControlOptions): Promise<readonly string[]> {
  let errors: string[] = [];
  let isAcknowledged = false;
  let rest = Buffer.alloc(0);
  const take = (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= messageSize) {
      const message = rest.subarray(0, messageSize);
      rest = rest.subarray(messageSize);
      if (!isAcknowledged) {
        decodeAnswer(message);
        isAcknowledged = true;
        continue;
      }
      const { isStart, isError, text } = decodeNotification(message);
      if (isStart) errors = [];
      if (isError && errors.length < maximumErrors) errors.push(withoutPlace(text));
    }
  };
  await talk(options, encodeNotifyStream(messageSize), (received, isSilent) => {
    take(received.splice(0).reduce((all, piece) => Buffer.concat([all, piece]), Buffer.alloc(0)));
    return isSilent ? true : undefined;
  });
  return errors;
}

function whole<T>(received: readonly Buffer[], decode: (message: Buffer) => T): T | undefined {
  const bytes = Buffer.concat(received);
  return bytes.length < messageSize ? undefined : decode(bytes.subarray(0, messageSize));
}

/**
 * Sends one message, or only connects, and answers what `read` makes of what comes back.
 * @param read is asked when it is connected, when something came, and when nothing came for a while; undefined: not yet
 */
function talk<T>(
  { path, clock }: ControlOptions,
  message: Buffer | undefined,
  read: (received: Buffer[], isSilent: boolean) => T | undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const socket: Socket = connect(path);
    const received: Buffer[] = [];
    const limit = clock.after(timeLimit, () => fail(new Error("it does not answer")));
    let quiet = clock.after(timeLimit, () => undefined);
    const end = () => {
      limit.cancel();
      quiet.cancel();
      socket.destroy();
    };
    const fail = (cause: unknown) => {
      end();
      reject(new ControlError(`SWUpdate at ${path}: ${describeError(cause)}`, { cause }));
    };
    const look = (isSilent: boolean) => {
      try {
        const answer = read(received, isSilent);
        if (answer === undefined) return;
        end();
        resolve(answer);
      } catch (cause) {
        fail(cause);
      }
    };
    socket.on("connect", () => {
      if (message === undefined) return look(false);
      socket.write(message);
    });
    socket.on("data", (bytes: Buffer) => {
      received.push(bytes);
      quiet.cancel();
      quiet = clock.after(silence, () => look(true));
      look(false);
    });
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("it closed the connection")));
  });
}
