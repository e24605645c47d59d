import type { AfterResponse } from "../model/definition.js";
import type { ResponseCode } from "../model/errors.js";
import type { Path } from "../model/path.js";
import type { TreeContent } from "../model/value.js";

/**
 * What a Server asks of this client, whatever transport carried it (LwM2M Core 1.2 §6.3, §6.4). Payloads are still
 * bytes: they can be decoded only once the checks before that have passed.
 */
export type Operation =
  | { readonly kind: "read"; readonly path: Path; readonly accept: number | undefined }
  /** `depth` came with 1.2: how many levels below the path are listed. */
  | { readonly kind: "discover"; readonly path: Path; readonly depth?: number }
  | ({ readonly kind: "write"; readonly mode: "replace" | "partial"; readonly path: Path } & Body)
  | { readonly kind: "writeAttributes"; readonly path: Path; readonly attributes: readonly string[] }
  | ({ readonly kind: "execute"; readonly path: Path } & Body)
  | ({ readonly kind: "create"; readonly path: Path } & Body)
  | { readonly kind: "delete"; readonly path: Path };

/** What names its paths in the payload (LwM2M Core 1.2 §6.3.8, §6.3.9). */
export type CompositeOperation =
  | ({ readonly kind: "readComposite"; readonly accept: number | undefined } & Body)
  | ({ readonly kind: "writeComposite" } & Body);

export interface Body {
  readonly contentFormat: number | undefined;
  readonly payload: Uint8Array;
}

/** What the Server gets back. */
export interface Reply {
  readonly code: ResponseCode;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** What the payload of a Read or Read-Composite holds: an observation compares it, and may keep it. */
  readonly content?: TreeContent;
  /** Where a new Object Instance is. */
  readonly location?: Path;
  /** To be called once the reply has been sent. */
  readonly after?: AfterResponse;
}

/** Who asks. Operations of the Bootstrap-Server go another way. */
export interface Origin {
  readonly shortServerId: number;
  /** Of the registration: which operations, formats and attributes there are. */
  readonly version: LwM2mVersion;
}

export type LwM2mVersion = "1.0" | "1.1" | "1.2";

/** Is `version` at least `since`? */
export const isSince = (version: LwM2mVersion, since: LwM2mVersion): boolean => version >= since;
