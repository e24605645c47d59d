import { expect, test } from "vitest";
import { checkDownloadOptions, type DownloadOptions, parsePin } from "../../../agent/download/options.js";
import { millis } from "../../../agent/ports.js";

test("options that make sense pass", () => {
  checkDownloadOptions({});
  checkDownloadOptions({
    protocols: ["https"],
    minimumRate: 0,
    redirects: 0,
    startDelay: millis(0),
    bandwidthLimit: 100_000,
    windows: [{ from: "22:00", to: "04:00" }],
    tls: { certificateFile: "/c.pem", keyFile: "/k.pem", pinnedKeys: [`sha256//${"A".repeat(43)}=`] },
  });
});

test.each<[DownloadOptions, string]>([
  [{ stallTimeout: millis(0) }, "stallTimeout has to be above 0"],
  [{ attempts: Number.NaN }, "attempts has to be above 0"],
  [{ bandwidthLimit: -1 }, "bandwidthLimit has to be above 0"],
  [{ reservedSpace: -1 }, "reservedSpace cannot be negative"],
  [{ redirects: 11 }, "redirects can be 10 at most"],
  [{ windows: [{ from: "x", to: "04:00" }] }, 'windows: "x" is no time of day as 22:30'],
  [{ tls: { keyFile: "/k.pem" } }, "tls.certificateFile and tls.keyFile go together: give both or none"],
  [{ tls: { pinnedKeys: ["abc"] } }, 'tls.pinnedKeys: "abc" is no SHA-256 in base64 or hexadecimal'],
])("%j are refused", (options, fault) =>
  expect(() => checkDownloadOptions(options)).toThrow(`downloads: ${fault}`),
);

test("all faults are named at once", () =>
  expect(() => checkDownloadOptions({ attempts: 0, startDelay: millis(-1) })).toThrow(
    "downloads: attempts has to be above 0; startDelay cannot be negative",
  ));

const hexadecimal = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
test.each([
  ["sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", hexadecimal],
  ["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", hexadecimal],
  ["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", hexadecimal],
  [hexadecimal.toUpperCase(), hexadecimal],
  [hexadecimal.slice(1), undefined],
  ["", undefined],
])("the pin %s is %s", (pin, expected) => expect(parsePin(pin)).toBe(expected));
