import { expect, test } from "vitest";
import type { Downloader } from "../../../agent/ports.js";
import { DownloadCount } from "../../../agent/service/download-count.js";

const telling = (
  ...reports: readonly { readonly received: number; readonly takenUp?: number }[]
): Downloader => ({
  schemes: ["http"],
  download: async (_, { progress }) => {
    for (const report of reports) progress({ ...report, total: 1000 });
    return { path: "/package", size: 1000, sha256: "" };
  },
});

const run = (downloader: Downloader) =>
  downloader.download("http://x/", { signal: new AbortController().signal, progress: () => undefined });

test("what comes is counted, what an earlier run had is not, and what comes again is", async () => {
  const count = new DownloadCount();
  await run(count.counting(telling({ received: 400 }, { received: 1000 })));
  expect(count.bytes).toBe(1000);
  await run(count.counting(telling({ received: 900, takenUp: 700 }, { received: 1000, takenUp: 700 }))); // taken up at 700
  expect(count.bytes).toBe(1300);
  await run(count.counting(telling({ received: 600 }, { received: 0 }, { received: 1000 }))); // the package changed, so it started over
  expect(count.bytes).toBe(2900);
});
