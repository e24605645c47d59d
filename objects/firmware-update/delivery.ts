/** How packages come, and what Servers read of that. */
import { ConfigError } from "../../agent/model/errors.js";
import type { Downloader } from "../../agent/ports.js";
import { deliveryMethods, protocolsByScheme } from "./definition.js";
import type { RunnerOptions } from "./runner.js";

export interface DeliveryOptions extends Omit<RunnerOptions, "onChange"> {
  /** How packages may come; `both` unless told. What is left out answers 4.05. */
  readonly delivery?: keyof typeof deliveryMethods;
  /** Schemes by which packages may be fetched, of those that the downloaders serve; all of them unless told. */
  readonly schemes?: readonly string[];
}

/** What is left of it once it is known what works. */
export interface Delivery {
  readonly pulls: boolean;
  readonly pushes: boolean;
  readonly method: number;
  /** Firmware Update Protocol Support (/5/0/8); undefined where nothing is fetched by a protocol of that list. */
  readonly protocols: ReadonlyMap<number, number> | undefined;
}

/** @throws ConfigError when no package could ever come */
export function deliveryOf({ delivery = "both", schemes, ...options }: DeliveryOptions): {
  readonly options: Omit<RunnerOptions, "onChange">;
  readonly delivery: Delivery;
} {
  const downloaders = delivery === "push" ? [] : options.downloaders.flatMap((one) => limited(one, schemes));
  const pulls =
    delivery !== "push" && (downloaders.length > 0 || options.hooks?.packageUriWritten !== undefined);
  const pushes = delivery !== "pull";
  if (!pulls && !pushes) {
    throw new ConfigError(
      "firmware packages are to be pulled only, and nothing fetches them: allow a scheme that is served, or push",
    );
  }
  const method = pulls && pushes ? deliveryMethods.both : deliveryMethods[pulls ? "pull" : "push"];
  return {
    options: { ...options, downloaders },
    delivery: { pulls, pushes, method, protocols: protocolNumbers(downloaders) },
  };
}

function limited(downloader: Downloader, schemes: readonly string[] | undefined): readonly Downloader[] {
  if (schemes === undefined) return [downloader];
  const served = downloader.schemes.filter((scheme) => schemes.includes(scheme));
  return served.length === 0
    ? []
    : [{ schemes: served, download: (uri, options) => downloader.download(uri, options) }];
}

function protocolNumbers(downloaders: readonly Downloader[]): ReadonlyMap<number, number> | undefined {
  const numbers = downloaders
    .flatMap(({ schemes }) => schemes.map((scheme) => protocolsByScheme.get(scheme)))
    .filter((number) => number !== undefined);
  const distinct = [...new Set(numbers)].sort((a, b) => a - b);
  return distinct.length === 0 ? undefined : new Map(distinct.entries());
}
