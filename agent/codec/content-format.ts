/** CoAP Content-Formats that LwM2M uses (LwM2M Core 1.2 §7.4, IANA registry), by the name of their codec. */
export const contentFormats = {
  text: 0,
  linkFormat: 40,
  opaque: 42,
  cbor: 60,
  senmlJson: 110,
  senmlCbor: 112,
  tlv: 11542,
} as const;

export type ContentFormat = (typeof contentFormats)[keyof typeof contentFormats];
