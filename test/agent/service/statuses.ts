/** What a service may say of itself. */
import type { ServiceStatus } from "../../../agent/control/status.js";

export const now = new Date("2026-03-01T12:00:00.000Z");

/** A device that is well. */
export const idleStatus: ServiceStatus = {
  version: "0.1.0",
  pid: 4711,
  startedAt: "2026-03-01T09:00:00.000Z",
  configurationFile: "/etc/lwm2m-agent/agent.yaml",
  needRestart: [],
  endpointName: "pump-7",
  board: {
    type: "simulated",
    manufacturer: "Acme",
    modelNumber: "Pump 3000",
    serialNumber: "0042",
    firmwareVersion: "1.0",
  },
  servers: [
    {
      shortServerId: 1,
      uri: "coap://lwm2m.example.com",
      state: "registered",
      since: "2026-03-01T09:00:01.000Z",
      next: "2026-03-01T12:04:00.000Z",
      lastFailure: null,
    },
  ],
  bootstrap: "idle",
  observations: 5,
  keptNotifications: 0,
  firmware: {
    state: 0,
    stateName: "Idle",
    result: 1,
    resultText: "updated successfully",
    progress: null,
    package: null,
    waiting: null,
    trial: null,
    lastOutcome: null,
    hold: null,
  },
  queueMode: false,
  plugins: [{ name: "temperature", health: "running", reason: null }],
  logLevel: "info",
  memory: 61_000_000,
};

/** Half-way through a download, after one that failed. */
export const busyStatus: ServiceStatus = {
  ...idleStatus,
  servers: [
    ...idleStatus.servers,
    {
      shortServerId: 2,
      uri: "coap://backup.example.com:5783",
      state: "backingOff",
      since: null,
      next: "2026-03-01T12:01:00.000Z",
      lastFailure: { at: "2026-03-01T11:58:00.000Z", reason: "no answer to the Register" },
    },
  ],
  keptNotifications: 12,
  needRestart: ["keepAlive"],
  firmware: {
    ...idleStatus.firmware,
    state: 1,
    stateName: "Downloading",
    result: 8,
    resultText: "update failed",
    package: { name: "pump-image", version: "2.1" },
    progress: {
      phase: "downloading",
      fraction: 0.42,
      received: 42_000_000,
      total: 100_000_000,
      rate: 1_250_000,
    },
    hold: {
      reason: "technician at work",
      since: "2026-03-01T11:00:00.000Z",
      until: "2026-03-01T14:00:00.000Z",
    },
    lastOutcome: {
      result: 8,
      resultText: "update failed",
      reason: "the health check said: no pressure sensor",
      package: { name: "pump-image", version: "2.0" },
      previousVersion: "1.0",
      at: "2026-02-28T22:15:00.000Z",
    },
  },
};
