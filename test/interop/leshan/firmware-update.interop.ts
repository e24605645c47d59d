import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSimulatedImage } from "../../../platform/boards/simulated-image.js";
import { ManagedDevice } from "./managed-device.js";
import { LeshanProcess, optionNumber, optionText } from "./process.js";

const opaque = 42;
const image = createSimulatedImage({ name: "interop", version: "2.0", size: 40_000, seed: 1 });

/** /5/0/3 */
const states = { idle: 0, downloading: 1, downloaded: 2, updating: 3 };
/** /5/0/5 */
const results = { initial: 0, success: 1, tooLarge: 2, integrity: 5 };

let leshan: LeshanProcess;
let web: Server;
let packageUri: string;
beforeAll(async () => {
  leshan = await LeshanProcess.start("server");
  web = createServer((_, response) => response.end(image));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  packageUri = `http://127.0.0.1:${(web.address() as AddressInfo).port}/image`;
});
afterAll(async () => {
  web?.close();
  await leshan?.close();
});

let board: ManagedDevice;
let devices = 0;
beforeEach(async () => {
  board = await ManagedDevice.start(leshan, {
    endpointName: `board-${devices++}`,
    agent: { maximumPackageSize: 100_000 },
  });
  await board.perform("observe", { path: "/5/0/3" });
});
afterEach(() => board.close());

/** Waits until the notifications have told this State. */
const notifiedState = (state: number, after: number) =>
  board.event("notification", after, (event) => {
    const content = event["content"] as Record<string, unknown>;
    return event["path"] === "/5/0/3" && content["/5/0/3"] === state;
  });

const push = (content: Uint8Array) =>
  board.perform("write", {
    path: "/5/0/0",
    content: { type: "OPAQUE", value: Buffer.from(content).toString("hex") },
    format: opaque,
    timeoutMillis: 60_000,
  });

/** From State 2 to the Update with which the new firmware takes up the registration. */
async function update(): Promise<void> {
  expect((await board.read("/5/0")).content).toMatchObject({
    "/5/0/3": states.downloaded,
    "/5/0/5": results.initial,
    "/5/0/6": "interop",
    "/5/0/7": "2.0",
  });
  const after = leshan.mark();
  expect((await board.execute("/5/0/2")).code).toBe("2.04");
  await board.event("updated", after);
  expect(board.device.restarts()).toBe(1);
  // The outcome is asked of the board after the boot, beside the registration.
  await expect.poll(() => board.value("/5/0/3"), { timeout: 10_000 }).toBe(states.idle);
  expect(await board.value("/5/0/5")).toBe(results.success);
  expect(await board.value("/3/0/3")).toBe("2.0");
}

describe("push", () => {
  test("a package comes in blocks, is installed, and runs after the restart", async () => {
    const after = leshan.mark();
    expect((await push(image)).code).toBe("2.04");

    const blocks = leshan
      .trace(after)
      .filter((message) => message.direction === "sent" && optionText(message, "Uri-Path") === "/5/0/0");
    const numbers = blocks.map((message) => (optionNumber(message, "Block1") ?? 0) >> 4);
    expect(new Set(numbers).size).toBeGreaterThan(30);
    expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
    // Leshan takes a new token for each block, which is why no transfer may be known by its token.
    expect(new Set(blocks.map(({ token }) => token.toString("hex"))).size).toBe(new Set(numbers).size);
    await update();
  });

  test("a package that is damaged is refused and the State returns", async () => {
    const damaged = Uint8Array.from(image);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    await push(damaged);
    await expect.poll(() => board.value("/5/0/5"), { timeout: 10_000 }).toBe(results.integrity);
    expect(await board.value("/5/0/3")).toBe(states.idle);
    expect((await board.execute("/5/0/2")).code).toBe("4.05");
  });

  test("a package that is too large is refused at its first block, with the size that is not", async () => {
    const after = leshan.mark();
    const refused = await push(
      createSimulatedImage({ name: "large", version: "2.0", size: 200_000, seed: 2 }),
    );
    expect(refused.code).toBe("4.13");
    const blocks = leshan.trace(after).filter((message) => optionText(message, "Uri-Path") === "/5/0/0");
    expect(blocks.length).toBeLessThan(5);
    expect(await board.value("/5/0/5")).toBe(results.tooLarge);
    expect(await board.value("/5/0/3")).toBe(states.idle);
  });

  test("a package of one zero byte resets the process", async () => {
    await push(image);
    expect((await push(new Uint8Array(1))).code).toBe("2.04");
    expect((await board.read("/5/0")).content).toMatchObject({
      "/5/0/3": states.idle,
      "/5/0/5": results.initial,
    });
  });
});

describe("pull", () => {
  test("a package is downloaded, installed, and runs after the restart; each State is notified", async () => {
    const after = leshan.mark();
    expect((await board.write("/5/0/1", { type: "STRING", value: packageUri })).code).toBe("2.04");
    await notifiedState(states.downloaded, after);
    await update();
  });

  test("an empty URI resets the process", async () => {
    const after = leshan.mark();
    await board.write("/5/0/1", { type: "STRING", value: packageUri });
    await notifiedState(states.downloaded, after);
    expect((await board.write("/5/0/1", { type: "STRING", value: "" })).code).toBe("2.04");
    await notifiedState(states.idle, after);
    expect(await board.value("/5/0/5")).toBe(results.initial);
  });
});
