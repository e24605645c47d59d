import { decodeCbor, scalarOfItem, writeScalar } from "./cbor-item.js";
import { CborWriter } from "./cbor-writer.js";
import { contentFormats } from "./content-format.js";
import { bareValueFrom, scalarOf } from "./scalar.js";
import { singleValueCodec } from "./single-value.js";

/** application/cbor (LwM2M Core §7.4): one value as one CBOR item. */
export const cbor = singleValueCodec(contentFormats.cbor, {
  encode({ type }, value) {
    const writer = new CborWriter();
    writeScalar(writer, scalarOf(type, value));
    return writer.finish();
  },
  decode: (resource, payload) => bareValueFrom(resource, scalarOfItem(decodeCbor(payload))),
});
