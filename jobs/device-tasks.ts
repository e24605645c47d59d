/** What each job but the firmware update does on one device. */
import type { ResourceDefinition } from "../agent/model/definition.js";
import { DecodeError } from "../agent/model/errors.js";
import type { ResourcePath } from "../agent/model/path.js";
import type { ResourceContent } from "../agent/model/value.js";
import { defineConfiguration } from "../objects/configuration.js";
import { Device } from "../objects/device.js";
import { DeviceTimeoutError, resourceContent, resourceIn } from "./device-gateway.js";
import type { DeviceTask, TaskContext } from "./device-task.js";
import type { JsonValue } from "./job.js";
import { type DeviceProperty, toJson } from "./properties.js";

const deviceResource = ({ id }: ResourceDefinition): ResourcePath => [Device.id, 0, id];

export const rebootTask: DeviceTask = async (context) => {
  await executeRestart(context, deviceResource(Device.resources.reboot));
  return { status: "completed", message: "Reboot accepted" };
};

export const factoryResetTask: DeviceTask = async (context) => {
  await executeRestart(context, deviceResource(Device.resources.factoryReset));
  return { status: "completed", message: "Factory reset accepted" };
};

/** A device that registered anew instead of answering has done what it was told. */
async function executeRestart({ gateway, endpointName }: TaskContext, path: ResourcePath): Promise<void> {
  try {
    await gateway.execute(endpointName, path);
  } catch (fault) {
    if (!(fault instanceof DeviceTimeoutError && fault.restarted)) throw fault;
  }
}

/** Writes Value, then executes Apply; Name is left alone, as the job carries one string only. */
export function configurationTask(objectId: number, value: string): DeviceTask {
  const { resources } = defineConfiguration(objectId);
  const valuePath: ResourcePath = [objectId, 0, resources.value.id];
  const applyPath: ResourcePath = [objectId, 0, resources.apply.id];
  return async (context) => {
    const { gateway, endpointName } = context;
    await repeatable(() =>
      gateway.write(endpointName, valuePath, resourceContent(valuePath, value), "replace"),
    );
    await repeatable(() => gateway.execute(endpointName, applyPath));
    return { status: "completed", message: "Configuration applied" };
  };
}

export const readTask =
  (properties: readonly DeviceProperty[]): DeviceTask =>
  async ({ gateway, endpointName }) => {
    const result: Record<string, JsonValue> = {};
    for (const { name, path, definition } of properties) {
      const content = resourceIn(await repeatable(() => gateway.read(endpointName, path)), path);
      if (content === undefined) throw new DecodeError(`no value for ${name}`);
      result[name] = toJson(content, definition?.type);
    }
    return { status: "completed", result };
  };

export interface PropertyValue {
  readonly property: DeviceProperty;
  readonly content: ResourceContent;
}

export const writeTask =
  (values: readonly PropertyValue[]): DeviceTask =>
  async ({ gateway, endpointName }) => {
    for (const { property, content } of values) {
      await repeatable(() =>
        gateway.write(endpointName, property.path, resourceContent(property.path, content), "replace"),
      );
    }
    return { status: "completed" };
  };

/** What may be done twice is done again when the device restarted over it: the caller wanted it done. */
async function repeatable<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (fault) {
    if (fault instanceof DeviceTimeoutError && fault.restarted) return operation();
    throw fault;
  }
}
