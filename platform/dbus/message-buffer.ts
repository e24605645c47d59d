import { decodeMessage, type Message, messageSize } from "./message.js";

/** Cuts what arrives on a stream into messages; keeps the bytes of one that is not complete. */
export class MessageBuffer {
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** What has to be there before there is anything to do: so that a long message is not put together again and again. */
  #needed = 16;

  /**
   * The messages that are complete with these bytes.
   * @throws DecodeError when what arrived is no message; the stream is of no use after that
   */
  *take(bytes: Uint8Array): Generator<Message> {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= this.#needed) {
      const all = this.#pieces.length === 1 ? (this.#pieces[0] as Uint8Array) : Buffer.concat(this.#pieces);
      this.#pieces = [all];
      const size = messageSize(all) as number;
      if (all.length < size) {
        this.#needed = size;
        return;
      }
      this.#pieces = [all.subarray(size)];
      this.#length -= size;
      this.#needed = 16;
      const message = decodeMessage(all.subarray(0, size));
      if (message !== undefined) yield message;
    }
  }
}
