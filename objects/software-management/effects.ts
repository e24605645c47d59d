import {
  type Downloader,
  type ImageFile,
  type Log,
  PackageError,
  type PackageStorage,
  type SoftwareInstaller,
} from "../../agent/ports.js";
import { schemeOf } from "../firmware-update/package-uri.js";
import { failureOf } from "../firmware-update/results.js";
import type { Effect, Occurrence } from "./table.js";

export interface EffectOptions {
  readonly downloaders: readonly Downloader[];
  readonly storage: PackageStorage;
  readonly installer: SoftwareInstaller;
  readonly log: Log;
}

/** One effect while it is performed. */
export interface Work {
  /** Fires when the agent stops. */
  readonly signal: AbortSignal;
  /** Says what happened; nothing after the agent stopped. */
  report(occurrence: Occurrence): Promise<void>;
}

export type LongEffect = Exclude<Effect, { readonly do: "discard" }>;

/** Performs the effects that take time, against the ports. Each reports how it ended. */
export class Effects {
  readonly #options: EffectOptions;

  constructor(options: EffectOptions) {
    this.#options = options;
  }

  perform(effect: LongEffect, work: Work): Promise<void> {
    switch (effect.do) {
      case "download":
        return this.#download(effect.uri, work);
      case "verify":
        return this.#verify(effect.image, work);
      case "install":
        return this.#install(effect.image, work);
      case "uninstall":
        return this.#uninstall(effect.forUpdate, work);
      case "switch":
        return this.#switch(effect.active, work);
    }
  }

  /** Is the file of the state still what it was? A state without a file has nothing to lose. */
  async isIntact(image: ImageFile | undefined): Promise<boolean> {
    if (image === undefined) return true;
    try {
      return await this.#options.storage.verify(image);
    } catch (error) {
      this.#options.log.error("package unreadable", { error });
      return false;
    }
  }

  async #download(uri: string, work: Work): Promise<void> {
    const attempt = async (): Promise<Occurrence> => {
      const scheme = schemeOf(uri);
      const downloader = this.#options.downloaders.find(({ schemes }) =>
        schemes.some((one) => one === scheme),
      );
      if (downloader === undefined) {
        throw new PackageError("unsupported-protocol", `nothing fetches packages by ${scheme}`);
      }
      const image = await downloader.download(uri, { signal: work.signal, progress: () => undefined });
      return { type: "received", image };
    };
    await this.#report(work, "package not received", attempt, (error) => ({
      type: "transferFailed",
      failure: failureOf(error, "connection"),
    }));
  }

  async #verify(image: ImageFile, work: Work): Promise<void> {
    const attempt = async (): Promise<Occurrence> => {
      const info = await this.#options.installer.verify(image, { signal: work.signal });
      return { type: "verified", info };
    };
    await this.#report(work, "package refused", attempt, (error) => ({
      type: "transferFailed",
      failure: failureOf(error, "failed"),
    }));
  }

  async #install(image: ImageFile, work: Work): Promise<void> {
    const attempt = async (): Promise<Occurrence> => {
      // Days may lie between download and Install; a file that changed meanwhile must not reach the installer.
      if (!(await this.isIntact(image))) throw new PackageError("integrity", "the package changed on disk");
      await this.#options.installer.install(image, { signal: work.signal });
      return { type: "installed" };
    };
    await this.#report(work, "software not installed", attempt, async () => ({
      type: "installFailed",
      packageIntact: await this.isIntact(image),
    }));
  }

  async #uninstall(forUpdate: boolean, work: Work): Promise<void> {
    const attempt = async (): Promise<Occurrence> => {
      await this.#options.installer.uninstall({ forUpdate });
      return { type: "uninstalled" };
    };
    await this.#report(work, "software not uninstalled", attempt, () => ({ type: "uninstallFailed" }));
  }

  async #switch(active: boolean, work: Work): Promise<void> {
    const { installer } = this.#options;
    const attempt = async (): Promise<Occurrence> => {
      await (active ? installer.activate() : installer.deactivate());
      return { type: "switched", active };
    };
    const failure = active ? "software not activated" : "software not deactivated";
    await this.#report(work, failure, attempt, () => ({ type: "switchFailed" }));
  }

  /** Reports what became of the attempt; nothing when it broke off because the agent stops. */
  async #report(
    work: Work,
    failure: string,
    attempt: () => Promise<Occurrence>,
    failed: (error: unknown) => Occurrence | Promise<Occurrence>,
  ): Promise<void> {
    let occurrence: Occurrence;
    try {
      occurrence = await attempt();
    } catch (error) {
      if (work.signal.aborted) return;
      this.#options.log.warn(failure, { error });
      occurrence = await failed(error);
    }
    await work.report(occurrence);
  }
}
