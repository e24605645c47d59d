/** Software on the simulated board: its packages are simulated images, and to run is to be noted as running. */
import {
  type Clock,
  type ImageFile,
  type Millis,
  type PackageInfo,
  type SoftwareInstaller,
  seconds,
} from "../../agent/ports.js";
import { wait } from "../../agent/wait.js";
import { createFileStore } from "../files/store.js";
import { inspectSimulatedImage } from "./simulated-image.js";

export interface SimulatedSoftwareOptions {
  /** Where it is noted what is installed. Made if it does not exist. */
  readonly directory: string;
  readonly clock: Clock;
  /** 2 s when not given. */
  readonly installDuration?: Millis;
}

/** What is installed. */
export interface InstalledSoftware extends PackageInfo {
  readonly active: boolean;
}

export interface SimulatedSoftware extends SoftwareInstaller {
  /** undefined when nothing is. */
  installed(): Promise<InstalledSoftware | undefined>;
}

const recordName = "software.json";

export function createSimulatedSoftware({
  directory,
  clock,
  installDuration = seconds(2),
}: SimulatedSoftwareOptions): SimulatedSoftware {
  const store = createFileStore(directory);

  async function installed(): Promise<InstalledSoftware | undefined> {
    const bytes = await store.read(recordName);
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as InstalledSoftware); // nobody else writes it
  }
  const keep = (software: InstalledSoftware) =>
    store.write(recordName, new TextEncoder().encode(JSON.stringify(software)));

  async function switchTo(active: boolean): Promise<void> {
    const software = await installed();
    if (software === undefined) throw new Error("no software is installed");
    await keep({ ...software, active });
  }

  return {
    installed,
    verify: (image, options) => inspectSimulatedImage(image, options),
    async install(image: ImageFile, options) {
      const { name, version } = await inspectSimulatedImage(image, options);
      await wait(installDuration, clock, options.signal);
      await keep({ name, version, active: false });
    },
    uninstall: () => store.remove(recordName),
    activate: () => switchTo(true),
    deactivate: () => switchTo(false),
  };
}
