import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Board, BusyError, type ImageFile, PackageError, seconds } from "../../../../agent/ports.js";
import { createRemoteBoard } from "../../../../platform/boards/remote/board.js";
import { serveBoard } from "../../../../platform/boards/remote/server.js";
import { createVault } from "../../../../platform/boards/remote/vault.js";
import { createSystemClock } from "../../../../platform/clock.js";
import { createSimulatedClock, settle } from "../../../simulated/clock.js";
import { createRecordingLog } from "../../../simulated/log.js";
import { temporaryDirectory } from "../../files/temporary-directory.js";
import { type BoardHarness, boardContract } from "../board.contract.js";
import { createTwoSlotWorld } from "../command/two-slots.js";
import { createHelperWorld } from "./world.js";

boardContract("the board behind the helper", async (): Promise<BoardHarness> => {
  const behind = await createTwoSlotWorld();
  const helper = await createHelperWorld(behind.board);
  const after = (boot: () => Promise<Board>) => async () => {
    await helper.restart(await boot());
    return helper.board;
  };
  return {
    ...behind,
    board: helper.board,
    goodImage: helper.keep(behind.goodImage),
    badImage: helper.keep(behind.badImage, "bad"),
    reboot: after(behind.reboot),
    fallBack: after(() => (behind.fallBack as () => Promise<Board>)()),
  };
});

const never = new AbortController().signal;
const clock = createSystemClock();

/** A board that does what a test says, and notes what it was asked. */
function scriptedBoard(
  calls: Partial<Board> = {},
): Board & { readonly asked: string[]; readonly images: ImageFile[] } {
  const asked: string[] = [];
  const images: ImageFile[] = [];
  const note = <T>(name: string, value: T) => {
    asked.push(name);
    return Promise.resolve(value);
  };
  return {
    asked,
    images,
    name: "scripted",
    bootId: () => note("bootId", "boot-1"),
    describe: () =>
      note("describe", {
        manufacturer: "Acme",
        modelNumber: "M",
        serialNumber: "1",
        hardwareVersion: "C",
        firmwareVersion: "1.0",
      }),
    inspect: (image) => {
      images.push(image);
      return note("inspect", { name: "fw", version: "2.0" });
    },
    apply: (image) => {
      images.push(image);
      return note("apply", "restart" as const);
    },
    outcome: () => note("outcome", "new" as const),
    commit: () => note("commit", undefined),
    revert: () => note("revert", "done" as const),
    restart: () => note("restart", undefined),
    factoryReset: () => note("factoryReset", undefined),
    ...calls,
  };
}

function imageIn(folder: string, text = "firmware", name = "package"): ImageFile {
  const path = join(folder, name);
  writeFileSync(path, text);
  return { path, size: text.length, sha256: createHash("sha256").update(text).digest("hex") };
}

test("what the board answers comes back as it is", async () => {
  const board = scriptedBoard({
    check: async () => [{ level: "warning", found: "the watchdog is off", remedy: "turn it on" }],
  });
  const { board: remote } = await createHelperWorld(board);
  expect(await remote.bootId()).toBe("boot-1");
  expect(await remote.describe()).toEqual(await board.describe());
  expect(await remote.check?.()).toEqual([
    { level: "warning", found: "the watchdog is off", remedy: "turn it on" },
  ]);
  await remote.factoryReset();
  expect(board.asked).toContain("factoryReset");
});

test.each([
  new PackageError("storage", "the slot is too small"),
  new PackageError("integrity", "wrong signature"),
  new BusyError("the modem is in use"),
  new Error("the board is on fire"),
])("what the board refuses comes back as what it is: %s", async (error) => {
  const { board, packages } = await createHelperWorld(scriptedBoard({ apply: () => Promise.reject(error) }));
  const applying = board.apply(imageIn(packages), { signal: never, progress: () => {}, attempt: "1" });
  const { name, message } = error;
  await expect(applying).rejects.toMatchObject({
    name,
    message,
    ...(error instanceof PackageError && { failure: error.failure }),
  });
});

