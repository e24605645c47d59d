import { defineObject } from "../agent/model/definition.js";

/** OMA registry, Object 6 version 1.0: where the device is. Without a fix it holds no values. */
export const Location = defineObject({
  id: 6,
  name: "Location",
  version: "1.0",
  instances: "single",
  resources: {
    /** WGS 84, decimal degrees. */
    latitude: { id: 0, operations: "R", type: "float", mandatory: true, range: [-90, 90], units: "lat" },
    longitude: { id: 1, operations: "R", type: "float", mandatory: true, range: [-180, 180], units: "lon" },
    altitude: { id: 2, operations: "R", type: "float", units: "m" },
    /** Of the circle in which the device is. */
    radius: { id: 3, operations: "R", type: "float", units: "m" },
    /** As 3GPP TS 23.032 encodes it. */
    velocity: { id: 4, operations: "R", type: "opaque" },
    /** Of the fix. */
    timestamp: { id: 5, operations: "R", type: "time", mandatory: true },
    speed: { id: 6, operations: "R", type: "float", units: "m/s" },
  },
});
