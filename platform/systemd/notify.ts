/**
 * Tells systemd how the service is, sd_notify(3). Node.js has no datagram sockets of Unix, so `systemd-notify` sends; the
 * unit needs NotifyAccess=all for that.
 */
import { type Clock, type Log, type Millis, millis, seconds } from "../../agent/ports.js";
import { ProgramError, runProgram } from "../exec/program.js";

/** As in `READY=1`, `STATUS=registered`. */
export type Notification = `${string}=${string}`;

export interface SystemdNotifier {
  /** How often at least it wants to hear WATCHDOG=1; undefined: not at all. */
  readonly watchdogPeriod: Millis | undefined;
  /** Resolves when it was told, or could not be; one after the other. */
  tell(...notifications: readonly Notification[]): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Outside of systemd, where there is no NOTIFY_SOCKET, it tells nobody. */
export function createSystemdNotifier({
  env,
  clock,
  log,
  program = "systemd-notify",
}: {
  readonly env: Environment;
  readonly clock: Clock;
  readonly log: Log;
  readonly program?: string;
}): SystemdNotifier {
  const socket = env["NOTIFY_SOCKET"];
  if (socket === undefined || socket === "")
    return { watchdogPeriod: undefined, tell: async () => undefined };
  let last: Promise<void> = Promise.resolve();
  let hasFailed = false;
  const send = async (notifications: readonly Notification[]) => {
    try {
      const { exitCode, reason } = await runProgram(program, {
        arguments: [`--pid=${process.pid}`, ...notifications.map(oneLine)],
        environment: { NOTIFY_SOCKET: socket },
        timeLimit: seconds(5),
        clock,
      });
      if (exitCode !== 0) throw new ProgramError("not-started", `${program}: ${reason}`);
      hasFailed = false;
    } catch (error) {
      // Once: where it is missing, each beat of the watchdog would say so again.
      if (!hasFailed) log.error("systemd not notified", { notifications, error });
      hasFailed = true;
    }
  };
  return {
    watchdogPeriod: watchdogPeriodOf(env),
    tell: (...notifications) => {
      last = last.then(() => send(notifications));
      return last;
    },
  };
}

const oneLine = (notification: Notification) => notification.replace(/[\r\n]+/g, " ").slice(0, 512);

/** sd_watchdog_enabled(3): it may be meant for another process. */
function watchdogPeriodOf(env: Environment): Millis | undefined {
  const pid = env["WATCHDOG_PID"];
  if (pid !== undefined && pid !== `${process.pid}`) return undefined;
  const microseconds = Number(env["WATCHDOG_USEC"] ?? "");
  return Number.isSafeInteger(microseconds) && microseconds > 0 ? millis(microseconds / 1000) : undefined;
}
