// Downloads URI into DIRECTORY, as a process of its own so that it can be killed; prints the SHA-256 of what arrived.
//   download.mjs DIRECTORY URI
import { createTransferSettings } from "../../../dist/agent/download/settings.js";
import { createSystemClock } from "../../../dist/platform/clock.js";
import { createHttpDownloader } from "../../../dist/platform/download/http.js";
import { createPackageStorage } from "../../../dist/platform/files/packages.js";
import { createLog } from "../../../dist/platform/log.js";
import { systemRandom } from "../../../dist/platform/random.js";

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
console.log(image.sha256);
