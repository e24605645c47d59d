/**
 * `npm run bench`: every figure is a ratio against a reference in the same run, or a bound on memory. Ends with 1 when
 * one of them does not hold; a noisy machine is a reason to run it again.
 */
import { cpus } from "node:os";
import { benchCodec } from "./codec.js";
import { benchDownload } from "./download.js";
import { benchFormats } from "./formats.js";
import { benchIdle } from "./idle.js";
import { benchObservations } from "./observations.js";
import { benchPull } from "./pull.js";
import { benchPush } from "./push.js";
import { benchRequests } from "./requests.js";
import { benchStart } from "./start.js";
import { benchVerification } from "./verification.js";

process.stdout.write(
  `Node.js ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}\n`,
);
let failed = 0;
for (const bench of [
  benchRequests,
  benchFormats,
  benchCodec,
  benchDownload,
  benchVerification,
  benchPush,
  benchPull,
  benchObservations,
  benchStart,
  benchIdle,
]) {
  for (const { text, holds } of await bench()) {
    process.stdout.write(`${holds ? "holds" : "FAILS"}  ${text}\n`);
    if (!holds) failed++;
  }
}
process.exitCode = failed === 0 ? 0 : 1;
