/** What a command board says of itself: fixed texts, files, a program's words, and what Linux knows. */
import type { BoardDescription } from "../../../agent/ports.js";
import { SystemFiles } from "../../linux/files.js";
import { readImageVersion } from "../../linux/os-release.js";
import { readIdentity } from "../../linux/system.js";
import { type Fields, parseFields } from "./output.js";

/** A text, or a file that has it: whole, or after `key=` in the manner of os-release. */
export type TextSource = string | { readonly file: string; readonly key?: string };

export type DescriptionSources = Readonly<Partial<Record<DescribedField, TextSource>>>;
type DescribedField = Exclude<keyof BoardDescription, "versionIsOfDistribution">;

/** What each field is called in the output of the program of the step `describe`. */
const fieldNames: Readonly<Record<DescribedField, string>> = {
  manufacturer: "manufacturer",
  modelNumber: "model",
  serialNumber: "serial",
  hardwareVersion: "hardware",
  firmwareVersion: "version",
};

/**
 * The configuration counts most, then the program, then Linux. What nobody knows is empty.
 * @param root `/` on a device, a folder in tests: for what Linux knows
 */
export async function describeBoard(
  sources: DescriptionSources,
  printed: Fields,
  root: string,
): Promise<BoardDescription> {
  const known = await linuxKnows(root);
  const text = async (field: DescribedField) => {
    const source = sources[field];
    const configured = source === undefined ? undefined : await read(source);
    return configured ?? printed.get(fieldNames[field]) ?? known[field] ?? "";
  };
  const firmwareVersion = await text("firmwareVersion");
  return {
    manufacturer: await text("manufacturer"),
    modelNumber: await text("modelNumber"),
    serialNumber: await text("serialNumber"),
    hardwareVersion: await text("hardwareVersion"),
    firmwareVersion,
    ...(known.versionIsOfDistribution &&
      firmwareVersion === known.firmwareVersion && { versionIsOfDistribution: true }),
  };
}

async function linuxKnows(root: string): Promise<Partial<BoardDescription>> {
  const files = new SystemFiles(root);
  return { ...(await readIdentity(files)), ...(await readImageVersion(files)) };
}

async function read(source: TextSource): Promise<string | undefined> {
  if (typeof source === "string") return source;
  const text = await new SystemFiles("/").text(source.file);
  if (text === undefined || source.key === undefined) return text;
  return fieldsOf(text).get(source.key.toLowerCase());
}

/** A file of somebody else's that we do not understand tells nothing. */
function fieldsOf(text: string): Fields {
  try {
    return parseFields(text);
  } catch {
    return new Map();
  }
}
