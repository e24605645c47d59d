/**
 * What the pure parts ask of the world. `platform/` answers as Linux does, `test/simulated/` as the tests do; each port
 * has one contract suite that runs on both.
 */

// ---- Time and chance --------------------------------------------------------------------------------------------

declare const unit: unique symbol;
/** A span of time in milliseconds. */
export type Millis = number & { readonly [unit]: "ms" };
export const millis = (value: number): Millis => value as Millis;
export const seconds = (value: number): Millis => (value * 1000) as Millis;

export interface Timer {
  /** The callback will not be called any more. Harmless when it has been. */
  cancel(): void;
}

export interface Clock {
  /** Time since an arbitrary start. Never goes back; every timeout is measured with it. */
  now(): Millis;
  /** Calendar time. Jumps when it is set; only for values that a server or a person reads. */
  date(): Date;
  /** Calls `fire` once. Delays of any length are kept, also beyond 2^31 ms. */
  after(delay: Millis, fire: () => void): Timer;
}

export interface Random {
  /** Evenly distributed in [0, 1). */
  fraction(): number;
  /** Unpredictable bytes. */
  bytes(length: number): Uint8Array;
}

// ---- Log --------------------------------------------------------------------------------------------------------

export type LogFields = Readonly<Record<string, unknown>>;

/** A log line is an event with fields; it never holds a key. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log, with fields that every line carries. */
  child(fields: LogFields): Log;
}

// ---- Network ----------------------------------------------------------------------------------------------------

/** Where a datagram comes from or goes to. */
export interface Peer {
  /** Numeric IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number;
  /** Equal exactly when it is the same peer: `192.0.2.1:5683`, `[2001:db8::1]:5683`. */
  readonly key: string;
}

/** One bound socket. */
export interface DatagramSocket {
  readonly local: { readonly address: string; readonly port: number };
  /** Hands one datagram to the network. It may be lost; a local failure is reported to `onError`. */
  send(datagram: Uint8Array, to: Peer): void;
  /** Resolves when the socket is gone. Calling it again is harmless. */
  close(): Promise<void>;
}

export interface DatagramHandlers {
  /** The bytes belong to the receiver. */
  onDatagram(datagram: Uint8Array, from: Peer): void;
  /** The socket goes on; nothing is retried. */
  onError(error: TransportError): void;
  /** The socket is gone, and not because someone closed it. Without this, `onError` hears of it. */
  onLost?(error: TransportError): void;
}

/** Notices when this device is reached in another way than before. */
export interface NetworkWatcher {
  /**
   * Calls `listener` whenever an address of ours or the default route has changed and the network is there, also when it
   * has come back as it was. Answers how to stop listening.
   */
  onChange(listener: () => void): () => void;
}

/** The network failed: no socket, no route, no name. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

// ---- State on disk ----------------------------------------------------------------------------------------------

/** Small records that survive a power cut. Names consist of letters, digits, `-` and `.`. */
export interface Store {
  /** undefined when there is no such record. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Resolves when the record is durable. After a crash either the old or the new record is there, whole. */
  write(name: string, record: Uint8Array): Promise<void>;
  /** Resolves when the removal is durable. Harmless when there is no such record. */
  remove(name: string): Promise<void>;
}

// ---- Firmware ---------------------------------------------------------------------------------------------------

/** A package on disk, complete. */
export interface ImageFile {
  /** Absolute path. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hexadecimal SHA-256 of the whole file. */
  readonly sha256: string;
}

/**
 * Why a package did not arrive or cannot be used. The names say what happened; the Firmware Update object turns them
 * into an Update Result.
 *
 * - `storage`: not enough room · `memory`: out of RAM · `connection`: lost, refused, timed out
 * - `integrity`: digest or signature wrong · `unsupported-package`: not a package for this board
 * - `invalid-uri`: malformed, unresolvable, not found · `unsupported-protocol`: the scheme is not served
 * - `failed`: the installation went wrong
 */
export type PackageFailure =
  | "storage"
  | "memory"
  | "connection"
  | "integrity"
  | "unsupported-package"
  | "invalid-uri"
  | "unsupported-protocol"
  | "failed";

