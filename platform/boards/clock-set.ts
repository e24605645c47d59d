import { type Clock, type Millis, millis, seconds } from "../../agent/ports.js";
import { wait } from "../../agent/wait.js";
import type { SystemFiles } from "../linux/files.js";

/** No device of ours was made before; a clock that says so has not been set. */
const earliest = Date.UTC(2025, 0, 1);
/** Made by systemd-timesyncd, and by others for its sake, when the clock agrees with a server. */
const synchronized = "run/systemd/timesync/synchronized";
const interval = seconds(5);

/** Does this device know what time it is, as far as can be told? */
export const isClockSet = async (clock: Clock, files: SystemFiles): Promise<boolean> =>
  clock.date().getTime() >= earliest && (await files.exists(synchronized));

/**
 * Asks again while the answer may be wrong for no better reason than an unset clock.
 * @param ask is told whether the clock is set; undefined: cannot be told before it is
 * @param limit after which the clock counts as set, whatever it says
 */
export async function onceClockIsSet<T>(
  ask: (clockIsSet: boolean) => Promise<T | undefined>,
  {
    clock,
    files,
    limit,
    signal,
  }: {
    readonly clock: Clock;
    readonly files: SystemFiles;
    readonly limit: Millis;
    readonly signal: AbortSignal;
  },
): Promise<T> {
  const end = clock.now() + limit;
  for (;;) {
    const isOver = clock.now() >= end;
    const answer = await ask(isOver || (await isClockSet(clock, files)));
    if (answer !== undefined) return answer;
    if (isOver) throw new Error("no answer, though the clock is said to be set");
    await wait(millis(Math.min(interval, end - clock.now())), clock, signal);
  }
}
