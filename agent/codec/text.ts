import { DecodeError, RequestError } from "../model/errors.js";
import type { ResourceValue } from "../model/value.js";
import { decodeBase64, encodeBase64 } from "./base64.js";
import { contentFormats } from "./content-format.js";
import { formatDecimal, parseDecimal } from "./decimal.js";
import { formatObjectLink, parseObjectLink } from "./object-link.js";
import { singleValueCodec } from "./single-value.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import {
  booleanOf,
  bytesOf,
  checkedInteger,
  checkedTime,
  floatOf,
  integerOf,
  objectLinkOf,
  textOf,
  timeOf,
  type ValueResource,
} from "./value-types.js";

/** text/plain (LwM2M Core §7.4): one value, as a person would write it. */
export const text = singleValueCodec(contentFormats.text, {
  encode: (resource, value) => encodeUtf8(format(resource, value)),
  decode: (resource, payload) => parse(resource, decodeUtf8(payload)),
});

function format({ name, type }: ValueResource, value: ResourceValue): string {
  switch (type) {
    case "string":
    case "corelnk":
      return textOf(value);
    case "integer":
    case "unsigned":
      return integerOf(type, value).toString();
    case "float": {
      const float = floatOf(value);
      if (!Number.isFinite(float))
        throw new RequestError("4.06", `text cannot carry ${name}: it is ${float}`);
      return formatDecimal(float);
    }
    case "boolean":
      return booleanOf(value) ? "1" : "0";
    case "opaque":
      return encodeBase64(bytesOf(value), "standard");
    case "time":
      return timeOf(value).toString();
    case "objlnk":
      return formatObjectLink(objectLinkOf(value));
  }
}

function parse({ type }: ValueResource, text: string): ResourceValue {
  switch (type) {
    case "string":
    case "corelnk":
      return text;
    case "integer":
    case "unsigned":
      return checkedInteger(type, parseDecimal(text));
    case "float":
      return Number(parseDecimal(text));
    case "boolean":
      if (text !== "0" && text !== "1") throw new DecodeError("a boolean in text is 0 or 1");
      return text === "1";
    case "opaque":
      return decodeBase64(text);
    case "time":
      return checkedTime(parseDecimal(text));
    case "objlnk":
      return parseObjectLink(text);
  }
}
