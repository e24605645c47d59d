/** A helper and the agent that asks it, over a real socket. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Board, ImageFile } from "../../../../agent/ports.js";
import { createRemoteBoard } from "../../../../platform/boards/remote/board.js";
import {
  type BoardServer,
  type BoardServerOptions,
  serveBoard,
} from "../../../../platform/boards/remote/server.js";
import { createVault, type Vault } from "../../../../platform/boards/remote/vault.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";

export interface HelperWorld {
  readonly folder: string;
  readonly packages: string;
  readonly vaultFolder: string;
  readonly socket: string;
  readonly log: ReturnType<typeof createRecordingLog>;
  readonly board: Board;
  readonly server: () => BoardServer;
  /** Ends the helper and starts it with another board. */
  restart(board: Board): Promise<void>;
  /** Puts a package where the agent has its packages. */
  keep(image: ImageFile, name?: string): ImageFile;
}

/** @param more what the helper is given besides; it may use the vault */
export async function createHelperWorld(
  behind: Board,
  more: Partial<BoardServerOptions> | ((vault: Vault) => Partial<BoardServerOptions>) = {},
): Promise<HelperWorld> {
  const folder = temporaryDirectory();
  const [packages, vaultFolder, socket] = [join(folder, "cache"), join(folder, "vault"), join(folder, "s")];
  mkdirSync(packages);
  const log = createRecordingLog();
  const clock = createSystemClock();
  const vault = createVault({ packageDirectory: packages, directory: vaultFolder });
  const options = typeof more === "function" ? more(vault) : more;
  const serve = (board: Board) => serveBoard(board, { path: socket }, { vault, clock, log, ...options });
  let server = await serve(behind);
  onTestFinished(() => server.close());
  return {
    folder,
    packages,
    vaultFolder,
    socket,
    log,
    board: createRemoteBoard({ socket, clock }),
    server: () => server,
    async restart(board) {
      await server.close();
      server = await serve(board);
    },
    keep(image, name = "package") {
      const path = join(packages, name);
      copyFileSync(image.path, path);
      return { ...image, path };
    },
  };
}
