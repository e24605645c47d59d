import type { ResourceContent } from "./value.js";

/** A value of a program's own, of now or of the past. */
export interface Sample {
  /** Of a Resource: `/3303/0/5700`. */
  readonly path: string;
  readonly value: ResourceContent;
  /** Seconds since 1970-01-01T00:00:00Z, with a fraction. Absent: now. */
  readonly time?: number;
}

/** What a Send carries: the present value of an Object, Object Instance or Resource by its path, or a sample. */
export type SendItem = string | Sample;

export interface SendOptions {
  /** The Server that is to have it. Absent: every Server that wants Sends. */
  readonly shortServerId?: number;
  /** 110 SenML JSON, 112 SenML CBOR (default), 11544 LwM2M CBOR (from LwM2M 1.2 on, without times). */
  readonly contentFormat?: 110 | 112 | 11544;
}

/** How a Send went with one Server. */
export interface SendReport {
  readonly shortServerId: number;
  /** The Server has it. */
  readonly delivered: boolean;
  /** Why it has not. */
  readonly reason?: string;
}
