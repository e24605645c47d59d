/**
 * A pin as an Object: Digital Input (3200 of the OMA registry) from a file of sysfs, as GPIO drivers and many sensors have them.
 * The pin is read when a Server reads, and ten times a second while one observes; nobody looks at it otherwise.
 */
import { readFile } from "node:fs/promises";
import { defineObject, definePlugin, multipleInstances, type Plugin, RequestError } from "lwm2m-agent/plugin";

const DigitalInput = defineObject({
  id: 3200,
  name: "Digital Input",
  version: "1.1",
  instances: "multiple",
  resources: {
    state: { id: 5500, operations: "R", type: "boolean", mandatory: true },
    counter: { id: 5501, operations: "R", type: "integer" },
    counterReset: { id: 5505, operations: "E" },
    applicationType: { id: 5750, operations: "RW", type: "string" },
  },
});

export interface DigitalInputOptions {
  /** Holds 0 or 1. */
  readonly file?: string;
  readonly periodMilliseconds?: number;
}

export function createDigitalInput({
  file = "/sys/class/gpio/gpio17/value",
  periodMilliseconds = 100,
}: DigitalInputOptions = {}): Plugin {
  let timer: NodeJS.Timeout | undefined;
  let last: boolean | undefined;
  let count = 0;
  let applicationType = "door";

  const read = async (): Promise<boolean> => {
    const text = (await readFile(file, "utf8")).trim();
    if (text !== "0" && text !== "1") throw new RequestError("5.00", `${file} holds "${text}", not 0 or 1`);
    return text === "1";
  };

  return definePlugin({
    name: "digital-input",
    api: 1,

    start(agent) {
      let changed: () => void = () => undefined;
      const look = async () => {
        const state = await read();
        if (last !== undefined && state !== last) {
          if (state) count += 1;
          changed();
        }
        last = state;
      };
      const report = (error: unknown) => agent.log.warn("the pin cannot be read", { file, error });

      const handlers = {
        state: { read },
        counter: { read: () => count },
        counterReset: {
          execute: () => {
            count = 0;
            changed();
          },
        },
        applicationType: {
          read: () => applicationType,
          write: (value: string) => {
            applicationType = value;
          },
        },
      };
      agent.addObject(
        multipleInstances(DigitalInput, {
          instances: new Map([[0, handlers]]),
          start: (live) => {
            changed = () => live.changed(0, "state", "counter");
          },
          watched: (isWatched) => {
            clearInterval(timer);
            if (isWatched) timer = setInterval(() => void look().catch(report), periodMilliseconds);
          },
        }),
      );
    },

    stop: () => clearInterval(timer),
  });
}

export const plugin = createDigitalInput();
