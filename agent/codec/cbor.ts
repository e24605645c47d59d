import { decodeCbor, scalarOfItem, writeScalar } from "./cbor-item.js";
import { CborWriter } from "./cbor-writer.js";
import { contentFormats } from "./content-format.js";
import { type Scalar, scalarOf, valueFrom } from "./scalar.js";
import { singleValueCodec } from "./single-value.js";
import type { ValueResource } from "./value-types.js";

/** application/cbor (LwM2M Core §7.4): one value as one CBOR item. */
export const cbor = singleValueCodec(contentFormats.cbor, {
  encode({ type }, value) {
    const writer = new CborWriter();
    writeScalar(writer, scalarOf(type, value));
    return writer.finish();
  },
  decode: (resource, payload) => valueFrom(resource, linkAware(resource, scalarOfItem(decodeCbor(payload)))),
});

/** Without a field name only the Resource tells an Object Link from other text. */
const linkAware = ({ type }: ValueResource, scalar: Scalar): Scalar =>
  type === "objlnk" && scalar.kind === "text" ? { kind: "objectLink", value: scalar.value } : scalar;
