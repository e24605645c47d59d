/** A device with a disk and one piece of software. What one agent leaves behind is what the next one finds. */

import type { ExecuteArguments } from "../../../agent/model/definition.js";
import {
  type Downloader,
  type ImageFile,
  PackageError,
  type PackageStorage,
  type SoftwareInstaller,
  seconds,
} from "../../../agent/ports.js";
import { createSoftwareManagement } from "../../../objects/software-management/object.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createFailableStore, tested } from "../doubles.js";

export const goodUri = "http://packages.example/2.0";

/** Its digest says which version it is. */
export const imageOf = (version: string): ImageFile => ({
  path: "/packages/package",
  size: version.length,
  sha256: Buffer.from(version).toString("hex").padEnd(64, "0"),
});

const versionOf = ({ sha256 }: ImageFile) => Buffer.from(sha256.replace(/(00)+$/, ""), "hex").toString();

export class World {
  readonly store = createFailableStore();
  /** What was asked of the installer, in order. */
  readonly acts: string[] = [];
  /** The package on disk. */
  package: ImageFile | undefined;
  storageLimit = 1_000_000;

  // What tests change:
  download: Downloader["download"] = async (uri) => imageOf(uri.split("/").at(-1) ?? "");
  installer: SoftwareInstaller = {
    verify: async (image) => ({ name: "app", version: versionOf(image) }),
    install: async () => undefined,
    uninstall: async () => undefined,
    activate: async () => undefined,
    deactivate: async () => undefined,
  };

  /** A fresh agent on what the world holds now. */
  async agent() {
    const clock = createSimulatedClock();
    const log = createRecordingLog();
    const object = createSoftwareManagement({
      software: [
        {
          name: "app",
          installer: this.#recordingInstaller(),
          storage: this.#storage(),
          downloaders: [
            {
              schemes: ["http"],
              download: async (uri, options) => {
                this.package = await this.download(uri, options);
                return this.package;
              },
            },
          ],
        },
      ],
      store: this.store,
      clock,
      log,
    });
    const server = tested(object);
    await server.start();
    const settle = () => clock.advance(seconds(0));
    await settle();
    return {
      ...server,
      object,
      log,
      clock,
      settle,
      uninstall: async (args: ExecuteArguments) => object.instances.get(0)?.["uninstall"]?.execute?.(args),
      /** Update State, Update Result, Activation State. */
      status: async () =>
        `${await server.read("updateState")}/${await server.read("updateResult")}${(await server.read("activationState")) ? " active" : ""}`,
    };
  }

  #recordingInstaller(): SoftwareInstaller {
    const act = <T>(name: string, work: () => Promise<T>) => {
      this.acts.push(name);
      return work();
    };
    return {
      verify: (image, options) => act("verify", () => this.installer.verify(image, options)),
      install: (image, options) =>
        act(`install ${versionOf(image)}`, () => this.installer.install(image, options)),
      uninstall: (options) =>
        act(options.forUpdate ? "uninstall for update" : "uninstall", () =>
          this.installer.uninstall(options),
        ),
      activate: () => act("activate", () => this.installer.activate()),
      deactivate: () => act("deactivate", () => this.installer.deactivate()),
    };
  }

  #storage(): PackageStorage {
    return {
      create: async (size) => {
        let content = "";
        const refuseBeyond = (bytes: number) => {
          if (bytes > this.storageLimit) throw new PackageError("storage", "the package is too large");
        };
        refuseBeyond(size ?? 0);
        return {
          write: async (piece) => {
            content += Buffer.from(piece).toString();
            refuseBeyond(content.length);
          },
          finish: async () => {
            this.package = imageOf(content);
            return this.package;
          },
          discard: async () => undefined,
        };
      },
      verify: async (image) => this.package?.sha256 === image.sha256,
      clear: async () => {
        this.package = undefined;
      },
    };
  }
}
