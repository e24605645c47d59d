import { expect, test } from "vitest";
import {
  defineObject,
  definePlugin,
  multipleInstances,
  type ObjectImplementation,
  singleInstance,
} from "../../agent/plugin.js";

// What matters here is that each marked line does NOT compile: `npm run typecheck` fails when one does.
test("a wrong callback does not compile", () => {
  const plugins = [
    definePlugin({
      name: "misspelt",
      // @ts-expect-error the callback is called packageUriWritten
      packageURIWritten: () => undefined,
    }),
    definePlugin({
      name: "wrong-event",
      // @ts-expect-error the event has a uri, no url
      packageUriWritten: ({ url }) => void url,
    }),
    definePlugin({
      name: "wrong-state",
      // @ts-expect-error there is no State 4
      updateExecuted: (_, agent) => agent.setFirmwareUpdateState(0, 4),
    }),
    definePlugin({
      name: "wrong-result",
      // @ts-expect-error Update Result ends at 11
      updateExecuted: (_, agent) => agent.setFirmwareUpdateResult(0, 12),
    }),
    definePlugin({
      name: "no-package",
      // @ts-expect-error the agent may have no package
      updateExecuted: async ({ image }) => void (await image()).path,
    }),
    definePlugin({
      name: "no-value",
      // @ts-expect-error a configuration may have no value
      configurationApplied: ({ value }) => void value.length,
    }),
    definePlugin({
      name: "newer",
      // @ts-expect-error there is version 1 only
      api: 2,
    }),
    // @ts-expect-error a plugin has a name
    definePlugin({ stop: () => undefined }),
  ];
  expect(plugins).toHaveLength(8);
});

const Valve = defineObject({
  id: 33_010,
  name: "Valve",
  version: "1.0",
  instances: "multiple",
  resources: {
    open: { id: 0, operations: "RW", type: "boolean", mandatory: true },
    litres: { id: 1, operations: "R", type: "integer", range: [0, 1000] },
    flush: { id: 2, operations: "E" },
    names: { id: 3, operations: "R", type: "string", multiple: true },
  },
});
const Pump = defineObject({ ...Valve, id: 33_011, instances: "single" });

const open = { read: () => true, write: () => undefined };

test("a wrong handler of an Object does not compile", () => {
  const objects: ObjectImplementation[] = [
    // @ts-expect-error open is mandatory
    singleInstance(Pump, {}),
    singleInstance(Pump, {
      // @ts-expect-error a Server writes it, too
      open: { read: () => true },
    }),
    singleInstance(Pump, {
      // @ts-expect-error a boolean is no text
      open: { ...open, read: () => "on" },
    }),
    singleInstance(Pump, {
      open: {
        ...open,
        // @ts-expect-error what comes is a boolean
        write: (value: string) => void value,
      },
    }),
    singleInstance(Pump, {
      open,
      // @ts-expect-error a number, not a text
      litres: { read: () => "12" },
    }),
    singleInstance(Pump, {
      open,
      // @ts-expect-error it is executed, not read
      flush: { read: () => true },
    }),
    singleInstance(Pump, {
      open,
      // @ts-expect-error it has Resource Instances
      names: { read: () => "left" },
    }),
    singleInstance(Pump, {
      open,
      // @ts-expect-error there is no such Resource
      closed: { read: () => true },
    }),
    singleInstance(
      // @ts-expect-error it has several instances
      Valve,
      { open },
    ),
    multipleInstances(Valve, {
      instances: new Map([[0, { open }]]),
      // @ts-expect-error there is no such Resource to have changed
      start: (live) => live.changed(0, "opened"),
    }),
    multipleInstances(Valve, {
      // @ts-expect-error what a Create answers has the mandatory Resources
      create: () => ({}),
    }),
  ];
  expect(objects).toHaveLength(11);
});
