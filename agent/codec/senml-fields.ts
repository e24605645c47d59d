import { DecodeError } from "../model/errors.js";
import type { Scalar } from "./scalar.js";
import type { PartialRecord } from "./senml.js";

/** The labels of CBOR (RFC 8428 §6, LwM2M Core §7.4) for the names of JSON. `vlo` has none: it is text in both. */
export const labels = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
} as const;

/** The version of RFC 8428; what a higher one means we do not know. */
const VERSION = 10;

/** Which field carries which kind of value. */
export const valueFields = {
  text: "vs",
  integer: "v",
  float: "v",
  null: "v",
  boolean: "vb",
  bytes: "vd",
  objectLink: "vlo",
} as const satisfies Record<Scalar["kind"], string>;

/** The records of a pack have values, those of a Fetch Pack ask for them (RFC 8790 §3.1). */
export type PackKind = "pack" | "fetchPack";

const fetchFields: ReadonlySet<string> = new Set(["bn", "n", "bt", "t", "bu", "u"]);

/**
 * Takes one field of a record, by its JSON name. Units and update times are ignored, like fields that nobody knows.
 * @param scalar undefined when the field holds something else
 * @throws DecodeError for a field of the wrong type, for two values, and for what must be understood and is not; in a
 *   Fetch Pack for every field that such a pack does not have
 */
export function takeField(
  record: PartialRecord,
  field: string,
  scalar: Scalar | undefined,
  kind: PackKind,
): void {
  if (kind === "fetchPack" && !fetchFields.has(field))
    throw new DecodeError("a Fetch Pack has no such field");
  switch (field) {
    case "bn":
      record.baseName = textIn(field, scalar);
      break;
    case "n":
      record.name = textIn(field, scalar);
      break;
    case "bt":
      record.baseTime = numberIn(field, scalar);
      break;
    case "t":
      record.time = numberIn(field, scalar);
      break;
    case "v":
    case "vs":
    case "vb":
    case "vd":
    case "vlo":
      if (record.value !== undefined) throw new DecodeError("a record has one value");
      record.value = valueIn(field, scalar);
      break;
    case "bver":
      if (numberIn(field, scalar) > VERSION) throw new DecodeError("this version of SenML is not known");
      break;
    case "bv":
    case "bs":
    case "s":
      // Ignoring them would write a wrong value, and LwM2M has no use for them.
      throw new DecodeError(`the field ${field} has no meaning for a Resource`);
    default:
      // RFC 8428 §4.4: a field whose name ends so must be understood.
      if (field.endsWith("_")) throw new DecodeError("a field that must be understood is not");
  }
}

function textIn(field: string, scalar: Scalar | undefined): string {
  if (scalar?.kind !== "text") throw new DecodeError(`the field ${field} is text`);
  return scalar.value;
}

function numberIn(field: string, scalar: Scalar | undefined): number {
  if (scalar?.kind !== "integer" && scalar?.kind !== "float") {
    throw new DecodeError(`the field ${field} is a number`);
  }
  return Number(scalar.value);
}

function valueIn(field: string, scalar: Scalar | undefined): Scalar {
  if (field === "vlo") return { kind: "objectLink", value: textIn(field, scalar) };
  if (scalar === undefined || valueFields[scalar.kind] !== field) {
    throw new DecodeError(`the field ${field} has a value of another type`);
  }
  return scalar;
}
