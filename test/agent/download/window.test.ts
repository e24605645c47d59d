import { describe, expect, test } from "vitest";
import { type DownloadWindow, nextOpening, windowFault } from "../../../agent/download/window.js";

/** Local time, as the windows are. 2026-03-04 is a Wednesday. */
const at = (text: string) => new Date(text);
const nightly: DownloadWindow = { from: "22:00", to: "04:00" };
const weekend: DownloadWindow = { days: ["saturday", "sunday"], from: "08:00", to: "24:00" };
const fridayNight: DownloadWindow = { days: ["friday"], from: "23:30", to: "02:15" };

describe("the next opening", () => {
  test.each<[string, readonly DownloadWindow[], string, string]>([
    ["is now without any window", [], "2026-03-04T12:00", "2026-03-04T12:00"],
    ["is tonight before a nightly window", [nightly], "2026-03-04T21:59:59", "2026-03-04T22:00"],
    ["is now at its first moment", [nightly], "2026-03-04T22:00", "2026-03-04T22:00"],
    ["is now before midnight", [nightly], "2026-03-04T23:59:59.999", "2026-03-04T23:59:59.999"],
    ["is now after midnight", [nightly], "2026-03-05T03:59:59.999", "2026-03-05T03:59:59.999"],
    ["is the next night at its end", [nightly], "2026-03-05T04:00", "2026-03-05T22:00"],
    ["is on Saturday in the week", [weekend], "2026-03-04T12:00", "2026-03-07T08:00"],
    ["is now until the end of the day", [weekend], "2026-03-07T23:59:59", "2026-03-07T23:59:59"],
    ["is Sunday morning in the night", [weekend], "2026-03-08T00:00", "2026-03-08T08:00"],
    ["is next Saturday after the weekend", [weekend], "2026-03-09T00:00", "2026-03-14T08:00"],
    ["is now on the day after it opened", [fridayNight], "2026-03-07T02:14", "2026-03-07T02:14"],
    ["is in a week after the only one", [fridayNight], "2026-03-07T02:15", "2026-03-13T23:30"],
    ["is not on another day at the same hour", [fridayNight], "2026-03-05T01:00", "2026-03-06T23:30"],
    ["is the first of several", [weekend, fridayNight], "2026-03-06T12:00", "2026-03-06T23:30"],
    ["is now when one of several is open", [weekend, nightly], "2026-03-04T23:00", "2026-03-04T23:00"],
    ["is over the end of the year", [nightly], "2026-12-31T21:00", "2026-12-31T22:00"],
    ["is now on New Year", [nightly], "2027-01-01T01:00", "2027-01-01T01:00"],
    ["is now all day", [{ from: "06:00", to: "06:00" }], "2026-03-04T05:59", "2026-03-04T05:59"],
  ])("%s", (_, windows, now, expected) => expect(nextOpening(windows, at(now))).toEqual(at(expected)));

  test("follows the calendar where a day has 23 hours", () => {
    const before = process.env["TZ"];
    process.env["TZ"] = "Europe/Berlin"; // 2026-03-29: 02:00 becomes 03:00
    try {
      expect(nextOpening([nightly], at("2026-03-29T03:59"))).toEqual(at("2026-03-29T03:59"));
      expect(nextOpening([nightly], at("2026-03-29T04:00")).toISOString()).toBe("2026-03-29T20:00:00.000Z");
    } finally {
      if (before === undefined) delete process.env["TZ"];
      else process.env["TZ"] = before;
    }
  });
});

test.each<[DownloadWindow, string | undefined]>([
  [nightly, undefined],
  [weekend, undefined],
  [{ from: "24:00", to: "04:00" }, 'windows: "24:00" is no time of day as 22:30'],
  [{ from: "9:00", to: "10:00" }, 'windows: "9:00" is no time of day as 22:30'],
  [{ from: "09:00", to: "24:01" }, 'windows: "24:01" is no time of day as 04:30'],
  [{ days: [], from: "09:00", to: "10:00" }, "windows: a window without any day never opens"],
  [{ days: ["Monday" as "monday"], from: "09:00", to: "10:00" }, 'windows: "Monday" is no day as monday'],
])("%j has the fault: %s", (window, fault) => expect(windowFault(window)).toBe(fault));
