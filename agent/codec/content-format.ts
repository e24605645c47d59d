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
  json: 11543,
  lwm2mCbor: 11544,
  /** What TLV and JSON were called before IANA gave them numbers; Servers of 1.0 still say it, and get it back. */
  earlyTlv: 1542,
  earlyJson: 1543,
} as const;

export type ContentFormat = (typeof contentFormats)[keyof typeof contentFormats];

/** In which versions of LwM2M there is a Content-Format. */
export interface FormatVersions {
  readonly since: "1.0" | "1.1" | "1.2";
  /** The last version in which a client writes it; it reads it ever after. */
  readonly writtenUntil?: "1.0";
}

const versions: Readonly<Record<ContentFormat, FormatVersions>> = {
  [contentFormats.text]: { since: "1.0" },
  [contentFormats.linkFormat]: { since: "1.0" },
  [contentFormats.opaque]: { since: "1.0" },
  [contentFormats.cbor]: { since: "1.1" },
  [contentFormats.senmlJson]: { since: "1.1" },
  [contentFormats.senmlCbor]: { since: "1.1" },
  [contentFormats.senmlEtchJson]: { since: "1.2" },
  [contentFormats.senmlEtchCbor]: { since: "1.2" },
  [contentFormats.tlv]: { since: "1.0" },
  [contentFormats.json]: { since: "1.0", writtenUntil: "1.0" },
  [contentFormats.lwm2mCbor]: { since: "1.2" },
  [contentFormats.earlyTlv]: { since: "1.0" },
  [contentFormats.earlyJson]: { since: "1.0", writtenUntil: "1.0" },
};

const isContentFormat = (contentFormat: number): contentFormat is ContentFormat =>
  Object.hasOwn(versions, contentFormat);

/** undefined: LwM2M does not use it. */
export const formatVersions = (contentFormat: number): FormatVersions | undefined =>
  isContentFormat(contentFormat) ? versions[contentFormat] : undefined;