export class PackageError extends Error {
  override readonly name = "PackageError";
  readonly failure: PackageFailure;
  constructor(failure: PackageFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}

/** The board is busy with something else; the same call may work later. */
export class BusyError extends Error {
  override readonly name = "BusyError";
}

export interface DownloadProgress {
  /** Bytes on disk. */
  readonly received: number;
  /** Bytes expected in all, as far as the sender said. */
  readonly total: number | undefined;
  /** Bytes of these that an earlier run had brought. */
  readonly takenUp?: number;
  /** Bytes per second, of late. */
  readonly rate?: number;
  /** What it waits for, as a sentence for people; undefined while bytes may come. */
  readonly waiting?: string;
}

export interface Downloader {
  /** URI schemes that this downloader serves, lower case and without the colon. */
  readonly schemes: readonly string[];
  /**
   * Fetches a package to disk, bounded in size and time. Goes on where an earlier run of ours ended, if the sender lets it.
   * @throws PackageError saying why it did not arrive, and no file is left then; the abort reason when `signal` fires: what
   *   has come may stay for the next run, until the storage is cleared
   */
  download(
    uri: string,
    options: { readonly signal: AbortSignal; readonly progress: (progress: DownloadProgress) => void },
  ): Promise<ImageFile>;
}

/** Receives a pushed package piece by piece. */
export interface PackageWriter {
  write(piece: Uint8Array): Promise<void>;
  /** Resolves when the file is complete and durable. */
  finish(): Promise<ImageFile>;
  /** Ends early and removes the file. Harmless after `finish`. */
  discard(): Promise<void>;
}

/** Where packages lie until they are installed. At most one is kept at a time. */
export interface PackageStorage {
  /**
   * Begins a new package; an older one is removed.
   * @throws PackageError `storage` when `size`, as announced, is over the limit or does not fit
   */
  create(size: number | undefined): Promise<PackageWriter>;
  /** Is the file there, with that size and digest? For the time after a restart. */
  verify(image: ImageFile): Promise<boolean>;
  /** Removes whatever package is kept. */
  clear(): Promise<void>;
}

/** What a sender says of the package that it sends: whether it still is the one of which we have a part. */
export interface PackageSource {
  readonly uri: string;
  /** Bytes of the whole; undefined when the sender did not say. */
  readonly size: number | undefined;
  /** Another one means another content: an ETag, or a date. undefined when nothing tells for sure. */
  readonly validator: string | undefined;
}

export interface DownloadWriter extends PackageWriter {
  /**
   * Ends early; what has come is durable and kept for `resume` where a validator tells what it is a part of, else it is
   * removed. Harmless after `finish`.
   */
  suspend(): Promise<void>;
}

/** A part of a package, of an earlier run of ours. */
export interface PartialPackage {
  readonly source: PackageSource;
  /** Bytes that are there; the next one written goes behind them. */
  readonly received: number;
  readonly writer: DownloadWriter;
}

/** The same place, for those who fetch packages: what they have survives the end of the process and of the power. */
export interface DownloadStorage {
  /**
   * Begins a new package; an older one is removed.
   * @throws PackageError `storage` when its size, as announced, is over the limit or does not fit
   */
  begin(source: PackageSource): Promise<DownloadWriter>;
  /**
   * Takes up what is kept of the package from there; undefined when that is nothing.
   * @throws PackageError `storage` when the rest of it does not fit; the abort reason when `signal` fires
   */
  resume(uri: string, options: { readonly signal: AbortSignal }): Promise<PartialPackage | undefined>;
  /** Removes whatever package is kept. */
  clear(): Promise<void>;
}

export interface BoardDescription {
  readonly manufacturer: string;
  readonly modelNumber: string;
  readonly serialNumber: string;
  readonly hardwareVersion: string;
  /** Of the image that runs. */
  readonly firmwareVersion: string;
  /** It is only that of the distribution in the image: good to know, and nothing to compare a package with. */
  readonly versionIsOfDistribution?: boolean;
}

/** What the verified metadata of a package says. */
export interface PackageInfo {
  readonly name: string;
  readonly version: string;
}

/** What was known when an update began; it is on disk before anything irreversible happens. */
export interface UpdateAttempt {
  readonly id: string;
  readonly package: PackageInfo;
  readonly image: ImageFile;
  /** Of the boot in which the update was executed. */
  readonly bootId: string;
  /** Of the image that ran then. */
  readonly previousVersion: string;
}

/** What may stand in the way of an update on this board, for the operator who asks `check`. */
export interface Finding {
  /** `error`: an update cannot work · `warning`: it may end badly · `info`: good to know. */
  readonly level: "error" | "warning" | "info";
  /** What was found, as a sentence that names the file, partition or setting. */
  readonly found: string;
  /** What to do about it; empty when nothing is to be done. */
  readonly remedy: string;
}

export interface ApplyOptions {
  readonly signal: AbortSignal;
  /** @param fraction from 0 to 1 · `message`: what the installer says of its work, for people */
  readonly progress: (fraction: number, message?: string) => void;
  /** Of the attempt that this belongs to; the same when it is repeated after an interruption. */
  readonly attempt: string;
}

/** One kind of board: how it takes an image, and how it restarts. */
export interface Board {
  readonly name: string;
  /** Changes with every boot. */
  bootId(): Promise<string>;
  describe(): Promise<BoardDescription>;
  /**
   * Can this board install the package?
   * @throws PackageError when it cannot
   */
  inspect(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<PackageInfo>;
  /**
   * Writes the image where the next boot finds it. May be repeated after a power cut.
   * @returns whether a restart makes it run, or it runs already
   * @throws PackageError when it cannot be installed
   */
  apply(image: ImageFile, options: ApplyOptions): Promise<"restart" | "running">;
  /**
   * After a boot: does the image of this attempt run?
   * @throws PackageError when whatever installs it during the boot refused it for good; it is not tried again then. Any other
   *   error: it is asked once more
   */
  outcome(attempt: UpdateAttempt): Promise<"new" | "old" | "unknown">;
  /** Makes the running image the one that stays. Safe to repeat; also called on each normal boot. */
  commit(): Promise<void>;
  /**
   * Returns to the previous image.
   * @throws PackageError when this board has none to return to. Any other error: it is asked once more
   */
  revert(): Promise<"restart" | "done">;
  /** Restarts the board. Resolves when the restart is on its way. */
  restart(): Promise<void>;
  /** Returns to the factory image and settings; ends in a restart. */
  factoryReset(): Promise<void>;
  /** Looks for what would keep an update from going well. Changes nothing. */
  check?(): Promise<readonly Finding[]>;
  /** Lets go of sockets and children. Calling it again is harmless. */
  close?(): Promise<void>;
}

/** Asked about a package before the board sees it: who made it, and may it run here? */
export interface PackageVerifier {
  /**
   * @param options `uri`: where the package came from; undefined when a Server pushed it
   * @returns what the signature vouches for, where it says it: it counts more than what the board reads from the image
   * @throws PackageError `integrity` when it is not signed by a key that the operator trusts, `unsupported-package` when it
   *   is meant for another board, `connection` when its signature cannot be had now
   */
  verify(
    image: ImageFile,
    options: { readonly uri: string | undefined; readonly signal: AbortSignal },
  ): Promise<Partial<PackageInfo>>;
}

/** What is about to happen in an update, or has just happened. */
export type UpdateStage = "download" | "apply" | "restart" | "commit";

/** What the operator's hooks are told. */
export interface StageContext {
  /** Empty when a Server pushed the package. */
  readonly uri: string;
  /** undefined before it is verified. */
  readonly package: PackageInfo | undefined;
  readonly image: ImageFile | undefined;
  /** Severity (/5/0/11): 0 critical, 1 mandatory, 2 optional. */
  readonly severity: number;
  /** Of the attempt; undefined before Update is executed. */
  readonly attempt: string | undefined;
  readonly signal: AbortSignal;
}

export interface Postponement {
  /** Why not now. */
  readonly later: string;
  /** Somebody on the spot said no, and no Server can bound that: Maximum Defer Period (/5/0/13) does not count. */
  readonly isUnbounded?: boolean;
}

/** The operator's say in an update: hooks, locks, maintenance hours. */
export interface UpdateGate {
  /**
   * Before a stage.
   * @returns `later`: not now, for this reason; it is asked again after some time
   * @throws PackageError when the update is to fail
   */
  before(stage: UpdateStage, context: StageContext): Promise<"go" | Postponement>;
  /** After a stage went well. What it throws is logged and changes nothing. */
  after(stage: UpdateStage, context: StageContext): Promise<void>;
}

// ---- Software ---------------------------------------------------------------------------------------------------

/**
 * How one piece of software gets onto this device, and off it. One call at a time. Each may be repeated after a power cut,
 * also when it had succeeded.
 */
export interface SoftwareInstaller {
  /**
   * Can this package be installed?
   * @throws PackageError when it cannot
   */
  verify(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<PackageInfo>;
  /** Afterwards the software is there, inactive, and does not need the file any more. */
  install(image: ImageFile, options: { readonly signal: AbortSignal }): Promise<void>;
  /** @param options `forUpdate`: a package that replaces the software comes next; its data may stay */
  uninstall(options: { readonly forUpdate: boolean }): Promise<void>;
  /** Afterwards the software runs, also after each boot. */
  activate(): Promise<void>;
  deactivate(): Promise<void>;
}

// ---- Plugins ----------------------------------------------------------------------------------------------------

/** Runs the code of plugins so that what goes wrong in it is known to be theirs, also later: in a timer, in a promise. */
export interface PluginContainment {
  /** Runs `act` as the plugin's. What it begins is the plugin's, too. */
  inside<T>(plugin: string, callback: string, act: () => T): T;
  /** Runs `act`, which a plugin has asked for, as the agent's own again. */
  outside<T>(act: () => T): T;
  /** Ends the timers that a plugin has left. @returns how many there were */
  endTimers(plugin: string): number;
}
