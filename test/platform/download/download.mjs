// Downloads URI into DIRECTORY, as a process of its own so that it can be killed; prints the SHA-256 of what arrived
// and the most memory in KiB that the process ever had.
//   download.mjs DIRECTORY URI
import { createTransferSettings } from "../../../dist/agent/download/settings.js";
import { createSystemClock } from "../../../dist/platform/clock.js";
import { createHttpDownloader } from "../../../dist/platform/download/http.js";
import { createPackageStorage } from "../../../dist/platform/files/packages.js";
import { createLog } from "../../../dist/platform/log.js";
import { systemRandom } from "../../../dist/platform/random.js";
import { keepHeapSmall } from "../../../dist/platform/small-heap.js";

keepHeapSmall(); // as the command line does
const [directory, uri] = process.argv.slice(2);
const settings = createTransferSettings(
  {},
  {
    storage: createPackageStorage({ directory }),
    clock: createSystemClock(),
    random: systemRandom,
    log: createLog({ level: "error", pretty: false }),
  },
);
const { signal } = new AbortController();
const image = await createHttpDownloader(settings).download(uri, { signal, progress: () => {} });
console.log(image.sha256, process.resourceUsage().maxRSS);
