/** What `lwm2m-agent status` shows and prints with `--json`. Times are ISO 8601. Fields are added, never changed. */
export interface ServiceStatus {
  /** Of the program. */
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  /** null when there is none. */
  readonly configurationFile: string | null;
  /** Keys that were changed in the file and need a restart. */
  readonly needRestart: readonly string[];
  readonly endpointName: string;
  readonly board: {
    readonly type: string;
    readonly manufacturer: string;
    readonly modelNumber: string;
    readonly serialNumber: string;
    readonly firmwareVersion: string;
  };
  readonly servers: readonly {
    readonly shortServerId: number;
    readonly uri: string;
    readonly state: string;
    readonly since: string | null;
    readonly next: string | null;
    readonly lastFailure: { readonly at: string; readonly reason: string } | null;
  }[];
  readonly bootstrap: string;
  readonly observations: number;
  /** Notifications that wait for Servers that cannot be reached. */
  readonly keptNotifications: number;
  readonly firmware: {
    /** 0 Idle, 1 Downloading, 2 Downloaded, 3 Updating. */
    readonly state: number;
    readonly stateName: string;
    readonly result: number;
    readonly resultText: string;
    readonly progress: {
      readonly phase: "downloading" | "installing";
      /** From 0 to 1; null when the end is not known. */
      readonly fraction: number | null;
      readonly received: number | null;
      readonly total: number | null;
      /** Bytes per second, of late. */
      readonly rate?: number;
      /** What a download waits for. */
      readonly waiting?: string;
    } | null;
    /** What is downloaded or being installed. */
    readonly package: { readonly name: string; readonly version: string } | null;
    /** What the update waits for. */
    readonly waiting: { readonly stage: string; readonly reason: string } | null;
    /** While a new image has yet to prove itself. */
    readonly trial: { readonly phase: string; readonly secondsLeft: number } | null;
    /** How the last update ended, and in whose words. */
    readonly lastOutcome: {
      readonly result: number;
      readonly resultText: string;
      readonly reason: string;
      readonly package: { readonly name: string; readonly version: string } | null;
      readonly previousVersion: string | null;
      readonly at: string;
    } | null;
    /** The operator's, see `lwm2m-agent hold`. */
    readonly hold: { readonly reason: string; readonly since: string; readonly until: string | null } | null;
  };
  readonly queueMode: boolean;
  readonly plugins: readonly {
    /** Of one that could not be loaded, its file. */
    readonly name: string;
    /** `left out`: the agent was ended in it again and again. */
    readonly health: "running" | "failed" | "left out";
    /** Why; of one that runs, what last went wrong in it. */
    readonly reason: string | null;
  }[];
  readonly logLevel: string;
  /** Bytes. */
  readonly memory: number;
}
