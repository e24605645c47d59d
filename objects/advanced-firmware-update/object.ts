/**
 * Advanced Firmware Update (/33629): devices of several components. Each has an Object Instance with a record, a package and a
 * board of its own, and runs as Firmware Update (/5) does; here is what they have to do with each other.
 */
import {
  type AfterResponse,
  type ExecuteArguments,
  type Handlers,
  type LiveObject,
  multipleInstances,
  type ObjectImplementation,
} from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import type { Board, PackageInfo } from "../../agent/ports.js";
import { type DeliveryOptions, deliveryOf } from "../firmware-update/delivery.js";
import type { UpdateOutcome } from "../firmware-update/outcome.js";
import { changedResources, updateResources } from "../firmware-update/resources.js";
import { ConflictError, updateResults } from "../firmware-update/results.js";
import { FirmwareUpdateRunner } from "../firmware-update/runner.js";
import { type StateNumber, stateNumbers } from "../firmware-update/state.js";
import { AdvancedFirmwareUpdate } from "./definition.js";
import { targetsOf } from "./targets.js";

type Shared = Omit<
  DeliveryOptions,
  "board" | "storage" | "downloaders" | "verifier" | "objectInstanceId" | "recordName" | "hooks" | "admit"
>;

export interface Component extends Pick<DeliveryOptions, "storage" | "downloaders" | "verifier"> {
  /** What Servers read as Component Name (/33629/x/14). */
  readonly name: string;
  readonly board: Board;
  /** Names of other components that this package changes as well; they must be Idle then. */
  readonly affects?: (info: PackageInfo) => readonly string[];
}

export interface AdvancedFirmwareUpdateOptions extends Shared {
  /** Their places are the Object Instance IDs, and so must not change; the first is the main component. */
  readonly components: readonly Component[];
  /** Is an update by Firmware Update (/5) under way? Only one of the two Objects is used at a time. */
  isOtherBusy(): boolean;
}

export interface ComponentStatus {
  readonly objectInstanceId: number;
  readonly name: string;
  readonly state: StateNumber;
  readonly result: number;
  readonly lastOutcome: UpdateOutcome | undefined;
}

export interface AdvancedFirmwareUpdateObject extends ObjectImplementation {
  /** Is any component not Idle? */
  isBusy(): boolean;
  components(): readonly ComponentStatus[];
  askAgain(): void;
}

interface Instance {
  readonly id: number;
  readonly component: Component;
  readonly runner: FirmwareUpdateRunner;
  readonly handlers: Handlers<typeof AdvancedFirmwareUpdate>;
  /** What stood in the way the last time; said while the Result is 12 or 13. */
  conflicts: readonly number[];
}

export function createAdvancedFirmwareUpdate(
  options: AdvancedFirmwareUpdateOptions,
): AdvancedFirmwareUpdateObject {
  return new Components(options).object;
}

class Components {
  readonly #options: AdvancedFirmwareUpdateOptions;
  readonly #instances: readonly Instance[];
  readonly #settled = new Set<() => void>();
  #live: LiveObject<typeof AdvancedFirmwareUpdate> | undefined;

  constructor(options: AdvancedFirmwareUpdateOptions) {
    this.#options = options;
    this.#instances = options.components.map((component, id) => this.#createInstance(component, id));
  }