test("the board works with a copy of the helper's own, which nobody else can read or change", async () => {
  const behind = scriptedBoard();
  const { board, packages, vaultFolder } = await createHelperWorld(behind);
  const image = imageIn(packages);
  await board.inspect(image, { signal: never });
  const copy = behind.images[0]?.path ?? "";
  expect(copy).toBe(join(vaultFolder, image.sha256));
  expect((statSync(vaultFolder).mode & 0o777).toString(8)).toBe("700");
  expect((statSync(copy).mode & 0o777).toString(8)).toBe("600");
  writeFileSync(image.path, "evil ware"); // what the agent does afterwards does not matter
  await board.apply(image, { signal: never, progress: () => {}, attempt: "1" });
  expect(behind.images[1]?.path).toBe(copy);
  await board.commit();
  expect(readdirSync(vaultFolder)).toEqual([]);
});

test("a package that the verifier does not trust never reaches the board", async () => {
  const behind = scriptedBoard();
  const seen: string[] = [];
  const verifier = {
    verify: async (image: ImageFile) => {
      seen.push(image.path);
      throw new PackageError("integrity", "it is not signed by a trusted key");
    },
  };
  const { board, packages, vaultFolder } = await createHelperWorld(behind, { verifier });
  const applying = board.apply(imageIn(packages), { signal: never, progress: () => {}, attempt: "1" });
  await expect(applying).rejects.toMatchObject({
    failure: "integrity",
    message: "it is not signed by a trusted key",
  });
  expect(behind.asked).toEqual([]);
  expect(seen[0]?.startsWith(vaultFolder)).toBe(true);
});

test("what was refused takes no room any more", async () => {
  const verifier = { verify: () => Promise.reject(new PackageError("integrity", "not signed")) };
  const { board, packages, vaultFolder } = await createHelperWorld(scriptedBoard(), { verifier });
  await expect(board.inspect(imageIn(packages), { signal: never })).rejects.toThrow("not signed");
  expect(readdirSync(vaultFolder)).toEqual([]);
});

test("while a package is installed, no other request takes it away", async () => {
  let finish = () => {};
  const behind = scriptedBoard({
    apply: () =>
      new Promise((resolve) => {
        finish = () => resolve("restart");
      }),
  });
  const { board, packages, vaultFolder } = await createHelperWorld(behind);
  const image = imageIn(packages);
  const apply = () => board.apply(image, { signal: never, progress: () => {}, attempt: "1" });
  const applying = apply();
  await expect.poll(() => readdirSync(vaultFolder)).toEqual([image.sha256]);
  const other = imageIn(packages, "another", "other");
  await expect(board.inspect(other, { signal: never })).rejects.toBeInstanceOf(BusyError);
  await expect(apply()).rejects.toBeInstanceOf(BusyError);
  await board.commit();
  expect(readdirSync(vaultFolder)).toEqual([image.sha256]);
  finish();
  await expect(applying).resolves.toBe("restart");
  await board.inspect(other, { signal: never });
});

test("after the boot the board is told of the helper's copy, not of a path that the agent chose", async () => {
  const told: string[] = [];
  const behind = scriptedBoard({
    outcome: async (attempt) => {
      told.push(attempt.image.path);
      return "new";
    },
  });
  const { board, vaultFolder } = await createHelperWorld(behind);
  const image: ImageFile = { path: "/etc/shadow", size: 1, sha256: "0".repeat(64) };
  const info = { name: "fw", version: "2.0" };
  await board.outcome({ id: "1", package: info, image, bootId: "b", previousVersion: "1.0" });
  expect(told).toEqual([join(vaultFolder, image.sha256)]);
});

test("an abort ends the work of the helper before it is the error", async () => {
  let hasEnded = false;
  const behind = scriptedBoard({
    apply: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          setTimeout(() => {
            hasEnded = true;
            reject(signal.reason);
          }, 30);
        });
      }),
  });
  const { board, packages } = await createHelperWorld(behind);
  const cut = new AbortController();
  const applying = board.apply(imageIn(packages), { signal: cut.signal, progress: () => {}, attempt: "1" });
  setTimeout(() => cut.abort(new Error("not wanted")), 50);
  await expect(applying).rejects.toThrow(/^not wanted$/);
  expect(hasEnded).toBe(true);
});

