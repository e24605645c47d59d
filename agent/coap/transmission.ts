/** How long CoAP waits for what (RFC 7252 §4.8). */
import { type Millis, millis, type Random, seconds } from "../ports.js";

export interface TransmissionParameters {
  readonly ackTimeout: Millis;
  readonly ackRandomFactor: number;
  readonly maxRetransmit: number;
  /** Interactions of ours that may be outstanding with one peer at a time. */
  readonly nstart: number;
  /** Bytes per second on average to a peer that does not respond. */
  readonly probingRate: number;
  /** The longest time that a datagram is expected to take. */
  readonly maxLatency: Millis;
}

export const defaultTransmission: TransmissionParameters = {
  ackTimeout: seconds(2),
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  nstart: 1,
  probingRate: 1,
  maxLatency: seconds(100),
};

/** RFC 7252 §4.2: random between ACK_TIMEOUT and ACK_TIMEOUT × ACK_RANDOM_FACTOR; doubled with each retransmission. */
export const firstTimeout = (random: Random, p: TransmissionParameters): Millis =>
  millis(p.ackTimeout * (1 + random.fraction() * (p.ackRandomFactor - 1)));

/** From the first transmission of a Confirmable message to its last: 45 s. */
export const maxTransmitSpan = (p: TransmissionParameters): Millis =>
  millis(p.ackTimeout * (2 ** p.maxRetransmit - 1) * p.ackRandomFactor);

/** From the first transmission until the sender gives up: 93 s. */
export const maxTransmitWait = (p: TransmissionParameters): Millis =>
  millis(p.ackTimeout * (2 ** (p.maxRetransmit + 1) - 1) * p.ackRandomFactor);

/** PROCESSING_DELAY is ACK_TIMEOUT: 202 s. */
export const maxRoundTrip = (p: TransmissionParameters): Millis => millis(2 * p.maxLatency + p.ackTimeout);

/** How long a Message ID of a Confirmable message is spoken for: 247 s. */
export const exchangeLifetime = (p: TransmissionParameters): Millis =>
  millis(maxTransmitSpan(p) + maxRoundTrip(p));

/** The same for a Non-confirmable one: 145 s. */
export const nonLifetime = (p: TransmissionParameters): Millis => millis(maxTransmitSpan(p) + p.maxLatency);
