/**
 * Payloads that carry several Objects: composite operations, Send and Bootstrap-Pack (LwM2M Core 1.2 §6.3.8, §6.4.4,
 * §6.1.7.7). Which format may do what is said here and nowhere else.
 */
import type { ObjectDefinition } from "../model/definition.js";
import type { CompositePath, ResourceInstancePath, ResourcePath } from "../model/path.js";
import type { TimedContent, TreeContent } from "../model/value.js";
import { contentFormats } from "./content-format.js";
import { lwm2mCborComposite } from "./lwm2m-cbor.js";
import { decodeSenmlCbor, encodeSenmlCbor } from "./senml-cbor.js";
import { senmlComposite, senmlEtchComposite } from "./senml-composite.js";
import { decodeSenmlJson, encodeSenmlJson } from "./senml-json.js";

/** What is known of an Object; undefined for one that this client does not have. */
export type Definitions = (objectId: number) => ObjectDefinition | undefined;

/** What a Write-Composite asks for, all of it or nothing. */
export interface CompositeWrite {
  readonly content: TreeContent;
  /** Resource Instances to remove: SenML-ETCH with a null value. */
  readonly removals: readonly ResourceInstancePath[];
  /** What has a value and is not defined by its Object: too much for a Write-Composite, nothing to a Bootstrap-Pack. */
  readonly unknown: readonly ResourcePath[];
}

/** One format. What it cannot do is absent. */
export interface CompositeCodec {
  readonly contentFormat: number;
  /**
   * The request of a Read- or Observe-Composite, in its order; what it names twice comes once.
   * @throws DecodeError
   */
  decodePaths?(payload: Uint8Array): readonly CompositePath[];
  /**
   * The request of a Write-Composite, or a Bootstrap-Pack.
   * @throws DecodeError; RequestError 4.04 for an Object that does not exist, 4.05 for an executable Resource
   */
  decodeContent?(definitions: Definitions, payload: Uint8Array): CompositeWrite;
  /** The answer to a Read-Composite, in ascending order. */
  encode?(definitions: Definitions, content: TreeContent): Uint8Array;
  /** A Send, or notifications that were kept: values with their times, in the given order. */
  encodeTimed?(definitions: Definitions, records: readonly TimedContent[]): Uint8Array;
}

const senmlJsonForm = { encode: encodeSenmlJson, decode: decodeSenmlJson };
const senmlCborForm = { encode: encodeSenmlCbor, decode: decodeSenmlCbor };

const codecs: readonly CompositeCodec[] = [
  senmlComposite(contentFormats.senmlJson, senmlJsonForm),
  senmlComposite(contentFormats.senmlCbor, senmlCborForm),
  senmlEtchComposite(contentFormats.senmlEtchJson, senmlJsonForm),
  senmlEtchComposite(contentFormats.senmlEtchCbor, senmlCborForm),
  lwm2mCborComposite,
];

const byContentFormat = new Map(codecs.map((codec) => [codec.contentFormat, codec]));

/** undefined: no composite operation can be in that format. */
export const compositeCodec = (contentFormat: number): CompositeCodec | undefined =>
  byContentFormat.get(contentFormat);
