import { expect, test } from "vitest";
import { PackageError } from "../../agent/ports.js";
import { createLineWriter } from "../../platform/log-lines.js";
import { createServiceLog, type LogFormat } from "../../platform/service-log.js";

async function logTo(format: LogFormat = "json") {
  const lines: string[] = [];
  const log = await createServiceLog({ level: "info", format, write: (line) => lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "") as Record<string, unknown> };
}

test("a line has level, time, event, fields and message, with the fields of its child", async () => {
  const { log, last } = await logTo();
  log.child({ shortServerId: 1 }).warn("not registered", { attempt: 2 });
  expect(last()).toEqual({
    level: "warn",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    shortServerId: 1,
    event: "not-registered",
    attempt: 2,
    message: "not registered",
  });
});

test("a change of the level reaches children that are there", async () => {
  const { log, lines } = await logTo();
  const child = log.child({});
  child.debug("one");
  log.setLevel("debug");
  child.debug("two");
  log.setLevel("silent");
  child.error("three");
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(["two"]);
  expect(log.recent()).toEqual(lines);
});

test("the journal hears how much a line matters", async () => {
  const { log, lines } = await logTo("journal");
  log.info("a");
  log.warn("b");
  log.error("c");
  expect(lines.map((line) => line.slice(0, 4))).toEqual(["<6>{", "<4>{", "<3>{"]);
});

test("an error of the world is a sentence, one of ours has stack, causes and code", async () => {
  const { log, last } = await logTo();
  log.error("failed", { error: new PackageError("invalid-uri", "no such host") });
  expect(last()["error"]).toBe("PackageError: no such host");
  const cause = Object.assign(new Error("disk"), { code: "EIO" });
  cause.cause = cause;
  log.error("failed", { error: Object.assign(new TypeError("broken", { cause }), { code: "X" }) });
  expect(last()["error"]).toMatchObject({
    type: "TypeError",
    message: expect.stringMatching(/^broken: disk/),
    stack: expect.stringMatching(/TypeError: broken[\s\S]*caused by: Error: disk/),
    code: "X",
  });
});

test("what JSON cannot say does not end the program", async () => {
  const { log, last } = await logTo();
  const circle: Record<string, unknown> = { size: 2n ** 64n };
  log.info("big", circle);
  expect(last()["size"]).toBe("18446744073709551616");
  circle["self"] = circle;
  log.info("round", { circle, name: "x" });
  expect(last()).toMatchObject({ circle: expect.stringContaining("Circular"), name: "x" });
});

test("a line is written whole, a full pipe is waited for, and a reader who is gone is nobody's fault", () => {
  const fault = (code: string) => Object.assign(new Error(code), { code });
  const written: string[] = [];
  let calls = 0;
  const write = createLineWriter(2, ((_: number, bytes: Buffer) => {
    calls++;
    if (calls === 2) throw fault("EAGAIN");
    const piece = bytes.subarray(0, 3);
    written.push(piece.toString());
    return piece.length;
  }) as never);
  write("0123456");
  expect(written.join("")).toBe("0123456\n");

  createLineWriter(2, (() => {
    throw fault("EPIPE");
  }) as never)("x");

  let tries = 0;
  const stuck = createLineWriter(2, (() => {
    tries++;
    throw fault("EAGAIN");
  }) as never);
  stuck("x");
  const first = tries;
  stuck("y");
  expect(first).toBeGreaterThan(10);
  expect(tries).toBe(first + 1); // the second line does not wait again
});
