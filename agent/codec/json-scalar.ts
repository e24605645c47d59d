import { RequestError } from "../model/errors.js";
import { encodeBase64 } from "./base64.js";
import type { Scalar } from "./scalar.js";

/**
 * Writes a value as JSON: integers with all their digits, bytes as text in Base64.
 * @throws RequestError 4.06 for a float that is not finite: JSON has none
 */
export function formatJsonScalar({ kind, value }: Scalar, base64: "standard" | "url"): string {
  switch (kind) {
    case "bytes":
      return JSON.stringify(encodeBase64(value, base64));
    case "integer":
      return value.toString(); // JSON.stringify does not take a bigint
    case "float":
      if (!Number.isFinite(value)) throw new RequestError("4.06", `JSON cannot carry ${value}`);
      return Object.is(value, -0) ? "-0" : value.toString();
    default:
      return JSON.stringify(value);
  }
}
