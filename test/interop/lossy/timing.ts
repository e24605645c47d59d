/** One scale of time for all who take part: ACK_TIMEOUT is a twentieth of what RFC 7252 §4.8 says. */
import { updateTiming } from "coap";
import type { TransmissionParameters } from "../../../agent/coap/endpoint.js";
import { millis } from "../../../agent/ports.js";

export const speed = 20;
const ackTimeout = millis(2000 / speed);

export const transmission: Partial<TransmissionParameters> = { ackTimeout };

/** Makes the `coap` package as fast. Its own timeouts are in seconds. */
export function scaleCoapPackage(): void {
  updateTiming({ ackTimeout: ackTimeout / 1000 });
}
