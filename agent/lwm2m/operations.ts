import type { AfterResponse } from "../model/definition.js";
import type { ResponseCode } from "../model/errors.js";
import type { Path } from "../model/path.js";

/**
 * What a Server asks of this client, whatever transport carried it (LwM2M Core 1.2 §6.3, §6.4). Payloads are still
 * bytes: they can be decoded only once the checks before that have passed.
 */
export type Operation =
  | { readonly kind: "read"; readonly path: Path; readonly accept: number | undefined }
  | { readonly kind: "discover"; readonly path: Path }
  | ({ readonly kind: "write"; readonly mode: "replace" | "partial"; readonly path: Path } & Body)
  | { readonly kind: "writeAttributes"; readonly path: Path; readonly attributes: readonly string[] }
  | ({ readonly kind: "execute"; readonly path: Path } & Body)
  | ({ readonly kind: "create"; readonly path: Path } & Body)
  | { readonly kind: "delete"; readonly path: Path };

export interface Body {
  readonly contentFormat: number | undefined;
  readonly payload: Uint8Array;
}

/** What the Server gets back. */
export interface Reply {
  readonly code: ResponseCode;
  readonly contentFormat?: number;
  readonly payload?: Uint8Array;
  /** Where a new Object Instance is. */
  readonly location?: Path;
  /** To be called once the reply has been sent. */
  readonly after?: AfterResponse;
}

/** Who asks. */
export interface Origin {
  readonly shortServerId: number;
}
