// Rewrites the record "record" of the store in DIRECTORY, as a process of its own so that it can be killed:
//   rewrite-record.mjs DIRECTORY loop                  until killed, with records that are all "a" or all "b"
//   rewrite-record.mjs DIRECTORY STEP kill|ERRORCODE   once; the given step of the write (1, 2 ...) kills or fails
import * as fs from "node:fs/promises";
import { createFileStore } from "../../../dist/platform/files/store.js";

const [directory, mode, fault] = process.argv.slice(2);
let step = 0;

/** Performs one file operation, unless it is the one that goes wrong. */
async function perform(operation, halfway) {
  step += 1;
  if (step !== Number(mode)) return operation();
  await halfway?.();
  if (fault !== "kill") throw Object.assign(new Error(fault), { code: fault });
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

const faulty = {
  rename: (from, to) => perform(() => fs.rename(from, to)),
  open: (...to) =>
    perform(async () => {
      const file = await fs.open(...to);
      return {
        writeFile: (content) =>
          perform(
            () => file.writeFile(content),
            () => file.writeFile(content.subarray(0, content.length / 2)),
          ),
        sync: () => perform(() => file.sync()),
        // Closed in any case: a file that cannot be closed is closed all the same.
        close: () => file.close().then(() => perform(() => undefined)),
      };
    }),
};

if (mode === "loop") {
  const store = createFileStore(directory);
  for (let n = 0; ; n++) {
    await store.write("record", new Uint8Array(100_000).fill(97 + (n % 2)));
    if (n === 0) console.log("writing");
  }
} else {
  await createFileStore(directory, faulty)
    .write("record", new TextEncoder().encode("the new record"))
    .then(
      () => console.log(`written in ${step} steps`),
      (error) => console.log(error.message),
    );
}