  get object(): AdvancedFirmwareUpdateObject {
    return {
      ...multipleInstances(AdvancedFirmwareUpdate, {
        instances: new Map(this.#instances.map(({ id, handlers }) => [id, handlers])),
        start: async (live) => {
          this.#live = live;
          for (const { runner } of this.#instances) await runner.start();
        },
        close: async () => {
          await Promise.all(this.#instances.map(({ runner }) => runner.close()));
        },
      }),
      isBusy: () => this.#instances.some(({ runner }) => runner.record.state.name !== "idle"),
      components: () =>
        this.#instances.map(({ id, component, runner }) => ({
          objectInstanceId: id,
          name: component.name,
          state: stateNumbers[runner.record.state.name],
          result: runner.record.state.result,
          lastOutcome: runner.record.lastOutcome,
        })),
      askAgain: () => {
        for (const { runner } of this.#instances) runner.askAgain();
      },
    };
  }

  #createInstance(component: Component, id: number): Instance {
    const { components: _, isOtherBusy, beforeRestart, acceptance, ...shared } = this.#options;
    const { board, storage, downloaders, verifier } = component;
    const { options, delivery } = deliveryOf({
      ...shared,
      ...(verifier && { verifier }),
      ...{ board, storage, downloaders, objectInstanceId: id, recordName: `firmware-update-${id}` },
      admit: () => {
        if (isOtherBusy()) throw new RequestError("4.05", "an update by Firmware Update (/5) is under way");
      },
      acceptance: (info, running) => {
        acceptance?.(info, running);
        this.#refuseConflict(id, info);
      },
      // One restart serves all; none may come while another component is being written.
      beforeRestart: async (why, signal) => {
        await this.#untilWritten(signal);
        await beforeRestart?.(why, signal);
      },
    });
    const runner = new FirmwareUpdateRunner({
      ...options,
      onChange: (before, now) => {
        for (const settled of this.#settled) settled();
        const changes = changedResources(before, now);
        if (changes.length === 0) return;
        this.#live?.changed(id, ...changes, "conflictingInstances");
        if (!changes.includes("state")) return;
        for (const instance of this.#instances) this.#live?.changed(instance.id, "linkedInstances");
      },
    });
    const handlers: Handlers<typeof AdvancedFirmwareUpdate> = {
      ...updateResources(runner, delivery),
      update: { execute: (args) => this.#execute(instance, args) },
      componentName: { read: () => component.name },
      currentVersion: { read: async () => (await board.describe()).firmwareVersion },
      linkedInstances: { read: () => linksTo(this.#linkedTo(id)) },
      conflictingInstances: {
        read: () => linksTo(hasConflict(runner) ? instance.conflicts : []),
      },
    };
    const instance: Instance = { id, component, runner, handlers, conflicts: [] };
    return instance;
  }

  /** Those that a plain Update installs together with this one: whose packages are here, too. */
  #linkedTo(id: number): readonly number[] {
    if (this.#instances[id]?.runner.record.state.name !== "downloaded") return [];
    return this.#instances
      .filter((other) => other.id !== id && other.runner.record.state.name === "downloaded")
      .map((other) => other.id);
  }

  async #execute(instance: Instance, args: ExecuteArguments): Promise<void | AfterResponse> {
    const { id, runner } = instance;
    const targets = targetsOf(args, {
      self: id,
      linked: this.#linkedTo(id),
      exists: (other) => this.#instances[other] !== undefined,
    });
    const others = this.#instances.filter((other) => targets.includes(other.id));
    const missing = others.filter((other) => other.runner.record.state.name !== "downloaded");
    if (runner.record.state.name === "downloaded" && missing.length > 0) {
      instance.conflicts = missing.map((other) => other.id);
      const names = missing.map(({ component }) => component.name).join(", ");
      return runner.refuseForDependency(`there is no package yet for ${names}`);
    }
    const answers = [await runner.executeUpdate()]; // the one that was asked refuses for all
    for (const other of others) {
      try {
        answers.push(await other.runner.executeUpdate());
      } catch (error) {
        // The first has begun already; this one stays Downloaded, where the Server finds it.
        this.#options.log.error("a linked component is not updated", {
          component: other.component.name,
          error,
        });
      }
    }
    return () => {
      for (const answer of answers) answer();
    };
  }

  #refuseConflict(id: number, info: PackageInfo): void {
    const instance = this.#instances[id];
    const names = instance?.component.affects?.(info) ?? [];
    const busy = this.#instances.filter(
      ({ id: other, component, runner }) =>
        other !== id && names.includes(component.name) && runner.record.state.name !== "idle",
    );
    if (instance === undefined || busy.length === 0) return;
    instance.conflicts = busy.map((other) => other.id);
    const list = busy.map(({ component }) => component.name).join(", ");
    throw new ConflictError(instance.conflicts, `the package also changes ${list}, being updated itself`);
  }

  async #untilWritten(signal: AbortSignal): Promise<void> {
    const isWriting = () =>
      this.#instances.some(
        ({ runner: { record } }) => record.state.name === "updating" && record.state.step === "apply",
      );
    while (isWriting()) {
      await new Promise<void>((resolve, reject) => {
        const settled = () => {
          this.#settled.delete(settled);
          signal.removeEventListener("abort", abort);
          resolve();
        };
        const abort = () => {
          this.#settled.delete(settled);
          reject(signal.reason);
        };
        this.#settled.add(settled);
        signal.addEventListener("abort", abort, { once: true });
        if (signal.aborted) abort();
      });
    }
  }
}

const hasConflict = ({ record }: FirmwareUpdateRunner) =>
  record.state.result === updateResults.conflictingState ||
  record.state.result === updateResults.dependencyError;

const linksTo = (ids: readonly number[]) =>
  new Map(ids.map((id, index) => [index, { objectId: AdvancedFirmwareUpdate.id, objectInstanceId: id }]));
