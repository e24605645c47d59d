import type { NamedResource, ObjectDefinition, ResourceDefinition } from "../model/definition.js";
import type { ObjectHandle } from "../model/object-handle.js";
import type { ResourceContent, ResourceType, ResourceValue } from "../model/value.js";
import { definePlugin, type Plugin } from "../plugin.js";
import { type Clock, seconds, type Timer } from "../ports.js";

/** How often values move. */
const step = seconds(5);

/** Feeds Objects with values that their definitions allow: the same at the same time in every run. */
export function simulateValues(objects: readonly ObjectDefinition[], clock: Clock): Plugin {
  let timer: Timer | undefined;
  const begunAt = clock.now();
  const unixTime = () => Math.floor(clock.date().getTime() / 1000);
  const moment = () => ({ elapsed: (clock.now() - begunAt) / 1000, unixTime: unixTime() });
  return definePlugin({
    name: "simulated-values",
    start(agent) {
      const handles = objects.map(({ id }) => agent.object(id));
      for (const handle of handles) prepare(handle, agent.log.info.bind(agent.log));
      const move = () => {
        for (const handle of handles) refresh(handle, moment());
        timer = clock.after(step, move);
      };
      if (handles.length > 0) move();
    },
    stop: () => timer?.cancel(),
  });
}

function prepare(handle: ObjectHandle, log: (event: string, fields: Record<string, unknown>) => void): void {
  const { definition } = handle;
  if (definition.instances === "multiple") {
    if (handle.instanceIds().length === 0) handle.createInstance(0);
    handle.onCreate(() => undefined);
    handle.onDelete(() => undefined);
  }
  for (const [name, { id, operations }] of Object.entries(definition.resources)) {
    if (operations !== "E") continue;
    handle.onExecute(id, (objectInstanceId, args) =>
      log("executed", { objectId: definition.id, objectInstanceId, resource: name, args: [...args] }),
    );
  }
}

/** What a Server may write keeps what it wrote. */
function refresh(handle: ObjectHandle, moment: Moment): void {
  for (const objectInstanceId of handle.instanceIds()) {
    for (const [name, resource] of Object.entries(handle.definition.resources)) {
      const { id, operations } = resource;
      if (!operations.includes("R")) continue;
      if (operations === "RW" && handle.get(objectInstanceId, id) !== undefined) continue;
      const content = simulatedContent({ ...resource, name }, moment);
      if (content !== undefined) handle.set(objectInstanceId, id, content);
    }
  }
}

export interface Moment {
  /** Seconds since the simulation began. */
  readonly elapsed: number;
  /** Seconds since 1970. */
  readonly unixTime: number;
}

/** A value within the range of its Resource; undefined for one that holds none. */
export function simulatedContent(resource: NamedResource, moment: Moment): ResourceContent | undefined {
  if (resource.type === undefined) return undefined;
  const value = simulated[resource.type](resource, moment);
  return resource.multiple ? new Map([[0, value]]) : value;
}

const simulated: Readonly<Record<ResourceType, (resource: NamedResource, moment: Moment) => ResourceValue>> =
  {
    float: (resource, moment) => Math.round(wave(resource, moment) * 100) / 100,
    integer: (resource, moment) => Math.round(wave(resource, moment)),
    unsigned: (resource, moment) => Math.max(0, Math.round(wave(resource, moment))),
    boolean: (_, { elapsed }) => Math.floor(elapsed / 60) % 2 === 1,
    time: (_, { unixTime }) => unixTime,
    string: ({ name, range }) => fitted(name, range),
    corelnk: () => "</3/0>",
    opaque: ({ range: [minimum, maximum] = [0, 4] }) =>
      new Uint8Array(Math.max(minimum, Math.min(maximum, 4))).map((_, index) => index),
    objlnk: () => ({ objectId: 3, objectInstanceId: 0 }),
  };

/** One slow period of all waves, in seconds. */
const period = 600;

/** A slow sine around what is usual for the unit, within the range; each Resource at a point of its own. */
function wave({ id, range, units }: NamedResource, { elapsed }: Moment): number {
  const [minimum, maximum] = range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const usual = usualByUnit.get(units ?? "");
  const [middle, amplitude] =
    usual ??
    (range && maximum - minimum < 1e6 ? [(minimum + maximum) / 2, (maximum - minimum) / 4] : [50, 10]);
  const value = middle + amplitude * Math.sin((2 * Math.PI * elapsed) / period + id);
  return Math.min(maximum, Math.max(minimum, value));
}

/** Middle and amplitude. */
const usualByUnit: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["Cel", [21, 3]],
  ["%RH", [45, 10]],
  ["/100", [50, 10]],
  ["%", [50, 10]],
  ["Pa", [101325, 400]],
  ["V", [3.3, 0.1]],
  ["mV", [3300, 100]],
  ["A", [0.5, 0.1]],
  ["W", [1.6, 0.3]],
  ["lx", [400, 150]],
  ["dBm", [-70, 8]],
  ["dB", [40, 5]],
  ["lat", [48.1, 0.01]],
  ["lon", [11.6, 0.01]],
  ["m/s", [2, 1]],
  ["Hz", [50, 0.05]],
]);

function fitted(name: string, range: ResourceDefinition["range"]): string {
  const [minimum, maximum] = range ?? [0, 255];
  return name
    .replace(/[^\x20-\x7e]/g, "")
    .slice(0, maximum)
    .padEnd(minimum, ".");
}
