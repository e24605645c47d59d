import { describe, expect, test } from "vitest";
import { effectivePeriods, isDue, mustConfirm, nextDue } from "../../../agent/lwm2m/notification-timing.js";
import { millis, seconds } from "../../../agent/ports.js";

describe("the Periods of an observation", () => {
  test.each([
    { attached: {}, defaults: {}, minimum: 0, maximum: undefined },
    {
      attached: { minimumPeriod: 5 },
      defaults: { minimumPeriod: 1, maximumPeriod: 30 },
      minimum: 5,
      maximum: 30,
    },
    { attached: { maximumPeriod: 0 }, defaults: { maximumPeriod: 30 }, minimum: 0, maximum: undefined },
    { attached: { minimumPeriod: 0 }, defaults: { minimumPeriod: 9 }, minimum: 0, maximum: undefined },
    { attached: { minimumPeriod: 60, maximumPeriod: 10 }, defaults: {}, minimum: 60, maximum: undefined },
    { attached: { minimumPeriod: 10, maximumPeriod: 10 }, defaults: {}, minimum: 10, maximum: 10 },
  ])("attached $attached over defaults $defaults", ({ attached, defaults, minimum, maximum }) => {
    expect(effectivePeriods(attached, defaults)).toEqual({
      minimum: seconds(minimum),
      maximum: maximum === undefined ? undefined : seconds(maximum),
    });
  });
});

describe("the moment of the next notification", () => {
  const sent = { sentAt: seconds(100), confirmedAt: seconds(0) };
  const periods = { minimum: seconds(10), maximum: seconds(60) };

  test("a change waits for the Minimum Period since the last one", () => {
    expect(nextDue({ ...sent, latched: true }, periods)).toBe(seconds(110));
    expect(isDue({ ...sent, latched: true }, periods, seconds(109))).toBe(false);
    expect(isDue({ ...sent, latched: true }, periods, seconds(110))).toBe(true);
  });

  test("without a change the Maximum Period makes one", () => {
    expect(nextDue({ ...sent, latched: false }, periods)).toBe(seconds(160));
  });

  test("without a change and without a Maximum Period nothing is due", () => {
    expect(nextDue({ ...sent, latched: false }, { minimum: seconds(0), maximum: undefined })).toBeUndefined();
  });

  test("once in 24 hours, less the time of retransmissions, the Server must acknowledge", () => {
    const timing = { sentAt: seconds(0), confirmedAt: seconds(0), latched: false };
    expect(mustConfirm(timing, millis(24 * 3600_000 - 93_001))).toBe(false);
    expect(mustConfirm(timing, millis(24 * 3600_000 - 93_000))).toBe(true);
  });
});