test("a helper that is not there, or ends in the middle, will be there again", async () => {
  const nobody = createRemoteBoard({ socket: "/no/such/socket", clock });
  await expect(nobody.describe()).rejects.toBeInstanceOf(BusyError);
  expect(await nobody.check?.()).toEqual([expect.objectContaining({ level: "error" })]);

  const behind = scriptedBoard({ apply: () => new Promise(() => {}) });
  const { board, packages, server } = await createHelperWorld(behind);
  const applying = board.apply(imageIn(packages), { signal: never, progress: () => {}, attempt: "1" });
  setTimeout(() => void server().close(), 50);
  await expect(applying).rejects.toMatchObject({
    name: "BusyError",
    message: "the helper ended before it answered",
  });
});

test.each([
  ["nonsense\n", "it is not a line of JSON"],
  ["{}\n", "expected text, found undefined"],
  ['{"result":7}\n', "expected text, found number"],
  ['{"progress":2}\n', "expected 0 to 1"],
  ['{"error":{"kind":"evil","message":""}}\n', "expected one of storage"],
  [`{"result":"${"x".repeat(300_000)}"}\n`, "a line is too long"],
])("an answer such as %j is not believed", async (answer, why) => {
  const path = join(temporaryDirectory(), "s");
  const liar = createServer((socket) => {
    socket.on("error", () => undefined); // the agent hangs up in the middle
    socket.end(answer);
  }).listen(path);
  onTestFinished(() => void liar.close());
  await expect(createRemoteBoard({ socket: path, clock }).bootId()).rejects.toThrow(
    `the helper is not understood: ${why}`,
  );
});

// ---- Strangers at the socket ----------------------------------------------------------------------------------------

/** Says something to the helper and collects what it answers until it hangs up. */
function say(path: string, words: string, options: { end?: boolean } = {}): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(path, () => {
      socket.write(words);
      if (options.end) socket.end();
    });
    socket.setEncoding("utf8");
    socket.on("data", (text) => (heard += text));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(heard));
  });
}

test.each([
  ["hello\n", "it is not a line of JSON"],
  ["null\n", "expected an object"],
  ['{"verb":"describe"}\n', "expected an integer"],
  ['{"version":2,"verb":"describe"}\n', "restart both after an upgrade"],
  ['{"version":1,"verb":"execute","command":"id"}\n', "expected one of bootId, describe"],
  ['{"version":1,"verb":"inspect"}\n', "expected an object"],
  ['{"version":1,"verb":"inspect","image":{"path":"package","size":1,"sha256":"00"}}\n', "an absolute path"],
  ['{"version":1,"verb":"inspect","image":{"path":"/a","size":-1,"sha256":"00"}}\n', "expected an integer"],
  ['{"version":1,"verb":"inspect","image":{"path":"/a","size":1,"sha256":"../x"}}\n', "a SHA-256"],
  [
    `{"version":1,"verb":"apply","attempt":"a b","image":{"path":"/a","size":1,"sha256":"${"0".repeat(64)}"}}\n`,
    "an attempt id",
  ],
])("a request such as %j is refused", async (request, why) => {
  const behind = scriptedBoard();
  const { socket } = await createHelperWorld(behind);
  const answer = JSON.parse(await say(socket, request));
  expect(answer.error).toEqual({ kind: "other", message: expect.stringContaining(why) });
  expect(behind.asked).toEqual([]);
});

test("a line without end, a second request and a hang-up without request end the connection alone", async () => {
  const behind = scriptedBoard();
  const { socket, board } = await createHelperWorld(behind);
  expect(await say(socket, "x".repeat(20_000))).toBe("");
  expect(await say(socket, "", { end: true })).toBe("");
  const twice = '{"version":1,"verb":"bootId"}\n';
  expect(await say(socket, twice + twice)).toBe('{"result":"boot-1"}\n');
  expect(behind.asked).toEqual(["bootId"]);
  expect(await board.bootId()).toBe("boot-1");
});

