import {
  defineObject,
  type Handlers,
  multipleInstances,
  type ObjectImplementation,
} from "../agent/model/definition.js";
import { RequestError } from "../agent/model/errors.js";
import { PersistentRecord } from "../agent/persistence/persistent-record.js";
import { integer, list, optional, type Parser, shape, text } from "../agent/persistence/record-format.js";
import type { Log, Store } from "../agent/ports.js";

/** In the range that OMNA leaves to tests: it must agree with the server and is not for production. */
export const DEFAULT_CONFIGURATION_OBJECT_ID = 42769;

/** A device whose server creates instances without end must not fill its disk with them. */
const MAX_INSTANCES = 256;

/** Settings by name: a Server writes Name and Value, then executes Apply. */
export const defineConfiguration = (id: number) =>
  defineObject({
    id,
    name: "Configuration",
    version: "1.0",
    instances: "multiple",
    resources: {
      name: { id: 1, operations: "RW", type: "string", range: [0, 255] },
      value: { id: 2, operations: "RW", type: "string", range: [0, 255] },
      apply: { id: 3, operations: "E", mandatory: true },
    },
  });

export interface Setting {
  /** undefined while no Server has written it. */
  readonly name?: string | undefined;
  readonly value?: string | undefined;
}

export interface ConfigurationOptions {
  readonly store: Store;
  readonly log: Log;
  readonly objectId?: number;
  /**
   * Makes a setting take effect, all of it or nothing. A throw fails the Execute, with the code of a RequestError or
   * 5.00, and what was in force stays. It may be called again with the same setting.
   */
  applied(objectInstanceId: number, setting: Setting): void | Promise<void>;
}

export interface ConfigurationObject extends ObjectImplementation {
  /** What was applied last, in this run or an earlier one; undefined when nothing was. */
  inForce(objectInstanceId: number): Setting | undefined;
}

/** The Configuration Object with the instances that the Store knows; with instance 0 when it knows none. */
export async function createConfiguration(options: ConfigurationOptions): Promise<ConfigurationObject> {
  const definition = defineConfiguration(options.objectId ?? DEFAULT_CONFIGURATION_OBJECT_ID);
  const record = new PersistentRecord<Instances>({
    store: options.store,
    log: options.log,
    name: "configuration",
    version: 1,
    initial: new Map([[0, {}]]),
    parse: parseInstances,
    format: formatInstances,
  });
  await record.load();

  const inForce = (id: number): Setting | undefined => record.value.get(id)?.inForce;
  const handlers = (id: number) => instanceHandlers(id, record, options);
  return {
    ...multipleInstances(definition, {
      instances: new Map([...record.value.keys()].map((id) => [id, handlers(id)])),
      create: async (id, { name, value }) => {
        if (record.value.size >= MAX_INSTANCES) {
          throw new RequestError("5.00", `there are ${MAX_INSTANCES} configurations already`);
        }
        await record.update((instances) => new Map(instances).set(id, { name, value }));
        return handlers(id);
      },
      delete: (id) => record.update((instances) => new Map([...instances].filter(([other]) => other !== id))),
    }),
    inForce,
  };
}

type Definition = ReturnType<typeof defineConfiguration>;

interface Instance extends Setting {
  readonly inForce?: Setting | undefined;
}

type Instances = ReadonlyMap<number, Instance>;

function instanceHandlers(
  id: number,
  record: PersistentRecord<Instances>,
  { applied }: ConfigurationOptions,
): Handlers<Definition> {
  const change = (changes: Instance) =>
    record.update((instances) => {
      const present = instances.get(id);
      if (present === undefined) throw new RequestError("4.04", `configuration ${id} was deleted`);
      return new Map(instances).set(id, { ...present, ...changes });
    });
  const field = (name: "name" | "value") => ({
    read: () => record.value.get(id)?.[name],
    write: (value: string) => change({ [name]: value }),
    remove: () => change({ [name]: undefined }),
  });
  let lastApply: Promise<void> = Promise.resolve();
  const apply = async () => {
    const { name, value } = record.value.get(id) ?? {};
    await applied(id, { name, value });
    await change({ inForce: { name, value } });
  };
  return {
    name: field("name"),
    value: field("value"),
    apply: {
      execute: () => {
        const done = lastApply.then(apply); // two at once could leave one in force and the other on record
        lastApply = done.catch(() => undefined);
        return done;
      },
    },
  };
}

const parseInstances: Parser<Instances> = (json) =>
  new Map(
    list(
      shape({
        id: integer(0, 65534),
        name: optional(text),
        value: optional(text),
        inForce: optional(shape({ name: optional(text), value: optional(text) })),
      }),
    )(json).map(({ id, ...instance }) => [id, instance]),
  );

const formatInstances = (instances: Instances) =>
  [...instances].map(([id, instance]) => ({ id, ...instance }));
