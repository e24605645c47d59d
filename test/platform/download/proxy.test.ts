import { expect, test } from "vitest";
import { createProxyChoice, type Environment } from "../../../platform/download/proxy.js";

const chosen = (environment: Environment, target: string) =>
  createProxyChoice("environment", environment)(new URL(target))?.host;

test.each<[Environment, string, string | undefined]>([
  [{}, "http://example.com/", undefined],
  [{ http_proxy: "http://p:3128" }, "http://example.com/", "p:3128"],
  [{ http_proxy: "http://p:3128" }, "https://example.com/", undefined],
  [{ http_proxy: "p:3128" }, "http://example.com/", "p:3128"],
  [{ HTTP_PROXY: "http://p:3128" }, "http://example.com/", undefined],
  [{ HTTPS_PROXY: "http://p:3128" }, "https://example.com/", "p:3128"],
  [{ https_proxy: "http://a:1", HTTPS_PROXY: "http://b:2" }, "https://example.com/", "a:1"],
  [{ all_proxy: "http://p:3128" }, "https://example.com/", "p:3128"],
  [{ ALL_PROXY: "http://p:3128", http_proxy: "http://q:1" }, "http://example.com/", "q:1"],
  [{ http_proxy: "" }, "http://example.com/", undefined],
])("the environment %j has for %s the proxy %s", (environment, target, expected) =>
  expect(chosen(environment, target)).toBe(expected),
);

test.each<[string, string, boolean]>([
  ["*", "http://example.com/", true],
  ["example.com", "http://example.com/", true],
  ["example.com", "http://www.example.com/", true],
  [".example.com", "http://www.example.com/", true],
  ["*.example.com", "http://www.example.com/", true],
  ["example.com", "http://notexample.com/", false],
  ["EXAMPLE.com", "http://example.com/", true],
  ["example.com:8080", "http://example.com:8080/", true],
  ["example.com:8080", "http://example.com/", false],
  ["other.org, example.com", "http://example.com/", true],
  ["other.org example.com", "http://example.com/", true],
  ["192.0.2.1", "http://192.0.2.1/", true],
  ["192.0.2.1", "http://192.0.2.10/", false],
  ["192.0.2.0/24", "http://192.0.2.10/", true],
  ["192.0.2.0/24", "http://192.0.3.10/", false],
  ["192.0.2.0/33", "http://192.0.2.1/", false],
  ["2001:db8::1", "http://[2001:db8::1]/", true],
  ["[2001:db8::1]", "http://[2001:db8:0::1]/", true],
  ["2001:db8::/32", "http://[2001:db8:1::1]/", true],
  ["2.1", "http://192.0.2.1/", false],
  ["", "http://example.com/", false],
  ["", "http://localhost:8080/", true],
  ["", "http://127.0.0.2/", true],
  ["", "http://[::1]/", true],
  ["", "http://localhost.example.com/", false],
])("no_proxy=%s takes %s past the proxy: %s", (no_proxy, target, expected) =>
  expect(chosen({ http_proxy: "http://p:1", no_proxy }, target)).toBe(expected ? undefined : "p:1"),
);

test("an address that is none is said to be one, with its source", () => {
  expect(() => createProxyChoice("environment", { https_proxy: "http://" })).toThrow(
    "https_proxy is no address of a proxy: a proxy looks like http://proxy.example.com:3128",
  );
  expect(() => createProxyChoice({ url: "socks5://p:1080" })).toThrow(
    "downloads.proxy.url: a proxy is spoken to by",
  );
});

test("configured hosts go past the configured proxy", () => {
  const choice = createProxyChoice(
    { url: "http://p:1", bypass: ["example.com"] },
    { http_proxy: "http://q:2" },
  );
  expect(choice(new URL("http://example.com/"))).toBeUndefined();
  expect(choice(new URL("https://example.org/"))?.host).toBe("p:1");
});
