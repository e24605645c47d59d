import { describe, expect, test } from "vitest";
import { isProfileId, registrationPolicy } from "../../../agent/lwm2m/registration-policy.js";
import { seconds } from "../../../agent/ports.js";
import { createSeededRandom } from "../../simulated/random.js";

const policyOf = (options: Partial<Parameters<typeof registrationPolicy>[0]>) =>
  registrationPolicy({ endpointName: "board", ...options }, { binding: "U", random: createSeededRandom(1) });

test("unless told otherwise a client offers 1.2, goes down to 1.0, listens always and comes at once", () => {
  expect(policyOf({})).toEqual({
    endpointName: "board",
    version: "1.2",
    minimumVersion: "1.0",
    binding: "U",
    startDelay: 0,
  });
});

test("in queue mode it listens for MAX_TRANSMIT_WAIT after a message, or as long as it is told", () => {
  expect(policyOf({ queueMode: true }).queueMode).toEqual({ awakeTime: seconds(93) });
  expect(policyOf({ queueMode: true, awakeSeconds: 10 }).queueMode).toEqual({ awakeTime: seconds(10) });
  expect(policyOf({ awakeSeconds: 10 }).queueMode).toBeUndefined();
});

test("devices of a fleet that start together come at different times, within the spread", () => {
  const random = createSeededRandom(7);
  const delays = Array.from({ length: 50 }, () => {
    const options = { endpointName: "board", startSpreadSeconds: 60 };
    return registrationPolicy(options, { binding: "U", random }).startDelay ?? -1;
  });
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...delays)).toBeLessThan(seconds(60));
  expect(new Set(delays).size).toBe(50);
});

describe("what makes no sense is refused by the name of its option", () => {
  test.each([
    [{ version: "1.0", minimumVersion: "1.1" }, "minimumVersion 1.1 is above version 1.0"],
    [{ awakeSeconds: 0 }, "awakeSeconds"],
    [{ keepAliveSeconds: -1 }, "keepAliveSeconds"],
    [{ keepAliveSeconds: Number.NaN }, "keepAliveSeconds"],
    [{ startSpreadSeconds: -1 }, "startSpreadSeconds"],
    [{ profile: { id: "my profile" } }, 'profile.id "my profile" is no Profile ID'],
  ] as const)("%j", (options, message) => {
    expect(() => policyOf(options)).toThrow(message);
  });
});

test("a Profile ID is a hash by RFC 6920, a name of OMA's or a vendor's, or several in quotes", () => {
  for (const id of ["6:1234abcd", "v:my-profile", "oma:smart-meter", '"v:one,v:two"', '"1:00"']) {
    expect(isProfileId(id)).toBe(true);
  }
  for (const id of ["", "v:", "7:12", "6:XYZ", "v:one,v:two", '"v:one,"', "x:one", "v:one&b=U"]) {
    expect(isProfileId(id)).toBe(false);
  }
});
