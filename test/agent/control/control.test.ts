import { statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createControlClient } from "../../../agent/control/client.js";
import { type ControlRequest, RefusedError } from "../../../agent/control/protocol.js";
import { createControlServer } from "../../../agent/control/server.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";
import { createRecordingLog } from "../../simulated/log.js";

async function serve(perform: (request: ControlRequest) => Promise<unknown>) {
  const path = join(temporaryDirectory(), "control.sock");
  const server = await createControlServer({ path, group: undefined, perform, log: createRecordingLog() });
  return { path, server };
}

/** What the service answers to these bytes, until it has ended the connection or has said a line. */
function send(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      if (text.includes("\n")) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text.trim()));
  });
}

test("a request is answered, a refusal is told in its own words", async () => {
  const { path, server } = await serve(async (request) => {
    if (request.method === "release") throw new RefusedError("the agent is starting: try again");
    return { before: request.method };
  });
  const client = createControlClient(path);
  expect(await client.ask<"logLevel">({ method: "logLevel", level: "debug" })).toEqual({
    before: "logLevel",
  });
  await expect(client.ask<"release">({ method: "release" })).rejects.toThrow(
    "the agent is starting: try again",
  );
  client.close();
  await server.close();
});

test.each([
  ["no JSON", "hello\n", '"code":"request"'],
  ["a method that there is not", '{"v":1,"id":7,"method":"format"}\n', '"id":7,"error":{"code":"request"'],
  ["a level that there is not", '{"v":1,"id":7,"method":"logLevel","level":"x"}\n', '"code":"request"'],
  ["another version", '{"v":2,"id":7,"method":"status"}\n', '"id":7,"error":{"code":"version"'],
  ["a line without end", "x".repeat(10_000), ""],
])("%s does not reach the agent", async (_, bytes, answer) => {
  const performed: unknown[] = [];
  const { path, server } = await serve(async (request) => void performed.push(request));
  expect(await send(path, bytes)).toContain(answer);
  expect(performed).toEqual([]);
  await server.close();
});

test("a flood of requests on one connection ends it", async () => {
  const { path, server } = await serve(() => new Promise(() => undefined));
  expect(await send(path, '{"v":1,"id":1,"method":"status"}\n'.repeat(100))).toBe("");
  await server.close();
});

test("no more connections than are good are held", async () => {
  const { path, server } = await serve(async () => "here");
  const idle = await Promise.all(
    Array.from(
      { length: 32 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(path, () => resolve(socket));
        }),
    ),
  );
  expect(await send(path, '{"v":1,"id":1,"method":"status"}\n')).toBe("");
  for (const socket of idle) socket.destroy();
  await server.close();
});

test("the socket is for its user and its group, and takes the place of one that was left behind", async () => {
  const { path, server } = await serve(async () => "first");
  expect(statSync(path).mode & 0o777).toBe(0o660);
  const again = createControlServer({
    path,
    group: undefined,
    perform: async () => "",
    log: createRecordingLog(),
  });
  await expect(again).rejects.toThrow(`another agent listens on ${path}`);
  await server.close();
});

test("what is no socket is left alone, and a group that there is not is named", async () => {
  const folder = temporaryDirectory();
  const options = { group: undefined, perform: async () => "", log: createRecordingLog() };
  writeFileSync(join(folder, "file"), "");
  await expect(createControlServer({ ...options, path: join(folder, "file") })).rejects.toThrow(
    "is no socket",
  );
  const grouped = createControlServer({ ...options, path: join(folder, "s"), group: "no-such-group" });
  await expect(grouped).rejects.toThrow("control.group: there is no group no-such-group: make it");
  await expect(createControlServer({ ...options, path: join(folder, "x".repeat(108)) })).rejects.toThrow(
    "too long",
  );
});
