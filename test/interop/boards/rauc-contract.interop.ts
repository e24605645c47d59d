/** What every board does, on the real RAUC. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import type { ImageFile } from "../../../agent/ports.js";
import { boardContract } from "../../platform/boards/board.contract.js";
import { createSigner, type Signer } from "./keys.js";
import { probeKernel } from "./programs.js";
import { compatible, createBundle, createLaboratory, imageFile, type Laboratory } from "./rauc-laboratory.js";

const folder = mkdtempSync(join(tmpdir(), "contract-"));
let signer: Signer;
let goodImage: ImageFile;
let badImage: ImageFile;
let laboratory: Laboratory | undefined;

beforeAll(async () => {
  probeKernel();
  signer = createSigner(folder, "ours");
  createBundle(join(folder, "good.raucb"), { version: "2.0.0", signer });
  createBundle(join(folder, "bad.raucb"), { version: "2.0.0", signer: createSigner(folder, "foreign") });
  goodImage = await imageFile(join(folder, "good.raucb"));
  badImage = await imageFile(join(folder, "bad.raucb"));
});

afterEach(async () => {
  await laboratory?.close();
  laboratory = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

boardContract(
  "RAUC",
  async () => {
    laboratory = await createLaboratory({ signer });
    const { board, boot, fallBack, restarts } = laboratory;
    return {
      board: board(),
      oldVersion: "1.0.0",
      goodImage,
      goodPackage: { name: compatible, version: "2.0.0" },
      badImage,
      badFailure: "integrity",
      reboot: boot,
      fallBack,
      restarts,
    };
  },
  // RAUC knows no abort: the service goes on. Release 1.8 takes no id of the attempt; the unit tests see it sent.
  { abortable: false, tellsAttempt: false },
);
