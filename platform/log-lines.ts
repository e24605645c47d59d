/**
 * Lines of JSON on a file descriptor, written before the call returns: what is last said before a crash is what one wants to
 * read. `pino` would do it, with threads and streams that take longer to load than the rest of the log to write.
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";

/** How long a line may wait for a reader who does not keep up; the watchdog of the service waits longer. */
const patience = 1000;
const pause = 10;

export type WriteLine = (line: string) => void;

/** @param write as `writeSync` of node:fs */
export function createLineWriter(descriptor: number, write = writeSync): WriteLine {
  /** Nobody has read for so long that lines are dropped until somebody does. */
  let isStuck = false;
  return (line) => {
    let rest = Buffer.from(`${line}\n`);
    let waited = 0;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(write(descriptor, rest));
        isStuck = false;
      } catch (error) {
        // A pipe that is full; all else, such as a reader that is gone, there is nobody to tell.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
        if (isStuck || waited >= patience) {
          isStuck = true;
          return;
        }
        Atomics.wait(sleeper, 0, 0, pause);
        waited += pause;
      }
    }
  };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** As JSON, whatever is in it. */
export function toJson(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields, plain);
  } catch {
    // It refers to itself, or says no in `toJSON`: then as a person would see it.
    return JSON.stringify(
      Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [
          name,
          typeof value === "object" && value !== null
            ? inspect(value, { depth: 3, breakLength: Infinity })
            : value,
        ]),
      ),
      plain,
    );
  }
}

const plain = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
