import { describe, expect, test } from "vitest";
import { createRestartReasons } from "../../objects/restart-reason.js";
import { createRecordingLog } from "../simulated/log.js";
import { createFailableStore } from "./doubles.js";

/** A device whose agent starts anew with each call, in the boot that is given. */
function device() {
  const store = createFailableStore();
  const log = createRecordingLog();
  return {
    store,
    log,
    async start(bootId: string | Error) {
      const restarts = createRestartReasons({
        store,
        log,
        bootId: async () => {
          if (bootId instanceof Error) throw bootId;
          return bootId;
        },
      });
      await restarts.start();
      return restarts;
    },
  };
}

describe("the reason of the last restart", () => {
  test("is the first start while nothing is on record", async () => {
    const { start } = device();
    expect((await start("b1")).reason()).toBe("first-start");
    expect((await start("b1")).reason()).toBe("first-start");
  });

  test.each(["server-request", "firmware-update", "rollback", "factory-reset"] as const)(
    "is %s where the agent asked for it, for that boot only",
    async (reason) => {
      const { start } = device();
      await (await start("b1")).plan(reason);
      const second = await start("b2");
      expect(second.reason()).toBe(reason);
      expect(second.bootId()).toBe("b2");
      expect((await start("b2")).reason()).toBe(reason);
      expect((await start("b3")).reason()).toBe("unexpected");
    },
  );

  test("does not change when only the agent starts again before the restart comes", async () => {
    const { start } = device();
    await (await start("b1")).plan("server-request");
    expect((await start("b1")).reason()).toBe("first-start");
    expect((await start("b2")).reason()).toBe("server-request");
  });

  test("is unexpected when nobody asked for it", async () => {
    const { start } = device();
    await start("b1");
    expect((await start("b2")).reason()).toBe("unexpected");
  });

  test("is not known where the board cannot tell its boots apart", async () => {
    const { start, log } = device();
    expect((await start(new Error("no /proc"))).reason()).toBeUndefined();
    expect(log.lines).toContainEqual(expect.objectContaining({ level: "error" }));
  });

  test("keeps nobody from restarting when it cannot be stored", async () => {
    const { start, store } = device();
    const restarts = await start("b1");
    store.fail = new Error("disk full");
    await restarts.plan("server-request");
    expect((await start("b2")).reason()).toBe("unexpected");
  });
});
