/**
 * The boot loader of the simulated board: two slots, one that stays and perhaps one on trial, as RAUC or U-Boot keep
 * them. Pure; who stores the state is simulated.ts.
 */
import type { PackageInfo } from "../../agent/ports.js";

export type SlotName = "a" | "b";

/** What lies in a slot. */
export interface InstalledImage extends PackageInfo {
  /** Of the package that was installed; empty for the factory image. */
  readonly sha256: string;
}

export interface BootState {
  readonly slots: Readonly<Partial<Record<SlotName, InstalledImage>>>;
  /** The slot whose image runs. */
  readonly running: SlotName;
  /** What is started when nothing is on trial. */
  readonly staying: SlotName;
  /** A new image, and how many boots it still has to prove itself. */
  readonly trial?: { readonly slot: SlotName; readonly bootsLeft: number };
}

/** A power cut during the trial looks like a failure of the image: so it has more than one boot. */
const trialBoots = 3;

export const otherSlot = ({ running }: BootState): SlotName => (running === "a" ? "b" : "a");

export const factoryState = (image: PackageInfo): BootState => ({
  slots: { a: { ...image, sha256: "" } },
  running: "a",
  staying: "a",
});

/** The board is switched on. */
export function boot(state: BootState): BootState {
  const { trial } = state;
  if (trial === undefined || trial.bootsLeft === 0) return bootStayingImage(state);
  return { ...state, running: trial.slot, trial: { ...trial, bootsLeft: trial.bootsLeft - 1 } };
}

/** The board is switched on, and whatever is on trial has failed. */
export function bootStayingImage({ trial, ...state }: BootState): BootState {
  const booted = { ...state, running: state.staying };
  return trial === undefined ? booted : emptyOtherSlot(booted);
}

/** The slot that does not run is about to be overwritten: nothing may start it any more. */
export const beginInstallation = ({ trial: _, ...state }: BootState): BootState =>
  emptyOtherSlot({ ...state, staying: state.running });

/** The slot that does not run holds `image`, which the next boot tries. */
export const endInstallation = (state: BootState, image: InstalledImage): BootState => ({
  ...state,
  slots: { ...state.slots, [otherSlot(state)]: image },
  trial: { slot: otherSlot(state), bootsLeft: trialBoots },
});

/** What runs now stays. An image that waits for its first boot keeps waiting. */
export function commit(state: BootState): BootState {
  const { trial, ...rest } = state;
  if (trial?.slot === state.running) return { ...rest, staying: state.running };
  return state.staying === state.running ? state : { ...state, staying: state.running };
}

/** The image before this one is the next to run, if there is one. */
export function revert({ trial, ...state }: BootState): BootState {
  if (trial?.slot === state.running) return state;
  if (trial !== undefined) return emptyOtherSlot(state); // it never ran, so this one is the previous image
  const previous = otherSlot(state);
  return state.slots[previous] === undefined ? state : { ...state, staying: previous };
}

/** Does the next boot start another image than the one that runs? */
export const needsRestart = (state: BootState): boolean => boot(state).running !== state.running;

function emptyOtherSlot(state: BootState): BootState {
  const { [otherSlot(state)]: _, ...slots } = state.slots;
  return { ...state, slots };
}
