import { expect, test } from "vitest";
import {
  createScrubber,
  maskConfiguration,
  maskUrls,
  showRecord,
} from "../../../../agent/service/diagnostics/redaction.js";

test("addresses keep what is needed to understand them", () => {
  expect(maskUrls("from https://me:pass@fw.example.com:8443/a/b.bin?sig=abc&x=1#top, then coap://x")).toBe(
    "from https://(not shown)@fw.example.com:8443/a/b.bin?(not shown)#top, then coap://x",
  );
  expect(maskUrls('{"uri":"coap://[2001:db8::1]:5683/rd?ep=a"}')).toBe(
    '{"uri":"coap://[2001:db8::1]:5683/rd?(not shown)"}',
  );
});

test("a configuration keeps its paths and loses what looks like a secret", () => {
  const shown = maskConfiguration({
    downloads: {
      tls: { key: { file: "/etc/key.pem" } },
      proxy: { uri: "http://u:p@proxy:3128", password: "abc" },
    },
    firmware: {
      keys: ["/etc/lwm2m-agent/keys"],
      health: {
        program: "/bin/probe",
        arguments: ["--token", "t1", "--url=http://x/?k=1", "API_KEY=k2", "-v"],
      },
    },
    port: 1,
  });
  expect(shown).toEqual({
    downloads: {
      tls: { key: { file: "/etc/key.pem" } },
      proxy: { uri: "http://(not shown)@proxy:3128", password: "(not shown)" },
    },
    firmware: {
      keys: ["/etc/lwm2m-agent/keys"],
      health: {
        program: "/bin/probe",
        arguments: ["--token", "(not shown)", "--url=http://x/?(not shown)", "API_KEY=(not shown)", "-v"],
      },
    },
    port: 1,
  });
});

test.each(["configuration", "observations", "notifications", "object-11", "device", "lock", "unknown"])(
  "nothing of the record %s is shown",
  (name) => {
    expect(showRecord(name, '{"version":1,"content":"x"}')).toBeUndefined();
  },
);

test("accounts that are no record are not shown at all", () => {
  expect(showRecord("accounts", "616263")).toBeUndefined();
  expect(showRecord("accounts", '{"version":1,"content":{}}')).toBeUndefined();
});

test("a secret is found as text, escaped, in hexadecimal and in base64", () => {
  const secret = Buffer.from('q"9/key-of-pump');
  const scrub = createScrubber([secret, Buffer.from("ab")]);
  for (const form of [
    secret.toString(),
    JSON.stringify(secret.toString()),
    secret.toString("hex"),
    secret.toString("hex").toUpperCase(),
    secret.toString("base64"),
    secret.toString("base64url"),
  ]) {
    expect(scrub(`before ${form} after`)).toMatch(/^before "?\(secret\)=*"? after$/);
  }
  expect(scrub("about")).toBe("about"); // too short to be told from chance
});
