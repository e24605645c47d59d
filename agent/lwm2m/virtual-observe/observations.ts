/**
 * Virtual Observe Notify (Object 22): observes for its instances by the same evaluation that Servers are served by. An
 * instance is everybody's, and its Object is not told who reads it: a report holds what every Server may read.
 */
import type { Path } from "../../model/path.js";
import type { TimedContent } from "../../model/value.js";
import type {
  VirtualObservation,
  VirtualObserveRequest,
  VirtualObserving,
} from "../../model/virtual-observe.js";
import type { Clock, Log } from "../../ports.js";
import type { CheckContext } from "../checks.js";
import { readForAll } from "../composite-operations.js";
import { Deadlines } from "../deadlines.js";
import type { TreeChange } from "../object-tree.js";
import { observedLinks, reportedPaths } from "./links.js";
import { type RunningContext, RunningObservation } from "./observation.js";
import { checkReportFormat, encodeReport } from "./report.js";

export interface VirtualObservationsOptions extends CheckContext {
  /** Short Server IDs of all accounts. */
  readonly servers: () => readonly number[];
  readonly clock: Clock;
  readonly log: Log;
}

export class VirtualObservations implements VirtualObserving {
  readonly #options: VirtualObservationsOptions;
  readonly #context: RunningContext;
  readonly #running = new Set<RunningObservation>();
  #isStarted = false;

  constructor(options: VirtualObservationsOptions) {
    const { clock, log, tree, servers } = options;
    this.#options = options;
    this.#context = {
      clock,
      log,
      deadlines: new Deadlines(clock),
      read: (paths) => readForAll(options, servers(), paths),
      watch: ([objectId]) => tree.watch(objectId),
      encode: (contents, contentFormat) =>
        encodeReport(
          tree.definition,
          contents.filter((one) => this.#isOpen(one)),
          contentFormat,
        ),
      stopped: (observation) => void this.#running.delete(observation),
    };
  }

  /** The Objects have their values from now on. */
  start(): void {
    this.#isStarted = true;
    for (const observation of this.#running) void observation.begin();
  }

  changed(change: TreeChange): void {
    if (!this.#isStarted) return;
    for (const observation of this.#running) observation.changed(change);
  }

  close(): void {
    this.#isStarted = false;
    for (const observation of this.#running) observation.stop();
  }

  // ---- What Object 22 asks ---------------------------------------------------------------------------------------

  checkObserveLinks(links: readonly string[]): void {
    observedLinks(links, this.#options.tree.definition);
  }

  checkReportLinks(links: readonly string[]): void {
    reportedPaths(links, this.#options.tree.definition);
  }

  checkFormat(contentFormat: number): void {
    checkReportFormat(contentFormat);
  }

  empty(contentFormat: number): Uint8Array {
    return this.#context.encode([], contentFormat);
  }

  observe(request: VirtualObserveRequest, reported: () => void): VirtualObservation {
    const { definition } = this.#options.tree;
    const { relation, onlyChanged } = request;
    const observation = new RunningObservation(this.#context, {
      links: observedLinks(request.observeLinks, definition),
      reported: reportedPaths(request.reportLinks, definition),
      relation,
      onlyChanged,
      onReport: reported,
    });
    this.#running.add(observation);
    if (this.#isStarted) void observation.begin();
    return observation;
  }

  #isOpen({ path }: TimedContent): boolean {
    const { access, servers } = this.#options;
    const target: Path = path;
    return servers().every((shortServerId) => access.canRead({ shortServerId, version: "1.2" }, target));
  }
}
