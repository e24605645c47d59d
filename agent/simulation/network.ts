import type { DeviceReadings } from "../model/readings.js";
import type { Clock } from "../ports.js";

/** A device in a wireless network whose signal comes and goes slowly; the same at the same time in every run. */
export function simulateNetwork(clock: Clock): Required<Pick<DeviceReadings, "connectivity" | "traffic">> {
  const begunAt = clock.now();
  const elapsed = () => (clock.now() - begunAt) / 1000;
  return {
    connectivity: () => {
      const swing = Math.sin((2 * Math.PI * elapsed()) / period);
      return {
        bearer: "wlan",
        availableBearers: ["wlan"],
        signalStrength: Math.round(-62 + 6 * swing),
        linkQuality: Math.round(50 + 10 * swing),
        addresses: ["192.0.2.20"],
        routers: ["192.0.2.1"],
      };
    },
    traffic: () => {
      const packets = Math.floor(elapsed() * packetsPerSecond);
      const bytes = packets * packetSize;
      const counters = {
        transmittedBytes: bytes,
        receivedBytes: bytes,
        transmittedPackets: packets,
        receivedPackets: packets,
      };
      return new Map([["wlan0", counters]]);
    },
  };
}

/** Seconds from one maximum of the signal to the next. */
const period = 300;
const packetsPerSecond = 10;
/** Bytes. */
const packetSize = 120;
