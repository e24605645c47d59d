/** How the service ends; the unit file has those that a restart cannot mend in RestartPreventExitStatus. */
export const serviceExitCodes = {
  /** It was told to stop. */
  stopped: 0,
  /** Something broke; starting again may help. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** EX_DATAERR: the state folder is of a newer version. Starting again does not help. */
  stateOfNewerVersion: 65,
  /** EX_UNAVAILABLE: another agent has this state folder. */
  stateInUse: 69,
  /** EX_CANTCREAT: a folder cannot be written to. */
  notWritable: 73,
  /** EX_CONFIG: the configuration is wrong. Starting again does not help. */
  configuration: 78,
} as const;

/** The service cannot run, and ends with this exit code. */
export class ServiceFailure extends Error {
  override readonly name = "ServiceFailure";
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
