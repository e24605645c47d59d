import type { BoardDescription, Clock, Log, Millis, Store } from "../../../agent/ports.js";
import type { RestartOptions } from "../restart.js";

/** How the device returns to its factory image: a bundle that it keeps, or a program of the operator's. */
export type FactoryReset =
  | { readonly bundle: string }
  | { readonly program: string; readonly arguments?: readonly string[] };

export interface RaucBoardOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** A durable record of this board's own, on a file system that both images see. */
  readonly store: Store;
  /** The system bus when not given. */
  readonly busAddress?: string;
  /** `rauc`, as PATH has it, when not given. */
  readonly program?: string;
  /** Handed to `rauc --conf=`; what RAUC takes by itself when not given, `/etc/rauc/system.conf` for `check`. */
  readonly configurationPath?: string;
  /** Where the files of the system begin. `/` when not given. */
  readonly root?: string;
  /** Where packages lie, for `check`. */
  readonly packageDirectory?: string;
  /** In place of what the device says of itself. */
  readonly description?: Partial<BoardDescription>;
  /** By systemctl when not given. */
  readonly restart?: RestartOptions;
  readonly factoryReset?: FactoryReset;
  /** 2 minutes when not given: then a certificate that does not fit the time is wrong, clock set or not. */
  readonly clockLimit?: Millis;
  /** 2 hours when not given. */
  readonly installationLimit?: Millis;
}
