import { expect, test } from "vitest";
import { generateKeys, keyIdOf } from "../../../platform/package/keys.js";
import { formatManifest, type Manifest, parseManifest } from "../../../platform/package/manifest.js";
import {
  checkSignature,
  formatSignatureFile,
  parseSignatureFile,
  signManifest,
} from "../../../platform/package/signature.js";
import { displayUri, signatureUri } from "../../../platform/package/signature-uri.js";
import { description, testKeys } from "./packages.js";

const { privateKey, publicKey } = testKeys;
const signed = signManifest(description({ "root.img": Buffer.from("image") }), privateKey);
const { manifest } = signed;
const trusted = { id: keyIdOf(publicKey), key: publicKey, source: "release.pub" };
const text = Buffer.from(formatSignatureFile(signed)).toString();

const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
/** The members as they are written, with some of them other. */
const changed = (members: object) =>
  bytesOf({ ...JSON.parse(Buffer.from(signed.bytes).toString()), ...members });
const withFile = (members: object) => changed({ files: [{ ...manifest.files[0], ...members }] });

test("a manifest comes back as it was", () => {
  expect(parseManifest(signed.bytes)).toEqual(manifest);
  expect(parseManifest(formatManifest(manifest))).toEqual(manifest);
});

const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
const filesNamed = (count: number) => names(count).map((name) => ({ ...manifest.files[0], name }));
const refusals: readonly (readonly [what: string, bytes: Uint8Array, message: string])[] = [
  ["nothing", Buffer.alloc(0), "it is not JSON"],
  ["an endless manifest", Buffer.alloc(64 * 1024 + 1, " "), "it has 65537 bytes, and 65536 are the most"],
  ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "it is not JSON"],
  ["a byte order mark", Buffer.from(`\ufeff${signed.bytes}`), "it is not JSON"],
  ["deep brackets", Buffer.alloc(64 * 1024, "["), "it is not JSON"],
  ["a list", bytesOf([]), "it is not a JSON object"],
  ["null", bytesOf(null), "it is not a JSON object"],
  ["another format", changed({ format: "lwm2m-agent package 2" }), 'its "format" is not'],
  ["a member more", changed({ script: "rm" }), 'a member that is not known: "script"'],
  ["a prototype", Buffer.from(`{"format":"lwm2m-agent package 1","__proto__":{}}`), '"__proto__"'],
  ["no name", changed({ name: undefined }), 'its "name" is not a text'],
  ["an empty name", changed({ name: "" }), 'its "name" is not'],
  ["a name as number", changed({ name: 1 }), 'its "name" is not'],
  ["a long name", changed({ name: "n".repeat(129) }), 'its "name" is not'],
  ["a name with a colour", changed({ name: "\u001b[31mred" }), 'its "name" is not'],
  ["a version of two lines", changed({ version: "1\n2" }), 'its "version" is not'],
  ["a version that turns its direction", changed({ version: "1\u202e2" }), 'its "version" is not'],
  ["blanks around the version", changed({ version: " 1" }), 'its "version" is not'],
  ["no compatible board", changed({ compatible: [] }), 'its "compatible" does not list 1 to 64 names'],
  ["one compatible board outside of a list", changed({ compatible: "edison" }), 'its "compatible" does not'],
  ["too many boards", changed({ compatible: names(65) }), 'its "compatible" does not list'],
  ["a board that is no text", changed({ compatible: [1] }), 'a name in its "compatible" is not'],
  ["a short key ID", changed({ keyId: "0123" }), 'its "keyId" does not consist of 16'],
  ["a key ID in capitals", changed({ keyId: "0123456789ABCDEF" }), 'its "keyId" does not'],
  ["no files", changed({ files: [] }), 'its "files" does not list 1 to 64 files'],
  ["too many files", changed({ files: filesNamed(65) }), 'its "files" does not list'],
  ["a file that is none", changed({ files: [null] }), 'an entry of its "files"'],
  ["a file with more", withFile({ mode: 0o4755 }), 'an entry of its "files"'],
  ["a size of 0", withFile({ size: 0 }), 'the "size" of root.img is not'],
  ["a size with a fraction", withFile({ size: 1.5 }), 'the "size" of root.img is not'],
  ["a size beyond tar", withFile({ size: 8 ** 11 }), 'the "size" of root.img is not'],
  ["a size as text", withFile({ size: "5" }), 'the "size" of root.img is not'],
  ["a digest in capitals", withFile({ sha256: "A".repeat(64) }), 'the "sha256" of root.img'],
  ["a short digest", withFile({ sha256: "a".repeat(63) }), 'the "sha256" of root.img'],
];

