/** What we read off a message of the `coap` package. */
import type { IncomingMessage } from "coap";

/** The package replaces the numbers that it knows by names; these are the ones that LwM2M uses. */
const contentFormatNumbers: Readonly<Record<string, number>> = {
  "text/plain": 0,
  "application/link-format": 40,
  "application/octet-stream": 42,
  "application/cbor": 60,
  "application/senml+json": 110,
  "application/senml+cbor": 112,
  "application/vnd.oma.lwm2m+tlv": 11542,
  "application/vnd.oma.lwm2m+json": 11543,
  "application/vnd.oma.lwm2m+cbor": 11544,
};

/** -1 for a name that LwM2M has no use for. */
export function contentFormatOf({ headers }: IncomingMessage): number | undefined {
  const value = headers["Content-Format"];
  if (typeof value === "number" || value === undefined) return value;
  return contentFormatNumbers[String(value)] ?? -1;
}

/** The values of a repeatable option that is text. */
export const textOptions = ({ _packet }: IncomingMessage, wanted: string): string[] =>
  (_packet.options ?? []).filter(({ name }) => name === wanted).map(({ value }) => value.toString());
