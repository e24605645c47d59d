/** Ways to restart the machine. The processes end cleanly with each: units are stopped, file systems unmounted. */
import { type Clock, seconds } from "../../agent/ports.js";
import { type Bus, connectToBus, DBusError } from "../dbus/connection.js";
import { ProgramError, runProgram } from "../exec/program.js";

export type RestartOptions =
  /** As root, or by polkit. `program`: where systemctl is. */
  | { readonly by: "systemctl"; readonly program?: string }
  /** Asks logind over D-Bus: for a service that is not root and starts no programs. */
  | { readonly by: "logind"; readonly busAddress?: string }
  /** What the boot loader is to be told is its last argument, where there is something to tell. */
  | { readonly by: "program"; readonly program: string; readonly arguments?: readonly string[] };

/**
 * Resolves when the restart is on its way.
 * @param text for the boot loader, as `0 tryboot`
 * @throws RestartError when it is refused
 */
export type Restart = (text?: string) => Promise<void>;

/** The machine does not restart; the message names what is missing. */
export class RestartError extends Error {
  override readonly name = "RestartError";
}

const timeLimit = seconds(30);

export function createRestart(options: RestartOptions, clock: Clock): Restart {
  switch (options.by) {
    case "systemctl": {
      const { program = "systemctl" } = options;
      return (text) => run(program, systemctlArguments(text), clock);
    }
    case "program": {
      const { program, arguments: fixed = [] } = options;
      return (text) => run(program, text === undefined ? fixed : [...fixed, text], clock);
    }
    case "logind":
      return (text) => askLogind(options.busAddress, text, clock);
  }
}

/** Without blocking: systemctl is of our own control group, which ends before the machine does. */
const systemctlArguments = (text: string | undefined): readonly string[] => [
  "--no-block",
  "--no-ask-password",
  "reboot",
  ...(text === undefined ? [] : [`--reboot-argument=${text}`]),
];

async function run(program: string, programArguments: readonly string[], clock: Clock): Promise<void> {
  let result: Awaited<ReturnType<typeof runProgram>>;
  try {
    result = await runProgram(program, { arguments: programArguments, clock, timeLimit });
  } catch (cause) {
    if (!(cause instanceof ProgramError)) throw cause;
    throw new RestartError(`the restart failed: ${cause.message}`, { cause });
  }
  if (result.exitCode === 0) return;
  const { reason } = result;
  throw new RestartError(
    isRefusal(reason)
      ? refusal(
          programArguments.some((argument) => argument.startsWith("--reboot-argument")),
          reason,
        )
      : `the restart failed: ${program} ended with ${result.exitCode ?? "a signal"}: ${reason}`,
  );
}

const isRefusal = (reason: string): boolean =>
  /interactive authentication required|access denied|permission denied|not authorized/i.test(reason);

async function askLogind(address: string | undefined, text: string | undefined, clock: Clock): Promise<void> {
  let bus: Bus | undefined;
  try {
    bus = await connectToBus({ address, clock });
    if (text !== undefined) await callLogind(bus, "SetRebootParameter", "s", text);
    await callLogind(bus, "Reboot", "b", false);
  } catch (cause) {
    if (!(cause instanceof DBusError)) throw cause;
    throw new RestartError(logindFailure(cause, text !== undefined), { cause });
  } finally {
    bus?.close();
  }
}

const callLogind = (bus: Bus, member: string, signature: string, argument: string | boolean) =>
  bus.call({
    destination: "org.freedesktop.login1",
    path: "/org/freedesktop/login1",
    interface: "org.freedesktop.login1.Manager",
    member,
    signature,
    body: [argument],
  });

const refusals = [
  "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
  "org.freedesktop.DBus.Error.AccessDenied",
];

const logindFailure = ({ errorName, message }: DBusError, withText: boolean): string =>
  refusals.includes(errorName)
    ? refusal(withText, message)
    : `the restart failed: logind answered ${errorName}: ${message}`;

function refusal(withText: boolean, reason: string): string {
  const actions = [
    "org.freedesktop.login1.reboot",
    "org.freedesktop.login1.reboot-multiple-sessions",
    ...(withText ? ["org.freedesktop.login1.set-reboot-parameter"] : []),
  ];
  return `this user may not restart the machine: a polkit rule must allow ${actions.join(", ")} (${reason})`;
}
