/** The effects under way: begun, cancelled, waited for. */
import type { Clock, Log } from "../../agent/ports.js";
import { seconds } from "../../agent/ports.js";
import type { LongEffect } from "./effects.js";
import { within } from "./waiting.js";

/** `push` is a download too: these two, `verify` and `askPermission` end by cancel or reset. */
export type ActivityKind = LongEffect["do"] | "push";

interface Activity {
  readonly controller: AbortController;
  readonly kind: ActivityKind;
  /** Resolves when it touches nothing any more. */
  readonly done: Promise<void>;
}

/** How long cancelled work may take to end, and to let go of its file. */
const LET_GO_LIMIT = seconds(30);

export class Activities {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #running = new Set<Activity>();
  #quiet: Promise<unknown> = Promise.resolve();

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves when nothing that was cancelled or discarded touches the disk any more. */
  get quiet(): Promise<unknown> {
    return this.#quiet;
  }

  /** @returns resolves when the work has ended, either way */
  begin(kind: ActivityKind, act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const done = act(controller.signal).catch((error: unknown) => {
      if (!controller.signal.aborted) this.#log.error("firmware update work failed", { error });
    });
    const activity: Activity = { controller, kind, done };
    this.#running.add(activity);
    if (!outlastsHook(kind)) void done.then(() => this.#running.delete(activity));
    return done;
  }

  /** The package, or the update, is not wanted any more. */
  cancelTransfer(): void {
    const cancelled = [...this.#running].filter(({ kind }) => endsByCancel(kind));
    for (const activity of cancelled) {
      this.#running.delete(activity);
      activity.controller.abort(new Error("the package is not wanted any more"));
    }
    const letGo = Promise.all([this.#quiet, ...cancelled.map(({ done }) => done)]);
    this.#quiet = within(this.#clock, LET_GO_LIMIT, letGo);
  }

  /** Before the next work begins, and after all that was cancelled has ended. */
  thenQuietly(act: () => Promise<void>): void {
    this.#quiet = this.#quiet.then(act);
  }

  /** The next package comes: who worked on the last one is not to be told any more. */
  forgetHooks(): void {
    for (const activity of this.#running) if (outlastsHook(activity.kind)) this.#running.delete(activity);
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    const activities = [...this.#running];
    for (const { controller } of activities) controller.abort(new Error("the agent stops"));
    // A hook that does not listen to its signal must not keep the agent from stopping.
    await within(this.#clock, LET_GO_LIMIT, Promise.all(activities.map(({ done }) => done)));
  }
}

const endsByCancel = (kind: ActivityKind) =>
  kind === "download" || kind === "push" || kind === "verify" || kind === "askPermission";

/** A hook may have returned while its work goes on; its signal must still fire, until the next package comes. */
const outlastsHook = (kind: ActivityKind) => kind === "download" || kind === "apply";
