import { readFile } from "node:fs/promises";
import { defineObject, definePlugin, singleInstance } from "lwm2m-agent/plugin";

const Uptime = defineObject({
  id: 33_020,
  name: "Uptime",
  version: "1.0",
  instances: "single",
  resources: {
    seconds: { id: 0, operations: "R", type: "integer", mandatory: true, units: "s" },
    place: { id: 1, operations: "RW", type: "string" },
    forget: { id: 2, operations: "E" },
  },
});

let place = "";

export const plugin = definePlugin({
  name: "uptime",
  api: 1,
  start(agent) {
    const uptime = singleInstance(Uptime, {
      seconds: { read: async () => Math.floor(Number.parseFloat(await readFile("/proc/uptime", "utf8"))) },
      place: {
        read: () => place,
        write: (text) => {
          place = text; // a text: the definition says so, and nothing else gets here
        },
      },
      forget: {
        execute: () => {
          place = "";
          agent.log.info("forgotten");
        },
      },
    });
    agent.addObject(uptime);
  },
});
