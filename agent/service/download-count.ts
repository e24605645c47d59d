/** How many bytes of packages came, for whoever pays for them. What a run took up from an earlier one does not count again. */
import type { Downloader } from "../ports.js";

export class DownloadCount {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The same downloader, counted. */
  counting(downloader: Downloader): Downloader {
    return {
      schemes: downloader.schemes,
      download: (uri, { signal, progress }) => {
        let before = 0;
        return downloader.download(uri, {
          signal,
          progress: (state) => {
            const { received, takenUp = 0 } = state;
            // A download that starts over begins at less than before.
            this.#bytes += Math.max(0, received - takenUp - before);
            before = received - takenUp;
            progress(state);
          },
        });
      },
    };
  }
}
