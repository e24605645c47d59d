/**
 * The Firmware Update Object (/5): what it is (`definition.ts`), what it does when (`table.ts`), what it remembers
 * (`record.ts`), and what carries it out (`runner.ts`, `effects.ts`, `push.ts`). How bytes are fetched and images written
 * is behind the ports, in `platform/`.
 */
import { type LiveObject, type ObjectImplementation, singleInstance } from "../../agent/model/definition.js";
import type { PackageInfo } from "../../agent/ports.js";
import { FirmwareUpdate } from "./definition.js";
import { type DeliveryOptions, deliveryOf } from "./delivery.js";
import type { FirmwareUpdateProgress, Waiting } from "./effect-options.js";
import type { UpdateOutcome } from "./outcome.js";
import { changedResources, updateResources } from "./resources.js";
import type { UpdateResult } from "./results.js";
import { FirmwareUpdateRunner } from "./runner.js";
import { type FirmwareUpdateState, packageOf, type StateNumber } from "./state.js";
import type { TrialStatus } from "./trial.js";

export type FirmwareUpdateOptions = DeliveryOptions;

export interface FirmwareUpdateObject extends ObjectImplementation {
  /**
   * Says how far the work is that a plugin took over. Where both change, the Result is set first.
   * @param state 0 Idle, 1 Downloading, 2 Downloaded, 3 Updating
   * @throws Error naming the states that are legal now; nothing has changed then
   */
  setFirmwareUpdateState(objectInstanceId: number, state: StateNumber): Promise<void>;
  /** @param result as in Update Result (/5/0/5), see `updateResults` */
  setFirmwareUpdateResult(objectInstanceId: number, result: Exclude<UpdateResult, 12 | 13>): Promise<void>;
  state(): FirmwareUpdateState;
  /** undefined when nothing is under way, or it does not tell. */
  progress(): FirmwareUpdateProgress | undefined;
  /** Of the package that is downloaded or being installed. */
  package(): PackageInfo | undefined;
  /** What the update waits for; undefined while it goes on, and when there is none. */
  waiting(): Waiting | undefined;
  /** While a new image has yet to prove itself. */
  trial(): TrialStatus | undefined;
  /** How the last update ended, also one of an earlier run; undefined when none ever did. */
  lastOutcome(): UpdateOutcome | undefined;
  /** The operator may think otherwise by now: what waits for him asks at once. */
  askAgain(): void;
}

/**
 * The Firmware Update Object: packages by push and pull, installed by the board. It becomes alive with `start`, which
 * also resolves what happened before.
 */
export function createFirmwareUpdate(given: FirmwareUpdateOptions): FirmwareUpdateObject {
  const { options, delivery } = deliveryOf(given);
  let live: LiveObject<typeof FirmwareUpdate> | undefined;
  const runner = new FirmwareUpdateRunner({
    ...options,
    onChange: (before, now) => {
      const changes = changedResources(before, now);
      if (changes.length > 0) live?.changed(0, ...changes);
    },
  });

  return {
    ...singleInstance(
      FirmwareUpdate,
      {
        ...updateResources(runner, delivery),
        update: { execute: () => runner.executeUpdate() },
        automaticUpgrade: {
          read: () => runner.record.automaticUpgrade,
          write: (automaticUpgrade) => runner.configure({ automaticUpgrade }),
        },
      },
      {
        start: async (object) => {
          live = object;
          await runner.start();
        },
        close: () => runner.close(),
      },
    ),
    setFirmwareUpdateState: async (objectInstanceId, state) => {
      refuseOtherInstance(objectInstanceId);
      await runner.reportState(state);
    },
    setFirmwareUpdateResult: async (objectInstanceId, result) => {
      refuseOtherInstance(objectInstanceId);
      await runner.reportResult(result);
    },
    state: () => runner.record.state,
    progress: () => runner.progress,
    package: () => packageOf(runner.record.state)?.info,
    waiting: () => runner.waiting,
    trial: () => runner.trial,
    lastOutcome: () => runner.record.lastOutcome,
    askAgain: () => runner.askAgain(),
  };
}

function refuseOtherInstance(objectInstanceId: number): void {
  if (objectInstanceId !== 0) throw new Error(`Firmware Update has instance 0 only, not ${objectInstanceId}`);
}
