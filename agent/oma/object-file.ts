/**
 * Definition files of the OMA registry (DDF, schema LWM2M.xsd): an Object becomes one of ours at run time. The files are not
 * part of this program; whoever needs an Object brings its file.
 */
import type { ObjectDefinition, ResourceDefinition } from "../model/definition.js";
import { ConfigError } from "../model/errors.js";
import { parseId } from "../model/path.js";
import type { ResourceType } from "../model/value.js";
import { parseRange } from "./range.js";
import { type Element, parseXml } from "./xml.js";

/**
 * Reads a definition file.
 * @param file names it in errors
 * @returns the Objects in it, usually one
 * @throws ConfigError saying file, line, element, what is expected there and what was found
 */
export function parseObjectFile(document: string, file: string): readonly ObjectDefinition[] {
  const root = parseXml(document, file);
  if (root.name !== "LWM2M")
    throw fault(file, root, `expected the root element <LWM2M>, found <${root.name}>`);
  const objects = root.children.filter(({ name }) => name === "Object");
  if (objects.length === 0) throw fault(file, root, "expected an <Object>, found none");
  return objects.map((object) => objectOf(new Reader(file, object)));
}

function objectOf(object: Reader): ObjectDefinition {
  const id = object.id("ObjectID", object.text("ObjectID"));
  const items = object
    .child("Resources")
    .children("Item")
    .map((item) => resourceOf(item));
  const resources: Record<string, ResourceDefinition> = {};
  for (const { reader, name, resource } of items) {
    if (Object.values(resources).some((other) => other.id === resource.id)) {
      throw reader.fault(`Resource ${resource.id} comes twice`);
    }
    const key = camelCase(name) || `resource${resource.id}`;
    resources[key in resources ? `${key}${resource.id}` : key] = resource;
  }
  return {
    id,
    name: object.text("Name"),
    version: versionOf(object),
    instances: object.choice("MultipleInstances", instanceWords) === "multiple" ? "multiple" : "single",
    resources,
  };
}

/** What is not said is 1.0 (LwM2M Core 1.2 §7.2.2); older files say it in the URN only. */
function versionOf(object: Reader): string {
  const said = object.optionalText("ObjectVersion");
  const version =
    said || /^urn:oma:lwm2m:[a-z]+:\d+:(.+)$/.exec(object.optionalText("ObjectURN"))?.[1] || "1.0";
  if (!/^\d+\.\d+$/.test(version)) {
    throw object.fault(`<ObjectVersion>: expected a version such as 1.0, found "${version}"`);
  }
  return version;
}

function resourceOf(reader: Reader) {
  const id = reader.id("ID", reader.attribute("ID"));
  const operations = reader.choice("Operations", operationWords);
  const type = reader.choice("Type", typeWords);
  if ((operations === "E") !== (type === "none")) {
    throw reader.fault(
      operations === "E"
        ? `<Type>: expected none, for the Resource is executable, found "${reader.text("Type")}"`
        : `<Type>: expected one of ${Object.keys(typeWords).filter(Boolean).join(", ")}, found none`,
    );
  }
  const range = type === "none" ? undefined : parseRange(type, reader.optionalText("RangeEnumeration"));
  const units = reader.optionalText("Units");
  const resource: ResourceDefinition = {
    id,
    operations,
    ...(type !== "none" && { type }),
    ...(reader.choice("MultipleInstances", instanceWords) === "multiple" && { multiple: true as const }),
    ...(reader.choice("Mandatory", mandatoryWords) === "mandatory" && { mandatory: true as const }),
    ...(range && { range }),
    ...(units !== "" && { units }),
  };
  return { reader, name: reader.text("Name"), resource };
}

// ---- The words of the schema --------------------------------------------------------------------------------------

const instanceWords = { Single: "single", Multiple: "multiple" } as const;
const mandatoryWords = { Mandatory: "mandatory", Optional: "optional" } as const;
const operationWords = { R: "R", W: "W", RW: "RW", WR: "RW", E: "E", "": "BS" } as const;
const typeWords = {
  String: "string",
  Integer: "integer",
  "Unsigned Integer": "unsigned",
  Float: "float",
  Boolean: "boolean",
  Opaque: "opaque",
  Time: "time",
  Objlnk: "objlnk",
  Corelnk: "corelnk",
  "": "none",
} as const satisfies Readonly<Record<string, ResourceType | "none">>;

/** `Sensor Value` becomes `sensorValue`. */
function camelCase(name: string): string {
  const [first = "", ...rest] = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const start = /^[A-Z0-9]+$/.test(first)
    ? first.toLowerCase()
    : first.charAt(0).toLowerCase() + first.slice(1);
  return start + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

// ---- Reading elements ---------------------------------------------------------------------------------------------

const fault = (file: string, { line }: Element, what: string) => new ConfigError(`${file}:${line}: ${what}`);

/** One element whose children are looked up by name, with errors that say where. */
class Reader {
  readonly #file: string;
  readonly #element: Element;
  readonly #label: string;

  constructor(file: string, element: Element) {
    this.#file = file;
    this.#element = element;
    const id = element.attributes.get("ID");
    this.#label = id === undefined ? `<${element.name}>` : `<${element.name} ID="${id}">`;
  }

  fault(what: string): ConfigError {
    return fault(this.#file, this.#element, `${this.#label} ${what}`);
  }

  child(name: string): Reader {
    const found = this.#find(name);
    if (found === undefined) throw this.fault(`lacks <${name}>`);
    return new Reader(this.#file, found);
  }

  children(name: string): Reader[] {
    return this.#element.children
      .filter((child) => child.name === name)
      .map((child) => new Reader(this.#file, child));
  }

  text(name: string): string {
    const found = this.#find(name);
    if (found === undefined) throw this.fault(`lacks <${name}>`);
    return found.text;
  }

  optionalText(name: string): string {
    return this.#find(name)?.text ?? "";
  }

  attribute(name: string): string {
    const value = this.#element.attributes.get(name);
    if (value === undefined) throw this.fault(`lacks the attribute ${name}`);
    return value;
  }

  id(name: string, text: string): number {
    const id = parseId(text.trim());
    if (id === undefined) throw this.fault(`${name}: expected a number from 0 to 65534, found "${text}"`);
    return id;
  }

  /** Upper and lower case do not matter: files in the field mix them. */
  choice<const W extends Readonly<Record<string, string>>>(name: string, words: W): W[keyof W] {
    const found = this.#find(name) ?? undefined;
    if (found === undefined) throw this.fault(`lacks <${name}>`);
    const word = Object.keys(words).find((one) => one.toLowerCase() === found.text.toLowerCase());
    if (word !== undefined) return words[word] as W[keyof W]; // its own key
    const expected = Object.keys(words).filter((one) => one !== "");
    throw fault(
      this.#file,
      found,
      `${this.#label} <${name}>: expected one of ${expected.join(", ")}, found "${found.text}"`,
    );
  }

  #find(name: string): Element | undefined {
    return this.#element.children.find((child) => child.name === name);
  }
}
