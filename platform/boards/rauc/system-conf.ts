import { dirname, resolve } from "node:path";

/** What of RAUC's `system.conf` matters to us. Absolute paths; undefined where it says nothing. */
export interface SystemConf {
  readonly compatible: string | undefined;
  readonly bootloader: string | undefined;
  readonly mountPrefix: string;
  readonly keyringPath: string | undefined;
  readonly keyringDirectory: string | undefined;
  /** Where slot status is kept for all slots together. */
  readonly hasCentralStatus: boolean;
  readonly bundleFormats: ReadonlySet<BundleFormat>;
}

export type BundleFormat = "plain" | "verity" | "crypt";
const allFormats: readonly BundleFormat[] = ["plain", "verity", "crypt"];

/** Relative paths begin where the file is. @see RAUC Reference, "System Configuration File" */
export function parseSystemConf(text: string, path: string): SystemConf {
  const values = parseKeyFile(text);
  const pathOf = (key: string) => {
    const value = values.get(key);
    return value === undefined ? undefined : resolve(dirname(path), value);
  };
  return {
    compatible: values.get("system.compatible"),
    bootloader: values.get("system.bootloader"),
    mountPrefix: pathOf("system.mountprefix") ?? "/mnt/rauc",
    keyringPath: pathOf("keyring.path"),
    keyringDirectory: pathOf("keyring.directory"),
    hasCentralStatus:
      values.has("system.data-directory") || (values.get("system.statusfile") ?? "per-slot") !== "per-slot",
    bundleFormats: parseFormats(values.get("system.bundle-formats") ?? ""),
  };
}

/** `plain verity` names what is allowed, `-plain +crypt` changes the default, which is all. */
function parseFormats(text: string): ReadonlySet<BundleFormat> {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const formats = new Set(words.every((word) => /^[+-]/.test(word)) ? allFormats : []);
  for (const word of words) {
    const format = allFormats.find((name) => name === word.replace(/^[+-]/, ""));
    if (format === undefined) continue;
    if (word.startsWith("-")) formats.delete(format);
    else formats.add(format);
  }
  return formats;
}

/** Values by `section.key`. */
function parseKeyFile(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let section = "";
  for (const line of text.split("\n").map((untrimmed) => untrimmed.trim())) {
    const [, header] = /^\[(.+)\]$/.exec(line) ?? [];
    const [, key, value] = /^([^#;=][^=]*?)\s*=\s*(.*)$/.exec(line) ?? [];
    if (header !== undefined) section = header;
    else if (key !== undefined && value !== undefined) values.set(`${section}.${key}`, value);
  }
  return values;
}
