/**
 * A valve as an Object: Servers open and close it, read how far it is, and observe it. A driver has it as a file with a number
 * from 0 (closed) to 100 (open). Put your own device in its place.
 */
import { readFile, writeFile } from "node:fs/promises";
import { defineObject, definePlugin, type Plugin, RequestError, singleInstance } from "lwm2m-agent/plugin";

/** The types of the handlers below follow from it. */
const Valve = defineObject({
  id: 33_010, // of the range for vendors; register yours with OMA, or agree on one with whoever runs the Server
  name: "Valve",
  version: "1.0",
  instances: "single",
  resources: {
    position: { id: 0, operations: "RW", type: "integer", range: [0, 100], mandatory: true, units: "%" },
    close: { id: 1, operations: "E" },
  },
});

/** Everything that differs from device to device comes from outside: so the plugin can be tested without a valve. */
export function createValve(file = "/sys/class/valve/valve0/position", periodMilliseconds = 1000): Plugin {
  let timer: NodeJS.Timeout | undefined;
  let last: number | undefined;

  async function read(): Promise<number> {
    const position = Number(await readFile(file, "utf8"));
    if (Number.isInteger(position) && position >= 0 && position <= 100) return position;
    throw new RequestError("5.00", `the driver says ${position}, which is no position`);
  }

  return definePlugin({
    name: "valve",
    api: 1,

    start(agent) {
      const object = singleInstance(
        Valve,
        {
          position: { read, write: (position) => writeFile(file, `${position}\n`) },
          close: { execute: () => writeFile(file, "0\n") },
        },
        {
          start(live) {
            // Values that change by themselves: look, and say so. Observers hear of it; nobody else is disturbed.
            const look = async () => {
              const position = await read();
              if (last !== undefined && position !== last) live.changed(0, "position");
              last = position;
            };
            timer = setInterval(() => {
              look().catch((error: unknown) => agent.log.warn("the valve cannot be read", { error }));
            }, periodMilliseconds);
          },
        },
      );
      agent.addObject(object);
    },

    stop: () => clearInterval(timer),
  });
}

/** What the agent loads. */
export const plugin = createValve();
