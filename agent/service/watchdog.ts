/** Beats as long as the event loop turns: a service that hangs is silent, and systemd starts it again. */
import type { SystemdNotifier } from "../../platform/systemd/notify.js";
import { type Clock, type Log, type Millis, millis, seconds } from "../ports.js";

/** The status line is renewed so often where there is no watchdog. */
const statusInterval = seconds(30);

export interface Heartbeat {
  stop(): void;
  /** How late the event loop came to a beat. */
  lag(): Lag;
}

export interface Lag {
  /** At the last beat. */
  readonly last: Millis;
  /** Since the start. */
  readonly longest: Millis;
}

export function startHeartbeat({
  systemd,
  status,
  clock,
  log,
}: {
  readonly systemd: SystemdNotifier;
  /** One line for `systemctl status`. Throws where the agent does not answer any more: then nothing is said. */
  readonly status: () => string;
  readonly clock: Clock;
  readonly log: Log;
}): Heartbeat {
  const { watchdogPeriod } = systemd;
  // Half of the period, as sd_watchdog_enabled(3) advises; `systemd-notify` needs its time, too.
  const interval = watchdogPeriod === undefined ? statusInterval : millis(watchdogPeriod / 2);
  let told = "";
  let due = millis(clock.now() + interval);
  let lag: Lag = { last: millis(0), longest: millis(0) };
  const beat = () => {
    const late = millis(Math.max(0, clock.now() - due));
    lag = { last: late, longest: millis(Math.max(lag.longest, late)) };
    if (late > interval / 2) log.warn("event loop was blocked", { seconds: late / 1000 });
    const line = status();
    const isNews = line !== told;
    told = line;
    if (watchdogPeriod !== undefined || isNews) {
      void systemd.tell(
        ...(watchdogPeriod === undefined ? [] : (["WATCHDOG=1"] as const)),
        ...(isNews ? ([`STATUS=${line}`] as const) : []),
      );
    }
    due = millis(clock.now() + interval);
    timer = clock.after(interval, beat);
  };
  let timer = clock.after(interval, beat);
  return { stop: () => timer.cancel(), lag: () => lag };
}
