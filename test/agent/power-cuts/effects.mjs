// Counts what a process does to its disk, and kills it in the middle: preloaded by `node --import`, before anything else.
//
// Every change of a file, a name or a directory counts: creating and opening for writing, each write, each sync, truncating,
// renaming, removing, copying. `globalThis.effects.cutAt(n)` has the process end by SIGKILL before the n-th of them from then on,
// as by a power cut; what the kernel has by then, the disk has.
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { devNull } from "node:os";

let moments = 0;
let cut = Number.POSITIVE_INFINITY;

function moment() {
  moments += 1;
  if (moments >= cut) process.kill(process.pid, "SIGKILL");
}

/** Has a function count, when `counts` says so of its arguments. */
function count(owner, name, counts = () => true) {
  const original = owner[name];
  owner[name] = async function counted(...args) {
    if (counts(...args)) moment();
    return original.apply(this, args);
  };
}

const writes = (_, flags) => flags !== undefined && flags !== "r";

const probe = await promises.open(devNull, "r");
const handle = Object.getPrototypeOf(probe);
await probe.close();

count(promises, "open", writes);
for (const name of [
  "writeFile",
  "appendFile",
  "rename",
  "rm",
  "unlink",
  "mkdir",
  "rmdir",
  "copyFile",
  "truncate",
]) {
  count(promises, name);
}
for (const name of ["write", "writev", "writeFile", "appendFile", "sync", "datasync", "truncate"]) {
  count(handle, name);
}
syncBuiltinESMExports();

globalThis.effects = {
  /** Something that happens beside the disk: the board restarts. */
  happened: moment,
  cutAt(moment) {
    moments = 0;
    cut = moment;
  },
  count: () => moments,
};
