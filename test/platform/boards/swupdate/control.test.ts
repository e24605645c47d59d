import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { DecodeError } from "../../../../agent/model/errors.js";
import {
  ControlError,
  canReach,
  readLastErrors,
  readState,
  writeState,
} from "../../../../platform/boards/swupdate/control.js";
import {
  decodeAnswer,
  decodeNotification,
  decodeState,
  encodeNotifyStream,
  encodeSetState,
  formatState,
  messageSize,
  parseState,
  withoutPlace,
} from "../../../../platform/boards/swupdate/control-message.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createSeededRandom } from "../../../simulated/random.js";

/** As the daemon sends them, little-endian as the machines are that run these tests. */
function answer(type: number, data = "", size = messageSize): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(0x14052001, 0);
  bytes.writeUInt32LE(type, 4);
  bytes.write(data, 8, "latin1");
  return bytes;
}

function line(status: number, level: number, text: string): Buffer {
  const bytes = Buffer.alloc(messageSize);
  bytes.writeUInt32LE(status, 8);
  bytes.writeUInt32LE(level, 16);
  bytes.write(text, 20);
  return bytes;
}

describe("messages of the control socket", () => {
  test("a state is set as one digit, in a message of the size that the machine has", () => {
    const bytes = encodeSetState("testing", 3120);
    expect(bytes).toHaveLength(3120);
    expect(bytes.subarray(0, 16).toString("hex")).toBe("0120051407000000" + "3200000000000000");
    expect(encodeNotifyStream(3104).subarray(0, 8).toString("hex")).toBe("012005140b000000");
  });

  test.each(["ok", "installed", "testing", "failed", "unavailable", "error", "wait", "in-progress"] as const)(
    "%s is kept as a digit",
    (state) => {
      expect(parseState(formatState(state))).toBe(state);
      expect(decodeState(answer(1, formatState(state)))).toBe(state);
    },
  );

  test.each(["", "8", "x", "10"])("%j is no state", (digit) => {
    expect(() => parseState(digit)).toThrow(DecodeError);
  });

  test("no is no, with the daemon's words", () => {
    expect(() => decodeAnswer(answer(2, "Installation in progress"))).toThrow(/Installation in progress/);
    expect(() => decodeAnswer(answer(5))).toThrow(DecodeError);
    expect(() => decodeAnswer(Buffer.alloc(3120))).toThrow(DecodeError);
    expect(() => decodeAnswer(Buffer.alloc(3))).toThrow(DecodeError);
  });

  test("the place in the source is left out of a reason", () => {
    expect(withoutPlace("ERROR core/parser.c : parse : 216 : No downgrading allowed: new 2 <= 3")).toBe(
      "No downgrading allowed: new 2 <= 3",
    );
    expect(withoutPlace("ERROR : HASH mismatch : a <--> b")).toBe("HASH mismatch : a <--> b");
    expect(withoutPlace("Image invalid or corrupted.")).toBe("Image invalid or corrupted.");
  });

  test("random bytes are a message or a DecodeError", () => {
    const random = createSeededRandom(11);
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(random.bytes(random.integer(60)));
      for (const decode of [decodeState, decodeNotification, decodeAnswer]) {
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }
    }
  });
});

describe("the control socket", () => {
  const directory = mkdtempSync(join(tmpdir(), "control-"));
  const path = join(directory, "sockinstctrl");
  const options = { path, clock: createSystemClock() };
  let server: Server | undefined;
  const sockets: Socket[] = [];

  const listen = (serve: (socket: Socket) => void) =>
    new Promise<void>((resolve) => {
      server = createServer((socket) => {
        sockets.push(socket);
        socket.on("error", () => undefined);
        serve(socket);
      });
      server.listen(path, resolve);
    });
  const onMessage = (serve: (message: Buffer, socket: Socket) => void) => (socket: Socket) => {
    let received = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (received.length === messageSize) serve(received, socket);
    });
  };

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    server = undefined;
    rmSync(path, { force: true });
  });

  test("a state comes in pieces, too", async () => {
    await listen(
      onMessage((message, socket) => {
        expect(message.readUInt32LE(4)).toBe(8);
        socket.write(answer(1, "1").subarray(0, 100));
        setImmediate(() => socket.write(answer(1, "1").subarray(100)));
      }),
    );
    expect(await readState(options)).toBe("installed");
  });

  test("a daemon that cannot keep the state says no", async () => {
    await listen(onMessage((_, socket) => socket.write(answer(2))));
    await expect(writeState(options, "ok")).rejects.toThrow(ControlError);
  });

  test("the errors of the run before last are not those of the last", async () => {
    await listen(
      onMessage((_, socket) => {
        const lines = [
          line(1, 3, "Software Update started !"),
          line(4, 1, "ERROR : an old one"),
          line(1, 3, "Software Update started !"),
          line(2, 3, "all right so far"),
          line(4, 1, "ERROR core/stream_interface.c : extract_files : 187 : SW not compatible with hardware"),
        ];
        socket.write(Buffer.concat([answer(1), ...lines]));
      }),
    );
    expect(await readLastErrors(options)).toEqual(["SW not compatible with hardware"]);
  });

  test.each([
    ["hangs up", (socket: Socket) => socket.on("data", () => socket.destroy())],
    ["is something else", (socket: Socket) => socket.write("HTTP/1.1 400 Bad Request\r\n".repeat(200))],
  ])("one that %s is a ControlError", async (_, serve) => {
    await listen(serve);
    await expect(readState(options)).rejects.toThrow(ControlError);
  });

  test("nobody there is a ControlError that names the socket", async () => {
    await expect(readState(options)).rejects.toThrow(path);
    expect(await canReach(options)).toBe(false);
    await listen(() => undefined);
    expect(await canReach(options)).toBe(true);
  });
});