test("who connects and says nothing is not kept, and more than a few are not let in", async () => {
  const time = createSimulatedClock();
  const { socket, board } = await createHelperWorld(scriptedBoard(), { clock: time });
  let isOpen = true;
  const silent = connect(socket).on("error", () => undefined);
  silent.on("close", () => {
    isOpen = false;
  });
  await new Promise((resolve) => silent.once("connect", resolve));
  await settle();
  await time.advance(seconds(9));
  expect(isOpen).toBe(true);
  await time.advance(seconds(2));
  await expect.poll(() => isOpen).toBe(false);

  const crowd = Array.from({ length: 12 }, () => connect(socket).on("error", () => undefined));
  onTestFinished(() => crowd.forEach((one) => void one.destroy()));
  await Promise.all(crowd.map((one) => new Promise((resolve) => one.once("connect", resolve))));
  await expect.poll(() => crowd.filter((one) => one.closed).length).toBe(4);
  await expect(board.bootId()).rejects.toBeInstanceOf(BusyError);
});

test("who reads neither progress nor answer costs no memory, and is not kept", async () => {
  const time = createSimulatedClock();
  let isDone = false;
  const behind = scriptedBoard({
    apply: async (_, { progress }) => {
      for (let count = 0; count < 50_000; count++) {
        progress(count / 50_000, "x".repeat(200));
        if (count % 1000 === 0) await new Promise(setImmediate);
      }
      isDone = true;
      return "restart";
    },
  });
  const { socket, packages, server } = await createHelperWorld(behind, {
    clock: time,
    idleAfter: seconds(60),
  });
  let isIdle = false;
  void server().idle.then(() => {
    isIdle = true;
  });
  const request = { version: 1, verb: "apply", attempt: "1", image: imageIn(packages) };
  const deaf = connect({ path: socket, allowHalfOpen: true }).on("error", () => undefined);
  onTestFinished(() => void deaf.destroy());
  deaf.write(`${JSON.stringify(request)}\n`);
  await expect.poll(() => isDone, { timeout: 5000 }).toBe(true);
  await expect
    .poll(async () => {
      await time.advance(seconds(20)); // it is not kept as long as it likes: nothing else keeps the helper awake
      return isIdle;
    })
    .toBe(true);
  let heard = 0;
  deaf.on("data", (bytes) => (heard += bytes.length)); // what waited in the kernel, and nothing after it
  await new Promise((resolve) => deaf.once("end", resolve));
  expect(heard).toBeLessThan(1024 * 1024);
});

test("a helper that nobody asks says that it is idle, and not while it works", async () => {
  const time = createSimulatedClock();
  const { board, server } = await createHelperWorld(scriptedBoard(), { clock: time, idleAfter: seconds(60) });
  let isIdle = false;
  void server().idle.then(() => {
    isIdle = true;
  });
  await time.advance(seconds(59));
  expect(await board.bootId()).toBe("boot-1");
  await settle();
  await time.advance(seconds(59));
  expect(isIdle).toBe(false);
  await time.advance(seconds(2));
  expect(isIdle).toBe(true);
});

test("the socket is for its owner alone, or for the group that is named", async () => {
  const folder = temporaryDirectory();
  const path = join(folder, "s");
  const vault = createVault({ packageDirectory: folder, directory: join(folder, "vault") });
  const options = { vault, clock, log: createRecordingLog() };
  const alone = await serveBoard(scriptedBoard(), { path }, options);
  expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  await expect(serveBoard(scriptedBoard(), { path }, options)).rejects.toThrow(
    `another helper listens on ${path}`,
  );
  await alone.close();
  await alone.close();
  expect(existsSync(path)).toBe(false);

  const grouped = await serveBoard(scriptedBoard(), { path, group: process.getgid?.() ?? 0 }, options);
  onTestFinished(() => grouped.close());
  expect((statSync(path).mode & 0o777).toString(8)).toBe("660");
  const file = join(folder, "file");
  writeFileSync(file, "");
  await expect(serveBoard(scriptedBoard(), { path: file }, options)).rejects.toThrow(
    `${file} exists and is no socket`,
  );
});

test("the log says what was asked, and what was refused", async () => {
  const { board, log, socket } = await createHelperWorld(scriptedBoard());
  await board.restart();
  await say(socket, "evil\n");
  expect(log.lines.map(({ event, fields }) => `${event} ${fields["verb"]}`)).toEqual([
    "helper asked restart",
    "helper done restart",
    "helper refused undefined",
  ]);
});
