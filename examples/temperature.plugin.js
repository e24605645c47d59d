// Feeds the IPSO Object Temperature (3303) from a sensor of Linux.
//
//   lwm2m-agent simulate --plugin ./examples/temperature.plugin.js --object ./3303.xml
//
// The definition file 3303.xml is that of the OMA registry; it is not part of this package. The sensor is a file with
// thousandths of a degree, as the kernel has them in /sys/class/thermal and /sys/class/hwmon.

import { readFile } from "node:fs/promises";

const temperature = 3303;
const resources = {
  sensorValue: 5700,
  minimum: 5601,
  maximum: 5602,
  resetMinimumAndMaximum: 5605,
  units: 5701,
};

/**
 * @param {{ file?: string, periodMilliseconds?: number }} [options]
 * @returns {import("lwm2m-agent/plugin").Plugin}
 */
export function createTemperature({
  file = "/sys/class/thermal/thermal_zone0/temp",
  periodMilliseconds = 5000,
} = {}) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {Promise<void>} */
  let measuring = Promise.resolve();
  return {
    name: "temperature",

    async start(agent) {
      const object = agent.object(temperature);
      if (!object.instanceIds().includes(0)) object.createInstance(0, { [resources.units]: "Cel" });

      const measure = async () => {
        try {
          const value = Number(await readFile(file, "utf8")) / 1000;
          const minimum = object.get(0, resources.minimum) ?? value;
          const maximum = object.get(0, resources.maximum) ?? value;
          object.set(0, resources.sensorValue, value);
          object.set(0, resources.minimum, Math.min(Number(minimum), value));
          object.set(0, resources.maximum, Math.max(Number(maximum), value));
        } catch (error) {
          object.set(0, resources.sensorValue, undefined); // no value is better than an old one
          agent.log.warn("the sensor cannot be read", { file, error });
        }
      };
      object.onExecute(resources.resetMinimumAndMaximum, () => {
        for (const id of [resources.minimum, resources.maximum]) {
          object.set(0, id, object.get(0, resources.sensorValue));
        }
      });
      await measure();
      timer = setInterval(() => {
        measuring = measure();
      }, periodMilliseconds);
    },

    async stop() {
      clearInterval(timer);
      await measuring;
    },
  };
}

export const plugin = createTemperature();
