import { existsSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { createTransferSettings } from "../../../agent/download/settings.js";
import { createSystemClock } from "../../../platform/clock.js";
import { createHttpDownloader } from "../../../platform/download/http.js";
import { fetchSmallFile } from "../../../platform/download/small-file.js";
import { createPackageStorage } from "../../../platform/files/packages.js";
import { systemRandom } from "../../../platform/random.js";
import { createRecordingLog } from "../../simulated/log.js";
import { temporaryDirectory } from "../files/temporary-directory.js";
import { answer, startPackageServer, whole } from "./package-server.js";

const { signal } = new AbortController();

function place() {
  const directory = temporaryDirectory();
  const storage = createPackageStorage({ directory, maximumSize: 1000 });
  const world = { storage, clock: createSystemClock(), random: systemRandom, log: createRecordingLog() };
  const downloaders = [createHttpDownloader(createTransferSettings({}, world))];
  const left = () => (existsSync(directory) ? readdirSync(directory) : []);
  return { storage, downloaders, left };
}

test("a small file comes as a package does, and leaves nothing behind", async () => {
  const { origin } = await startPackageServer([whole(Buffer.from("signature"))]);
  const { left, ...here } = place();
  const bytes = await fetchSmallFile(`${origin}/fw.bin.sig`, here, { signal });
  expect(Buffer.from(bytes).toString()).toBe("signature");
  expect(left()).toEqual([]);
});

test("one that is too large or not there says so, and leaves nothing behind", async () => {
  const { origin } = await startPackageServer([
    answer(200, {}, Buffer.alloc(1001)), // of which it does not say how much it is
    whole(Buffer.alloc(1001)),
    answer(404),
  ]);
  for (const failure of ["storage", "storage", "invalid-uri"]) {
    const { left, ...here } = place();
    await expect(fetchSmallFile(origin, here, { signal })).rejects.toMatchObject({ failure });
    expect(left()).toEqual([]);
  }
});

test("an address that nothing fetches is refused without a try", async () => {
  const { left: _, ...here } = place();
  for (const uri of ["ftp://host/x", "x", "", "file:///etc/passwd"]) {
    await expect(fetchSmallFile(uri, here, { signal })).rejects.toMatchObject({
      failure: "unsupported-protocol",
    });
  }
});
