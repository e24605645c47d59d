/**
 * A board with a disk, two images and a boot loader, small enough to be cut off at any moment. What one agent leaves
 * behind (records, package, boot loader) is what the next one finds.
 */
import {
  type Board,
  type Downloader,
  type ImageFile,
  PackageError,
  type PackageInfo,
  type PackageStorage,
  type Store,
  seconds,
} from "../../../agent/ports.js";
import { createFirmwareUpdate, type FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import type { TrialOptions } from "../../../objects/firmware-update/trial.js";
import { createSimulatedClock } from "../../simulated/clock.js";
import { createRecordingLog } from "../../simulated/log.js";
import { createSeededRandom } from "../../simulated/random.js";
import { createMemoryStore } from "../../simulated/store.js";
import { tested } from "../doubles.js";

export const goodUri = "http://images.example/2.0";

/** A package that is one version of the firmware, padded to `size`. */
export const imageOf = (version: string, size = 1000): ImageFile => ({
  path: "/packages/image",
  size,
  sha256: Buffer.from(version).toString("hex").padEnd(64, "0"),
});

const versionOf = ({ sha256 }: ImageFile) => Buffer.from(sha256.replace(/(00)+$/, ""), "hex").toString();

/** A trial that consists of a health check. */
export const trialBy = (
  health: TrialOptions["health"],
  options: Partial<TrialOptions> = {},
): TrialOptions => ({
  timeLimit: seconds(300),
  healthInterval: seconds(10),
  connectivity: "ignored",
  maximumBoots: 3,
  ...(health && { health }),
  ...options,
});

/** There is no need to wait for it to become better. */
export const unhealthy = trialBy(() => Promise.reject(new PackageError("failed", "not healthy")));

export class World {
  readonly store: Store & { readonly records: ReadonlyMap<string, Uint8Array> } = createMemoryStore();
  /** What was done, in order. */
  readonly acts: string[] = [];
  /** The package on disk. */
  package: ImageFile | undefined;
  running = "1.0";
  /** What the boot loader goes back to. */
  staying = "1.0";
  /** What the next boot tries. */
  armed: string | undefined;
  bootNumber = 1;
  restarting = false;
  storageLimit = 1_000_000;
  storeFailure: Error | undefined;

  /** Called before and after each act; true cuts the power. */
  cut: (moment: number) => boolean = () => false;
  moments = 0;
  #agent = { alive: true };

  // What tests change:
  download: Downloader["download"] = async (uri) => imageOf(uri.split("/").at(-1) ?? "");
  inspect: Board["inspect"] = async (image): Promise<PackageInfo> => ({
    name: "fw",
    version: versionOf(image),
  });
  apply: Board["apply"] = async (image) => {
    this.armed = versionOf(image);
    return "restart";
  };
  outcome: Board["outcome"] = async (attempt) => (this.running === attempt.package.version ? "new" : "old");
  discard = async (): Promise<void> => void this.acts.push("discard pushed");
  commit: Board["commit"] = async () => {
    this.staying = this.running;
  };
  revert: Board["revert"] = async () => {
    this.armed = this.staying;
    return "restart";
  };

  get isCut(): boolean {
    return !this.#agent.alive;
  }

  /** The power comes back, or the restart happens. */
  boot(): void {
    this.bootNumber += 1;
    this.running = this.armed ?? this.staying;
    this.armed = undefined;
    this.kill();
  }

  /** The agent is gone; the board goes on. */
  kill(): void {
    this.#agent.alive = false;
    this.#agent = { alive: true };
    this.restarting = false;
  }

  /** A fresh agent on what the world holds now. */
  agent(options: Partial<FirmwareUpdateOptions> = {}) {
    const ports = this.#ports(this.#agent);
    const clock = createSimulatedClock();
    const log = createRecordingLog();
    const object = createFirmwareUpdate({
      ...ports,
      clock,
      log,
      random: createSeededRandom(this.bootNumber),
      ...options,
    });
    const server = tested(object);
    return {
      ...server,
      object,
      clock,
      log,
      /** State and Update Result, as `state/result`. */
      status: async () => `${await server.read("state")}/${await server.read("updateResult")}`,
      settle: () => clock.advance(seconds(0)),
      /** Enough for an installation to begin and end, where nothing has to be waited for. */
      soon: () => clock.advance(seconds(1)),
    };
  }

  /** What this world is to an agent of another Object, until it boots or the agent is killed. */
  ports() {
    return this.#ports(this.#agent);
  }

  #ports(agent: { alive: boolean }) {
    const act = async <T>(name: string, effect: () => T | Promise<T>): Promise<T> => {
      const gone = new Promise<never>(() => {}); // the promise of a machine without power
      const isCut = () => {
        if (agent.alive && this.cut(this.moments++)) agent.alive = false;
        return !agent.alive;
      };
      if (isCut()) return gone;
      this.acts.push(name);
      const result = await effect();
      return isCut() ? gone : result;
    };
    const store: Store = {
      read: (name) => act("read", () => this.store.read(name)),
      write: (name, record) =>
        act(`record ${stateIn(record)}`, async () => {
          if (this.storeFailure) throw this.storeFailure;
          await this.store.write(name, record);
        }),
      remove: (name) => act("remove", () => this.store.remove(name)),
    };
    const downloader: Downloader = {
      schemes: ["http", "coap", "coaps"],
      download: (uri, options) =>
        act("download", async () => {
          this.package = await this.download(uri, options);
          return this.package;
        }),
    };
    const storage: PackageStorage = {
      create: (size) => act("create", () => this.#createPackage(size)),
      verify: (image) =>
        act("verify file", () => this.package?.sha256 === image.sha256 && this.package.size === image.size),
      clear: () =>
        act("clear", () => {
          this.package = undefined;
        }),
    };
    const board: Board = {
      name: "test",
      bootId: () => act("boot id", () => `boot-${this.bootNumber}`),
      describe: () =>
        act("describe", () => ({
          manufacturer: "Acme",
          modelNumber: "M1",
          serialNumber: "1",
          hardwareVersion: "A",
          firmwareVersion: this.running,
        })),
      inspect: (image, options) => act("inspect", () => this.inspect(image, options)),
      apply: (image, options) => act("apply", () => this.apply(image, options)),
      outcome: (attempt) => act("outcome", () => this.outcome(attempt)),
      commit: () => act("commit", () => this.commit()),
      revert: () => act("revert", () => this.revert()),
      restart: () =>
        act("restart", () => {
          this.restarting = true;
        }),
      factoryReset: () => act("factory reset", () => undefined),
    };
    return { store, downloaders: [downloader], storage, board };
  }

  /** Keeps what is pushed as text: its bytes are the version. */
  #createPackage(size: number | undefined) {
    const tooLarge = (bytes: number) => {
      if (bytes > this.storageLimit) throw new PackageError("storage", "the package is too large");
    };
    tooLarge(size ?? 0);
    this.package = undefined;
    let content = Buffer.alloc(0);
    return {
      write: async (piece: Uint8Array) => {
        content = Buffer.concat([content, piece]);
        tooLarge(content.length);
      },
      finish: async () => {
        this.package = imageOf(content.toString(), content.length);
        return this.package;
      },
      discard: () => this.discard(),
    };
  }
}

function stateIn(record: Uint8Array): string {
  const { content } = JSON.parse(Buffer.from(record).toString());
  return `${content.state.name}${content.state.step ? ` ${content.state.step}` : ""}/${content.state.result}`;
}
