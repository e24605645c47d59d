import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { askPassphrase } from "../../../agent/cli/passphrase.js";

/** A terminal at which somebody types. */
function terminal({ isTTY = true } = {}) {
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode(mode: boolean) {
      modes.push(mode);
      return this;
    },
  });
  const output = new PassThrough();
  const ask = () => askPassphrase("Passphrase: ", { input: input as unknown as NodeJS.ReadStream, output });
  return { ask, input, modes, shown: () => output.read()?.toString() as string };
}

test("what is typed is not shown, and an erased character does not count", async () => {
  const { ask, input, modes, shown } = terminal();
  const asked = ask();
  for (const piece of ["se", "x\u007f", "cre\b\bret\r"]) input.write(piece);
  expect(await asked).toBe("secret");
  expect(shown()).toBe("Passphrase: \n");
  expect(modes).toEqual([true, false]);
});

test("one after the other can be asked for at the same terminal", async () => {
  const { ask, input } = terminal();
  const first = ask();
  input.write("one\r");
  expect(await first).toBe("one");
  const second = ask();
  input.write("zwölf\n");
  expect(await second).toBe("zwölf");
});

test("what is typed ahead answers the next question", async () => {
  const { ask, input } = terminal();
  input.write("one\rtwo\rthr");
  expect([await ask(), await ask()]).toEqual(["one", "two"]);
  const third = ask();
  input.write("ee\r");
  expect(await third).toBe("three");
});

test.each([
  ["Ctrl-C", "se\u0003", "stopped"],
  ["Ctrl-D", "\u0004", "stopped"],
  ["nothing", "\r", "an empty passphrase protects nothing"],
])("%s gives no passphrase, and the terminal is as before", async (_, typed, message) => {
  const { ask, input, modes } = terminal();
  const asked = ask();
  input.write(typed);
  await expect(asked).rejects.toThrow(message);
  expect(modes).toEqual([true, false]);
});

test("without a terminal nobody is asked", async () => {
  await expect(terminal({ isTTY: false }).ask()).rejects.toThrow("give it by --passphrase-file");
});
