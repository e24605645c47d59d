import type { ObjectDefinition } from "../model/definition.js";
import type { Path } from "../model/path.js";
import type { ObjectContent } from "../model/value.js";
import type { ContentFormat } from "./content-format.js";

/** One payload format: bytes for what a path holds, and back. Pure functions over a definition. */
export interface PayloadCodec {
  readonly contentFormat: ContentFormat;
  /**
   * @param content what `target` holds, in full depth from the instance level; Resource Instances always as a map
   * @throws RequestError 4.06 when the format cannot carry this target or a value of this type
   */
  encode(definition: ObjectDefinition, target: Path, content: ObjectContent): Uint8Array;
  /**
   * @returns Resources of the definition only. What else an Object or Object Instance carries is skipped, but its
   *   syntax is checked. The values share no memory with `payload`.
   * @throws DecodeError when the payload is malformed, leaves `target`, or has a value of the wrong type or range
   */
  decode(definition: ObjectDefinition, target: Path, payload: Uint8Array): ObjectContent;
}
