/**
 * Payloads: bytes ↔ the values of an Object, one codec per Content-Format. Pure functions over definitions; who may read
 * or write, and which format a message asks for, is decided above. Link Format and the arguments of an Execute carry no
 * values and have functions of their own.
 */
import { cbor } from "./cbor.js";
import { lwm2mCbor } from "./lwm2m-cbor.js";
import { opaque } from "./opaque.js";
import type { PayloadCodec } from "./payload-codec.js";
import { senmlCbor } from "./senml-cbor.js";
import { senmlJson } from "./senml-json.js";
import { text } from "./text.js";
import { tlv } from "./tlv.js";

const codecs: readonly PayloadCodec[] = [text, opaque, cbor, senmlJson, senmlCbor, tlv, lwm2mCbor];

/** What TLV was called before IANA gave it a number; LwM2M 1.0 servers still say it. */
const LEGACY_TLV = 1542;

const byContentFormat = new Map<number, PayloadCodec>([
  ...codecs.map((codec) => [codec.contentFormat, codec] as const),
  [LEGACY_TLV, tlv],
]);

/** undefined when values have no such format. */
export const payloadCodec = (contentFormat: number): PayloadCodec | undefined =>
  byContentFormat.get(contentFormat);
