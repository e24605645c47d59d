import { expect, test } from "vitest";
import {
  type BootState,
  beginInstallation,
  boot,
  bootStayingImage,
  commit,
  endInstallation,
  factoryState,
  needsRestart,
  revert,
} from "../../../platform/boards/boot-loader.js";
import { createSeededRandom } from "../../simulated/random.js";

const factory = factoryState({ name: "factory", version: "1.0" });
const install = (state: BootState, version: string) =>
  endInstallation(beginInstallation(state), { name: "fw", version, sha256: version });
const version = ({ slots, running }: BootState) => slots[running]?.version;

test("a board without updates boots its factory image", () => {
  expect(version(boot(factory))).toBe("1.0");
  expect(needsRestart(factory)).toBe(false);
});

test("an installed image runs from the next boot on, and stays when it is committed", () => {
  const installed = install(factory, "2.0");
  expect(version(installed)).toBe("1.0");
  expect(needsRestart(installed)).toBe(true);
  const committed = commit(boot(installed));
  expect(version(committed)).toBe("2.0");
  for (let state = committed, boots = 0; boots < 10; boots++) {
    state = boot(state);
    expect(version(state)).toBe("2.0");
  }
});

test("an image that is never committed is given up after three boots", () => {
  const versions: (string | undefined)[] = [];
  let state = install(factory, "2.0");
  for (let boots = 0; boots < 5; boots++) {
    state = boot(state);
    versions.push(version(state));
  }
  expect(versions).toEqual(["2.0", "2.0", "2.0", "1.0", "1.0"]);
});

test("a power cut during an installation leaves the old image, whatever was on trial", () => {
  const cut = beginInstallation(boot(install(factory, "2.0")));
  expect(version(boot(cut))).toBe("2.0");
  expect(version(boot(beginInstallation(install(factory, "2.0"))))).toBe("1.0");
});

test("committing before the first boot does not end the trial", () => {
  const state = commit(install(factory, "2.0"));
  expect(version(boot(state))).toBe("2.0");
  expect(version(bootStayingImage(boot(state)))).toBe("1.0");
});

test("commit changes nothing when there is nothing to commit", () => {
  expect(commit(factory)).toBe(factory);
  const committed = commit(boot(install(factory, "2.0")));
  expect(commit(committed)).toBe(committed);
});

test("an image on trial is reverted by a restart", () => {
  const reverted = revert(boot(install(factory, "2.0")));
  expect(needsRestart(reverted)).toBe(true);
  expect(version(boot(revert(reverted)))).toBe("1.0");
});

test("a committed image is reverted to the one before", () => {
  const reverted = revert(commit(boot(install(factory, "2.0"))));
  expect(needsRestart(reverted)).toBe(true);
  expect(version(boot(reverted))).toBe("1.0");
});

test("an image that has not been booted is reverted without a restart, also twice", () => {
  const reverted = revert(revert(install(factory, "2.0")));
  expect(needsRestart(reverted)).toBe(false);
  expect(version(boot(reverted))).toBe("1.0");
});

test("there is nothing to revert to on a board that was never updated", () => {
  expect(revert(factory)).toEqual(factory);
});

test("whatever happens in whatever order, every boot finds an image", () => {
  const random = createSeededRandom(42);
  const steps = [
    boot,
    bootStayingImage,
    beginInstallation,
    commit,
    revert,
    (s: BootState) => install(s, "x"),
  ];
  let state = factory;
  for (let n = 0; n < 20_000; n++) {
    state = (steps[random.integer(steps.length)] ?? boot)(state);
    if (version(state) === undefined || version(boot(state)) === undefined) {
      expect.fail(`no image after ${n} steps: ${JSON.stringify(state)}`);
    }
  }
  expect(state.slots[state.running]).toBeDefined();
});
