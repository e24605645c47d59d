import type { SeededRandom } from "./mutate.js";

/** What takes bytes from strangers. */
export interface Target {
  readonly name: string;
  /** How many batches it gets for one of a decoder's. */
  readonly weight: number;
  /** Everything that a batch needs comes from `random`, so that a batch can be repeated by itself. */
  begin(random: SeededRandom): Batch | Promise<Batch>;
}

export interface Batch {
  next(): Uint8Array;
  /**
   * @returns was it accepted, or refused as it should be?
   * @throws what no input may lead to
   */
  take(input: Uint8Array): boolean | Promise<boolean>;
  /** After the last input. @throws when something is wrong by now */
  end?(): void | Promise<void>;
}
