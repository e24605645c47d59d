/** What Virtual Observe Notify (Object 22) and the engine say to each other. */

/** What a Server wrote to one instance of Object 22. */
export interface VirtualObserveRequest {
  /** /22/x/0: CoRE Links with attributes; each text may hold several. */
  readonly observeLinks: readonly string[];
  /** /22/x/3: what is reported in their place; none: what is observed. */
  readonly reportLinks: readonly string[];
  /** /22/x/2: only Resources that are not what they were in the report before. */
  readonly onlyChanged: boolean;
  /** /22/x/4 */
  readonly relation: "any" | "all";
}

/** One instance that is observing. */
export interface VirtualObservation {
  /**
   * The last report, without what has been closed to a Server since; an empty one while there was none.
   * @throws RequestError 4.06 for a value that the format cannot carry
   */
  report(contentFormat: number): Uint8Array;
  /** Calling it again is harmless. */
  stop(): void;
}

/** Observes for Object 22, which does not know who asks: what is reported, every Server may read. */
export interface VirtualObserving {
  /** @throws RequestError 4.00 for links that cannot be observed, or are too many */
  checkObserveLinks(links: readonly string[]): void;
  /** @throws RequestError 4.00 for links that cannot be reported, or are too many */
  checkReportLinks(links: readonly string[]): void;
  /** @throws RequestError 4.00 when no report can have that format */
  checkFormat(contentFormat: number): void;
  /** A report of nothing. */
  empty(contentFormat: number): Uint8Array;
  /**
   * Observes from now on, or from when the client starts.
   * @param reported called with each new report
   * @throws RequestError 4.00 as the checks do
   */
  observe(request: VirtualObserveRequest, reported: () => void): VirtualObservation;
}
