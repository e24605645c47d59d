/** CoAP Content-Formats that LwM2M uses (LwM2M Core 1.2 §7.4, IANA registry), by the name of their codec. */
export const contentFormats = {
  text: 0,
  linkFormat: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  senmlEtchJson: 320,
  senmlEtchCbor: 322,
  tlv: 11542,
  lwm2mCbor: 11544,
} as const;

export type ContentFormat = (typeof contentFormats)[keyof typeof contentFormats];
