/** What every board does, on the real SWUpdate. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { ImageFile } from "../../../agent/ports.js";
import { boardContract } from "../../platform/boards/board.contract.js";
import { createSigner, type Signer } from "./keys.js";
import { imageFile } from "./rauc-laboratory.js";
import { createLaboratory, createPackage, type Laboratory, packageName } from "./swupdate-laboratory.js";

const directory = mkdtempSync(join(tmpdir(), "contract-"));
let signer: Signer;
let goodImage: ImageFile;
let badImage: ImageFile;
let laboratory: Laboratory | undefined;

beforeAll(async () => {
  signer = createSigner(directory, "ours");
  const slots = { directory };
  createPackage(join(directory, "good.swu"), slots, { version: "2.0.0", signer, size: 8 * 1024 * 1024 });
  createPackage(join(directory, "bad.swu"), slots, {
    version: "2.0.0",
    signer: createSigner(directory, "foreign"),
  });
  goodImage = await imageFile(join(directory, "good.swu"));
  badImage = await imageFile(join(directory, "bad.swu"));
});

afterEach(async () => {
  await laboratory?.close();
  laboratory = undefined;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

boardContract(
  "SWUpdate",
  async () => {
    laboratory = await createLaboratory({ slots: { directory }, signer });
    const { board, boot, fallBack, restarts } = laboratory;
    return {
      board: board(),
      oldVersion: "1.0.0",
      goodImage,
      goodPackage: { name: packageName, version: "2.0.0" },
      badImage,
      badFailure: "integrity",
      reboot: boot,
      fallBack,
      restarts,
    };
  },
  // SWUpdate has no place for the id of an attempt.
  { tellsAttempt: false },
);
