/** A new image proves itself: it reaches a Server that the old one reached, and it is healthy, in time. */
import { type Clock, type Millis, PackageError } from "../../agent/ports.js";
import { reasonOf } from "./results.js";
import { pause } from "./waiting.js";

export interface TrialOptions {
  /** For all of it, from each start of the agent on; the previous image comes back afterwards. */
  readonly timeLimit: Millis;
  /**
   * The operator's own check. Rejects while the device is not healthy, and is then asked again after `healthInterval`; a
   * PackageError means that waiting is of no use. Absent: that the agent runs is health enough.
   */
  health?(signal: AbortSignal): Promise<void>;
  readonly healthInterval: Millis;
  /**
   * `required`: we must be registered again with one of the Servers that we were registered with before the update. Without
   * any then, nothing is asked for: what did not work before says nothing about the new image.
   */
  readonly connectivity: "required" | "ignored";
  /** How often the agent may start during the trial, by boots or by itself, before the image has failed. */
  readonly maximumBoots: number;
}

/** Who of the Servers answers. */
export interface Connectivity {
  /** Short Server IDs of those that we are registered with. */
  registered(): readonly number[];
  /** Calls when one more has taken our registration. Answers how to stop listening. */
  onRegistered(listener: () => void): () => void;
}

/** - `connectivity`: no Server has answered yet · `health`: the operator's check runs · `permission`: his hooks do */
export type TrialPhase = "connectivity" | "health" | "permission";

export interface TrialStatus {
  readonly phase: TrialPhase;
  readonly secondsLeft: number;
}

export interface TrialWork {
  readonly trial: TrialOptions;
  readonly connectivity: Connectivity | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Of the attempt. */
  readonly servers: readonly number[];
  /** The last word before the image is to stay. */
  permission(signal: AbortSignal): Promise<void>;
  entered(phase: TrialPhase): void;
}

/**
 * Resolves when the image has proved itself.
 * @throws Error saying what it lacked; the abort reason when `signal` fires
 */
export async function proveItself(work: TrialWork): Promise<void> {
  const { trial, clock, signal } = work;
  const late = new AbortController();
  const timer = clock.after(trial.timeLimit, () => late.abort());
  const lacking: Lacking = { what: "it did not come to its checks" };
  try {
    const either = AbortSignal.any([signal, late.signal]);
    await orAborted(pass({ ...work, signal: either }, lacking), either);
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error;
    throw new PackageError("failed", `${lacking.what}, ${trial.timeLimit / 1000} s after its start`);
  } finally {
    timer.cancel();
    late.abort();
  }
}

/** What the image has yet to show. */
interface Lacking {
  what: string;
}

async function pass(work: TrialWork, lacking: Lacking): Promise<void> {
  const { trial, clock, signal, servers, connectivity } = work;
  const wanted = trial.connectivity === "required" && connectivity !== undefined ? servers : [];
  for (;;) {
    if (connectivity && wanted.length > 0 && !isRegistered(connectivity, wanted)) {
      work.entered("connectivity");
      lacking.what = `the new firmware did not register with ${serverNames(wanted)}`;
      await registration(connectivity, wanted, signal);
    }
    work.entered("health");
    lacking.what = "the health check of the new firmware did not end";
    try {
      await trial.health?.(signal);
    } catch (error) {
      if (signal.aborted || error instanceof PackageError) throw error;
      lacking.what = `the new firmware is not healthy: ${reasonOf(error)}`;
      await pause(clock, trial.healthInterval, signal);
      continue;
    }
    // A check may take minutes: healthy and reachable is meant at the same time.
    if (connectivity === undefined || wanted.length === 0 || isRegistered(connectivity, wanted)) break;
  }
  work.entered("permission");
  lacking.what = "the new firmware was not allowed to stay";
  await work.permission(signal);
}

const isRegistered = (connectivity: Connectivity, wanted: readonly number[]) =>
  connectivity.registered().some((shortServerId) => wanted.includes(shortServerId));

const serverNames = (servers: readonly number[]) =>
  servers.length === 1 ? `Server ${servers[0]}` : `any of the Servers ${servers.join(", ")}`;

function registration(
  connectivity: Connectivity,
  wanted: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stop();
      signal.removeEventListener("abort", abort);
      settle();
    };
    const abort = () => end(() => reject(signal.reason));
    const stop = connectivity.onRegistered(() => {
      if (isRegistered(connectivity, wanted)) end(resolve);
    });
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  });
}

/** A check that does not listen to its signal must not hold the trial up. */
function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
