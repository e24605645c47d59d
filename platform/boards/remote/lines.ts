import { StringDecoder } from "node:string_decoder";

/** Cuts a stream into lines. `push` answers false once a line is longer than `maximum`: then nothing more is taken. */
export function createLineCutter(maximum: number, onLine: (line: string) => void) {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let isFull = false;
  return {
    push(bytes: Uint8Array): boolean {
      if (isFull) return false;
      rest += decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        if (line.length > maximum) {
          isFull = true;
          break;
        }
        onLine(line);
      }
      isFull ||= rest.length > maximum;
      if (isFull) rest = "";
      return !isFull;
    },
  };
}
