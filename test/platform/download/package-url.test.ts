import { describe, expect, test } from "vitest";
import { display, parsePackageUrl, redirectTarget } from "../../../platform/download/package-url.js";

test.each([
  ["", "invalid-uri"],
  ["firmware.bin", "invalid-uri"],
  ["http://", "invalid-uri"],
  ["http://host:99999/x", "invalid-uri"],
  ["ftp://host/x", "unsupported-protocol"],
  ["file:///etc/passwd", "unsupported-protocol"],
])("%j is refused as %s", (uri, failure) => {
  expect(() => parsePackageUrl(uri)).toThrow(expect.objectContaining({ name: "PackageError", failure }));
});

test("neither password nor query is shown", () => {
  const url = new URL("https://user:secret@images.example:8443/fw.bin?signature=secret#x");
  expect(display(url)).toBe("https://images.example:8443/fw.bin");
});

describe("a redirection", () => {
  const from = new URL("https://images.example/a/fw.bin");
  const follow = (location: string | undefined, visited = [from.href]) =>
    redirectTarget(from, location, visited);

  test("may be relative, and may lead to another host", () => {
    expect(follow("../b/fw.bin").href).toBe("https://images.example/b/fw.bin");
    expect(follow("https://cdn.example/fw.bin").href).toBe("https://cdn.example/fw.bin");
  });

  test("does not take the password to another host", () => {
    const secret = new URL("https://user:secret@images.example/fw.bin");
    expect(redirectTarget(secret, "https://cdn.example/fw.bin", []).href).toBe("https://cdn.example/fw.bin");
  });

  test("from http to https is followed, from https to http never", () => {
    const plain = new URL("http://images.example/fw.bin");
    expect(redirectTarget(plain, "https://images.example/fw.bin", []).protocol).toBe("https:");
    expect(() => follow("http://images.example/fw.bin")).toThrow(
      "https://images.example/a/fw.bin redirects to http://images.example/fw.bin, which is not protected by TLS",
    );
  });

  test.each([
    ["no address", undefined, "invalid-uri"],
    ["a malformed address", "https://:0:0", "invalid-uri"],
    ["another protocol", "ftp://images.example/fw.bin", "unsupported-protocol"],
    ["where it came from", "fw.bin", "invalid-uri"],
  ])("to %s is refused", (_, location, failure) => {
    expect(() => follow(location)).toThrow(expect.objectContaining({ failure }));
  });
});
