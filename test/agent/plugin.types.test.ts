import { expect, test } from "vitest";
import { definePlugin } from "../../agent/plugin.js";

// What matters here is that each marked line does NOT compile: `npm run typecheck` fails when one does.
test("a wrong handler does not compile", () => {
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
    // @ts-expect-error a plugin has a name
    definePlugin({ stop: () => undefined }),
  ];
  expect(plugins).toHaveLength(5);
});