test.each(refusals)("a manifest with %s is refused", (_, bytes, message) => {
  expect(() => parseManifest(bytes)).toThrow(
    expect.objectContaining({
      name: "PackageError",
      failure: "unsupported-package",
      message: expect.stringContaining(message),
    }),
  );
});

test("the signer refuses what the device would refuse", () => {
  const wrong: Omit<Manifest, "keyId"> = {
    ...description({ "root.img": Buffer.from("image") }),
    version: "",
  };
  expect(() => signManifest(wrong, privateKey)).toThrow('its "version" is not');
});

test("a signature file has three parts that tools can take apart", () => {
  const [first, second = "", ...rest] = text.split("\n");
  expect(first).toBe("lwm2m-agent signature 1");
  expect(Buffer.from(second, "base64")).toEqual(Buffer.from(signed.signature));
  expect(rest.join("\n")).toBe(Buffer.from(signed.bytes).toString());
  expect(parseSignatureFile(Buffer.from(text))).toMatchObject({ manifest });
  expect(checkSignature(parseSignatureFile(Buffer.from(text)), [trusted], "it")).toBe(trusted);
});

test.each([
  ["nothing", "", "it does not begin as one"],
  ["a web page", "<!doctype html><title>Log in</title>", "it does not begin as one"],
  ["a newer version", text.replace("signature 1", "signature 2"), "it does not begin as one"],
  ["a signature that is no Base64", text.replace(/\n./, "\n!"), "its second line"],
  ["a signature that is too long", text.replace(/==\n/, "AA==\n"), "its second line"],
  ["a signature that is too short", text.replace(/\n..../, "\n"), "its second line"],
])("a signature file with %s is refused", (_, content, message) => {
  expect(() => parseSignatureFile(Buffer.from(content))).toThrow(
    expect.objectContaining({ failure: "integrity", message: expect.stringContaining(message) }),
  );
});

test("a signature file that is cut anywhere is refused", () => {
  const file = Buffer.from(text.trimEnd());
  for (let length = 0; length < file.length; length++) {
    expect(() => parseSignatureFile(file.subarray(0, length))).toThrow(
      expect.objectContaining({ name: "PackageError" }),
    );
  }
});

test("a key that is not trusted has not signed anything", () => {
  expect(() => checkSignature(signed, [], "the package")).toThrow(
    `the package is signed by the key ${trusted.id}, which is not trusted here`,
  );
});

test("no changed bit of manifest or signature is signed", () => {
  for (let bit = 0; bit < 8 * signed.signature.length; bit += 5) {
    const signature = Buffer.from(signed.signature);
    signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => checkSignature({ ...signed, signature }, [trusted], "it")).toThrow(
      `it has a signature that the key ${trusted.id} did not make`,
    );
  }
  for (let at = 0; at < signed.bytes.length; at += 7) {
    const bytes = Buffer.from(signed.bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    expect(() => checkSignature({ ...signed, bytes }, [trusted], "it")).toThrow("did not make");
  }
});

test("two keys of one ID are told apart by the signature", () => {
  const other = { ...trusted, key: generateKeys().publicKey, source: "forged.pub" };
  expect(checkSignature(signed, [other, trusted], "it")).toBe(trusted);
  expect(() => checkSignature(signed, [other], "it")).toThrow("did not make");
});

test.each([
  ["http://host/fw.bin", "http://host/fw.bin.sig"],
  ["http://host/fw.bin?token=a/b?c", "http://host/fw.bin.sig?token=a/b?c"],
  ["https://host/fw.bin#part?x", "https://host/fw.bin.sig#part?x"],
  ["coap://[2001:db8::1]:5683/fw/1", "coap://[2001:db8::1]:5683/fw/1.sig"],
])("the signature of %s lies at %s", (uri, beside) => expect(signatureUri(uri)).toBe(beside));

test("an address in a message has neither password nor query", () => {
  expect(displayUri("https://user:secret@host/fw.bin.sig?token=secret")).toBe("https://host/fw.bin.sig");
  expect(displayUri("secret")).toBe("an address that is none");
});
