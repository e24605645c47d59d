import type { ImageFile } from "../../agent/ports.js";

/**
 * Where a plugin takes the place of what the agent does by itself. The agent only notes that the download or the
 * update has begun, and answers the Server; the plugin does the work and reports with `setFirmwareUpdateState` and
 * `setFirmwareUpdateResult`, during its hook or after it. A hook that throws ends the work: with the Update Result of its
 * PackageError, else with 4 for a download and 8 for an update.
 */
export interface FirmwareUpdateHooks {
  /** A Server wrote a Package URI that is well-formed; its scheme may be any. Also called after a restart meanwhile. */
  packageUriWritten?(context: DownloadContext): void | Promise<void>;
  /** A Server executed Update; it has been answered. Called again when the agent restarted during the update. */
  updateExecuted?(context: UpdateContext): void | Promise<void>;
}

interface HookContext {
  readonly instanceId: number;
  readonly uri: string;
  /** Fires when the Server cancels or resets, and when the agent stops. */
  readonly signal: AbortSignal;
}

export interface DownloadContext extends HookContext {
  /**
   * Fetches the package as without a hook. Resolves when it has arrived; that it is verified and reported then follows
   * by itself.
   * @throws PackageError when it does not arrive
   */
  default(): Promise<void>;
}

export interface UpdateContext extends HookContext {
  /**
   * The package on disk, hashed once more; undefined when the agent does not have it.
   * @throws PackageError when it changed meanwhile
   */
  image(): Promise<ImageFile | undefined>;
  /**
   * Installs the package as without a hook. Resolves when it is installed; restarting, or whatever makes it run, and
   * the report then follow by themselves.
   * @throws PackageError when it cannot be installed, also when the agent does not have the package
   */
  default(): Promise<void>;
}
