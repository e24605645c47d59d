import type { BoardDescription, Clock, Log, Millis, Store } from "../../../agent/ports.js";
import type { BootEnvironmentOptions } from "../boot-environment.js";
import type { RestartOptions } from "../restart.js";

/** One of the copies that the device has of its system. */
export interface SystemCopy {
  /** Its root device, as `swupdate -g` names it: `/dev/mmcblk0p2`. */
  readonly root: string;
  /** What installs into it, `SOFTWARE,MODE` as in `swupdate-client -e`: `stable,copy1`. */
  readonly selection: string;
  /** Variables of the boot loader that make it boot. Without them the boot loader has to fall back by itself. */
  readonly boot?: Readonly<Record<string, string>>;
}

export interface ProgramCall {
  readonly program: string;
  readonly arguments?: readonly string[];
}

export interface SwupdateBoardOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** A durable record of this board's own, on a file system that both images see. */
  readonly store: Store;
  /** `swupdate` when not given. */
  readonly program?: string;
  /** `swupdate-client` when not given. */
  readonly clientProgram?: string;
  /** Where the daemon's sockets are: /run/swupdate or /tmp, whichever has them, when not given. */
  readonly socketDirectory?: string;
  /** What packages must be signed by (`-k`): a CA, or a public key, as SWUpdate was built. */
  readonly keyPath?: string;
  /** `board:revision` (`-H`); /etc/hwrevision when not given. */
  readonly hardware?: string;
  /** Packages of this version or an older one are refused when they are inspected (`-N`). */
  readonly noDowngrading?: string;
  /** The system's copies; empty where packages say themselves where they go. */
  readonly copies?: readonly SystemCopy[];
  /** Prints the root device of what runs: `swupdate -g` when not given. */
  readonly rootDevice?: ProgramCall;
  /** The boot loader's environment, where `ustate` is; `none` where SWUpdate keeps no state in it. */
  readonly bootEnvironment?: Omit<BootEnvironmentOptions, "clock"> | "none";
  /** true where the boot loader counts boots and returns to the previous copy by itself. */
  readonly fallsBack?: boolean;
  /** Where a package is taken apart to be checked; beside the package when not given. */
  readonly workDirectory?: string;
  /** Where the files of the system begin. `/` when not given. */
  readonly root?: string;
  /** In place of what the device says of itself. */
  readonly description?: Partial<BoardDescription>;
  /** By systemctl when not given. */
  readonly restart?: RestartOptions;
  readonly factoryReset?: { readonly package: string } | ProgramCall;
  /** 2 minutes when not given: then a certificate that does not fit the time is wrong, clock set or not. */
  readonly clockLimit?: Millis;
  /** 2 hours when not given. */
  readonly installationLimit?: Millis;
}
