import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Node.js reads a socket into a new buffer each time, and V8 collects young buffers only when they hold 32 MiB. Told
 * after this many bytes, it keeps a download of any size some 20 MB smaller, at no cost that could be measured.
 */
const interval = 4 * 1024 ** 2;

/** Counts bytes that were read from a socket and are not needed any more. */
export function createBufferCollection(): (bytes: number) => void {
  let pending = 0;
  return (bytes) => {
    pending += bytes;
    if (pending < interval) return;
    pending = 0;
    collectYoung ??= exposeCollector();
    collectYoung({ type: "minor" });
  };
}

type Collector = (options: { readonly type: "minor" }) => void;
let collectYoung: Collector | undefined;

/** The collector is only reachable by a flag, which must be set before a context is made, not before the program starts. */
function exposeCollector(): Collector {
  setFlagsFromString("--expose-gc");
  const collector: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  return collector as Collector;
}
