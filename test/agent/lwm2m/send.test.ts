import { describe, expect, test } from "vitest";
import { resolveRecords } from "../../../agent/codec/senml.js";
import { decodeSenmlCbor } from "../../../agent/codec/senml-cbor.js";
import { formatPath } from "../../../agent/model/path.js";
import type { SendItem, SendOptions } from "../../../agent/model/send.js";
import { settle } from "../../simulated/clock.js";
import { createObservingWorld, type ObservingWorldOptions } from "../observing-world.js";

async function begin(options: ObservingWorldOptions = {}) {
  const world = await createObservingWorld({ ...options, account: { muteSend: false, ...options.account } });
  world.device.set(0, 9, 100);
  await world.start();
  const send = async (items: readonly SendItem[], given?: SendOptions) => {
    const sending = world.client.send(items, given);
    await settle();
    return sending;
  };
  const records = () =>
    world.requests
      .filter(({ path }) => path === "dp")
      .flatMap(({ payload }) => resolveRecords(decodeSenmlCbor(payload)))
      .map(({ path, time, value }) => [formatPath(path), time, value?.value]);
  return { world, send, records };
}

test("samples keep their order and their times, beside present values", async () => {
  const { send, records } = await begin();
  const samples = [
    { path: "/3/0/9", value: 90, time: 1_700_000_000 },
    { path: "/3/0/9", value: 91, time: 1_700_000_010 },
    "/3/0/9",
  ];
  expect(await send(samples)).toEqual([{ shortServerId: 1, delivered: true }]);
  expect(records().map(([path, time, value]) => [path, time || undefined, value])).toEqual([
    ["/3/0/9", 1_700_000_000, 90],
    ["/3/0/9", 1_700_000_010, 91],
    ["/3/0/9", undefined, 100],
  ]);
});

describe("nothing is sent", () => {
  test.each<[string, ObservingWorldOptions, readonly SendItem[], SendOptions, string]>([
    ["to a Server that mutes", { account: { muteSend: true } }, ["/3/0/9"], {}, "Mute Send"],
    ["unless the Server asked for it", { account: { muteSend: undefined } }, ["/3/0/9"], {}, "Mute Send"],
    ["in version 1.0", { version: "1.0" }, ["/3/0/9"], {}, "1.0 has no Send"],
    ["in a format of a later version", {}, ["/3/0/9"], { contentFormat: 11544 }, "11544"],
    ["of what is not there", {}, ["/3/0/10", "/99"], {}, "nothing"],
    ["of what belongs to the Bootstrap-Server", {}, ["/0/0/0"], {}, "nothing"],
    ["to a Server that there is not", {}, ["/3/0/9"], { shortServerId: 7 }, "no such Server"],
  ])("%s", async (_title, options, items, given, reason) => {
    const { send, world } = await begin(options);
    const [report] = await send(items, given);
    expect(report).toMatchObject({ delivered: false, reason: expect.stringContaining(reason) });
    expect(world.requests.filter(({ path }) => path === "dp")).toEqual([]);
  });

  test("for mistakes of the caller, who hears of them", async () => {
    const { world } = await begin();
    await expect(world.client.send(["3/0/9"])).rejects.toThrow(TypeError);
    await expect(world.client.send([{ path: "/3/0/9", value: "full" }])).rejects.toThrow(TypeError);
    await expect(world.client.send([{ path: "/3/0", value: 1 }])).rejects.toThrow(TypeError);
  });
});

describe("notifications", () => {
  test("are confirmable by con=1, by the Default Notification Mode, and not by con=0", async () => {
    const typeOf = async (account: ObservingWorldOptions["account"], query: readonly string[]) => {
      const { world } = await begin({ version: "1.2", ...(account && { account }) });
      await world.ask({ method: "GET", path: "/3/0/9", observe: 0, query });
      world.device.set(0, 9, 50);
      await settle();
      return world.notifications[0]?.type;
    };
    expect(await typeOf({}, [])).toBe("NON");
    expect(await typeOf({}, ["con=1"])).toBe("CON");
    expect(await typeOf({ defaultNotificationMode: 1 }, [])).toBe("CON");
    expect(await typeOf({ defaultNotificationMode: 1 }, ["con=0"])).toBe("NON");
  });

  test("end with 4.04 when what is observed is deleted", async () => {
    const { world } = await begin();
    world.portfolio.createInstance(0, { 0: new Map([[0, "host"]]) });
    await world.ask({ method: "GET", path: "/16/0", observe: 0 });
    expect((await world.ask({ method: "DELETE", path: "/16/0" })).code).toBe("2.02");
    expect(world.notifications).toMatchObject([{ code: "4.04", type: "CON", observe: undefined }]);
    expect(world.client.observationCount).toBe(0);
  });

  test("of versions before 1.2 refuse attributes in the Observe", async () => {
    const { world } = await begin({ version: "1.1" });
    const query = ["pmin=5"];
    expect((await world.ask({ method: "GET", path: "/3/0/9", observe: 0, query })).code).toBe("4.00");
    expect(world.client.observationCount).toBe(0);
  });
});
