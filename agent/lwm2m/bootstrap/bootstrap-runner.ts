/** What the registration asks of the bootstrap: to be done, whenever it sees a reason for one. */
export interface BootstrapRunner {
  /** Is there a Bootstrap-Server account? */
  readonly available: boolean;
  /**
   * Bootstraps. Takes as long as the Bootstrap-Server does, with all attempts and the waits between them; calling it
   * again at once after a failure is safe, for the waits go on growing. Joins a bootstrap that is going on.
   * @returns "done" when the accounts are as the Bootstrap-Server wants them, "failed" when nothing has changed
   */
  run(signal: AbortSignal): Promise<"done" | "failed">;
}
