import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import { createNetworkWatcher, describeNetwork } from "../../../platform/net/network-watcher.js";
import { createSimulatedClock } from "../../simulated/clock.js";

function watched() {
  const clock = createSimulatedClock();
  let network = "eth0 192.0.2.7";
  let looks = 0;
  const watcher = createNetworkWatcher({
    clock,
    look: () => {
      looks++;
      return network;
    },
  });
  let changes = 0;
  const stop = watcher.onChange(() => void changes++);
  return {
    clock,
    watcher,
    stop,
    become: (now: string) => (network = now),
    changes: () => changes,
    looks: () => looks,
  };
}

describe("a watcher of the network", () => {
  test("tells once that it has changed, when it has come to rest", async () => {
    const { clock, become, changes } = watched();
    await clock.advance(seconds(100));
    expect(changes()).toBe(0);
    become("eth0 192.0.2.8");
    await clock.advance(seconds(11));
    expect(changes()).toBe(1);
    await clock.advance(seconds(100));
    expect(changes()).toBe(1);
  });

  test("does not tell what lasts for less than a second", async () => {
    const { clock, become, changes } = watched();
    become("");
    await clock.advance(seconds(10));
    become("wlan0 192.0.2.9");
    await clock.advance(seconds(0.5));
    become("eth0 192.0.2.7");
    await clock.advance(seconds(100));
    expect(changes()).toBe(0);
  });

  test("tells that the network is back, not that it is gone", async () => {
    const { clock, become, changes } = watched();
    become("");
    await clock.advance(seconds(60));
    expect(changes()).toBe(0);
    become("eth0 192.0.2.7");
    await clock.advance(seconds(11));
    expect(changes()).toBe(1);
  });

  test("looks every ten seconds while somebody listens, and never else", async () => {
    const { clock, watcher, stop, looks, become } = watched();
    await clock.advance(seconds(600));
    expect(looks()).toBe(61);
    const stopOther = watcher.onChange(() => {});
    stop();
    await clock.advance(seconds(10));
    expect(looks()).toBe(62);
    stopOther();
    expect(clock.pending).toBe(0);
    become("wlan0 192.0.2.9");
    let told = 0;
    watcher.onChange(() => void told++);
    await clock.advance(seconds(100));
    expect(told).toBe(0);
  });

  test("tells all who listen, and those no more who have stopped", async () => {
    const { clock, watcher, stop, become, changes } = watched();
    let others = 0;
    const listener = () => void others++;
    const stopOne = watcher.onChange(listener);
    watcher.onChange(listener);
    stop();
    become("a");
    await clock.advance(seconds(11));
    stopOne();
    become("b");
    await clock.advance(seconds(11));
    expect([changes(), others]).toEqual([0, 3]);
  });
});

test("what is looked at names every address that others may reach, and no other", () => {
  const lines = describeNetwork().split("\n");
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    for (const { address, internal } of entries) {
      expect(lines.includes(`${name} ${address}`)).toBe(!internal);
    }
  }
  expect(describeNetwork()).toBe(describeNetwork());
});
