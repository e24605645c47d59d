import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSecret } from "../../../agent/config/secrets.js";
import { temporaryDirectory } from "../../platform/files/temporary-directory.js";

const self = process.getuid?.() ?? 0;
const context = { key: "downloads.proxy.password", credentialsDirectory: undefined, uid: self };

function file(content: string, mode: number): string {
  const path = join(temporaryDirectory(), "secret");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const textOf = async (...args: Parameters<typeof readSecret>) =>
  Buffer.from(await readSecret(...args)).toString();

test.each([0o600, 0o400, 0o640])(
  "a file of mode %o is read, without the line break at its end",
  async (mode) => {
    expect(await textOf({ file: file("hunter2\n", mode) }, context)).toBe("hunter2");
  },
);

test.each([
  [0o644, "mode 644"],
  [0o660, "mode 660"],
  [0o602, "mode 602"],
])("a file of mode %o is refused, and what is in it not told", async (mode, shown) => {
  const secret = readSecret({ file: file("hunter2", mode) }, context);
  await expect(secret).rejects.toThrow(/^downloads\.proxy\.password: \/.* is open to other users/);
  await expect(secret).rejects.toThrow(shown);
  await expect(secret).rejects.not.toThrow("hunter2");
});

test("what is no file, empty, too large or not there is named with its key", async () => {
  const folder = temporaryDirectory();
  const secret = (path: string) => readSecret({ file: path }, context);
  await expect(secret(folder)).rejects.toThrow("is no file");
  await expect(secret(file("", 0o600))).rejects.toThrow("is empty");
  await expect(secret(file("x".repeat(65_537), 0o600))).rejects.toThrow("more than 65536 bytes");
  await expect(secret(join(folder, "none"))).rejects.toThrow("no such file or directory (ENOENT)");
});

test("a credential is taken from systemd, whatever the mode there", async () => {
  const credentialsDirectory = temporaryDirectory();
  mkdirSync(credentialsDirectory, { recursive: true });
  writeFileSync(join(credentialsDirectory, "proxy"), "hunter2");
  expect(await textOf({ credential: "proxy" }, { ...context, credentialsDirectory })).toBe("hunter2");
  await expect(readSecret({ credential: "proxy" }, context)).rejects.toThrow(
    "downloads.proxy.password: the credential proxy is not there: add LoadCredential=proxy:/path to the unit",
  );
});

test("a file of somebody else's, who could change it, is refused", async () => {
  const path = file("hunter2", 0o600);
  if (self === 0) (await import("node:fs")).chownSync(path, 12_345, 0);
  const reader = self === 0 ? 0 : self + 1;
  await expect(readSecret({ file: path }, { ...context, uid: reader })).rejects.toThrow(
    `belongs to user ${self === 0 ? 12_345 : self}, who could change it: chown it to root or to user ${reader}`,
  );
});
