import { DecodeError, RequestError } from "../model/errors.js";
import { contentFormats } from "./content-format.js";
import { singleValueCodec } from "./single-value.js";
import { bytesOf } from "./value-types.js";

/** application/octet-stream (LwM2M Core §7.4): the bytes of one Opaque value, and of no other type. */
export const opaque = singleValueCodec(contentFormats.opaque, {
  encode({ name, type }, value) {
    if (type !== "opaque") throw new RequestError("4.06", `${name} is ${type}, which has no opaque form`);
    return new Uint8Array(bytesOf(value));
  },
  decode({ name, type }, payload) {
    if (type !== "opaque") throw new DecodeError(`${name} takes ${type}, not bytes`);
    return new Uint8Array(payload);
  },
});
