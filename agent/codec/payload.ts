/**
 * Payloads: bytes ↔ the values of an Object, one codec per Content-Format. Pure functions over definitions; who may read
 * or write, and which format a message asks for, is decided above. Link Format and the arguments of an Execute carry no
 * values and have functions of their own.
 */
import { cbor } from "./cbor.js";
import { contentFormats } from "./content-format.js";
import { lwm2mCbor } from "./lwm2m-cbor.js";
import { lwm2mJson } from "./lwm2m-json.js";
import { opaque } from "./opaque.js";
import type { PayloadCodec } from "./payload-codec.js";
import { senmlCbor } from "./senml-cbor.js";
import { senmlJson } from "./senml-json.js";
import { text } from "./text.js";
import { tlv } from "./tlv.js";

const codecs: readonly PayloadCodec[] = [text, opaque, cbor, senmlJson, senmlCbor, tlv, lwm2mJson, lwm2mCbor];

const byContentFormat = new Map<number, PayloadCodec>([
  ...codecs.map((codec) => [codec.contentFormat, codec] as const),
  [contentFormats.earlyTlv, tlv],
  [contentFormats.earlyJson, lwm2mJson],
]);

/** undefined when values have no such format. */
export const payloadCodec = (contentFormat: number): PayloadCodec | undefined =>
  byContentFormat.get(contentFormat);
