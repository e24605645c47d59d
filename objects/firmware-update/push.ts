import type { ValueSink } from "../../agent/model/definition.js";
import { RequestError } from "../../agent/model/errors.js";
import type { ImageFile, PackageFailure, PackageWriter } from "../../agent/ports.js";
import { failureOf, reasonOf } from "./results.js";

/** For whom the package is. */
export interface PushWork {
  /** Fires when the package is not wanted any more. */
  readonly signal: AbortSignal;
  report(
    end:
      | { readonly type: "received"; readonly image: ImageFile }
      | { readonly type: "transferFailed"; readonly failure: PackageFailure; readonly reason: string },
  ): Promise<void>;
}

/** A package that a Server pushes, on its way to disk. */
export class PushedPackage {
  readonly #writer: PackageWriter;
  readonly #work: PushWork;
  readonly #letGo: () => void;
  #lastWrite: Promise<void> = Promise.resolve();
  #over = false;

  /** @param letGo called when nothing touches the file any more */
  constructor(writer: PackageWriter, work: PushWork, letGo: () => void) {
    this.#writer = writer;
    this.#work = work;
    this.#letGo = letGo;
    work.signal.addEventListener("abort", () => void this.#discard(), { once: true });
  }

  async write(piece: Uint8Array): Promise<void> {
    this.#refuseWhenOver();
    this.#lastWrite = this.#writer.write(piece);
    try {
      await this.#lastWrite;
    } catch (error) {
      this.#refuseWhenOver();
      await this.#giveUp(failureOf(error, "storage"), reasonOf(error));
      const code = failureOf(error, "storage") === "storage" ? "4.13" : "5.00";
      throw new RequestError(code, "the package cannot be stored", { cause: error });
    }
  }

  /** All bytes are here. A package that turns out bad is told by the Update Result, not by the answer. */
  async finish(): Promise<void> {
    this.#refuseWhenOver();
    try {
      const finished = this.#writer.finish();
      this.#lastWrite = finished.then(() => undefined);
      const image = await finished;
      this.#refuseWhenOver();
      this.#over = true;
      this.#letGo();
      await this.#work.report({ type: "received", image });
    } catch (error) {
      if (error instanceof RequestError) throw error;
      await this.#giveUp(failureOf(error, "storage"), reasonOf(error));
    }
  }

  /** The Server stopped sending. */
  async abandon(): Promise<void> {
    if (!this.#over) await this.#giveUp("connection", "the Server stopped sending");
  }

  /** Reports at once, so that the Server's next request finds the new State; the file follows. */
  async #giveUp(failure: PackageFailure, reason: string): Promise<void> {
    const reported = this.#work.report({ type: "transferFailed", failure, reason });
    await Promise.all([this.#discard(), reported]);
  }

  async #discard(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#lastWrite.catch(() => undefined);
    await this.#writer.discard().catch(() => undefined); // the package store is cleared next, and says why it cannot
    this.#letGo();
  }

  #refuseWhenOver(): void {
    if (this.#over) throw new RequestError("4.08", "this transfer was given up");
  }
}

/** What the sink asks of the runner. */
export interface PushTarget {
  openPush(size: number | undefined): Promise<PushedPackage>;
  /** Waits a moment for the verification of what was pushed, so that the answer finds the final State. */
  verified(): Promise<void>;
  reset(): Promise<void>;
}

/**
 * Takes a Write of Package. No byte or a single zero is an order to reset, also where a package would be refused. So
 * unless the announced size tells them apart, a transfer begins with the first piece that cannot be such an order.
 */
export async function receivePackage(target: PushTarget, size: number | undefined): Promise<ValueSink> {
  let pushed = size !== undefined && size > 1 ? await target.openPush(size) : undefined;
  let held: Uint8Array | undefined;
  let gone = false;
  return {
    async write(piece) {
      if (piece.length === 0) return;
      if (pushed === undefined && held === undefined && piece.length === 1 && piece[0] === 0) {
        held = piece;
        return;
      }
      pushed ??= await target.openPush(size);
      if (gone) return pushed.abandon();
      if (held !== undefined) {
        const first = held;
        held = undefined;
        await pushed.write(first);
      }
      await pushed.write(piece);
    },
    async end() {
      if (pushed === undefined) return target.reset();
      await pushed.finish();
      await target.verified();
    },
    abort() {
      gone = true;
      void pushed?.abandon();
    },
  };
}
