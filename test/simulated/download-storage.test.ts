import { downloadStorageContract } from "../platform/download-storage.contract.js";
import { createMemoryDisk, createMemoryDownloadStorage } from "./download-storage.js";

downloadStorageContract("the simulated storage", () => {
  const disk = createMemoryDisk();
  const open = () => createMemoryDownloadStorage(disk);
  return { storage: open(), reopen: open };
});
