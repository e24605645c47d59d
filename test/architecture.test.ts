import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

/**
 * The layers and what each may import, most specific folder first. Imports go down, never up or sideways.
 * `node`: the modules of Node.js that the layer may use; the pure layers have none.
 */
const layers: readonly { folder: string; imports: readonly string[]; node: boolean }[] = [
  { folder: "agent/model", imports: [], node: false },
  { folder: "agent/ports.ts", imports: [], node: false },
  { folder: "agent/persistence", imports: ["agent/model", "agent/ports.ts"], node: false },
  { folder: "agent/codec", imports: ["agent/model"], node: false },
  { folder: "agent/oma", imports: ["agent/model"], node: false },
  { folder: "agent/coap", imports: ["agent/ports.ts"], node: false },
  { folder: "agent/wait.ts", imports: ["agent/ports.ts"], node: false },
  { folder: "agent/download", imports: ["agent/model", "agent/ports.ts", "agent/wait.ts"], node: false },
  {
    folder: "agent/lwm2m",
    imports: ["agent/model", "agent/codec", "agent/persistence", "agent/ports.ts"],
    node: false,
  },
  {
    folder: "agent/binding",
    imports: ["agent/model", "agent/codec", "agent/coap", "agent/download", "agent/lwm2m", "agent/ports.ts"],
    node: false,
  },
  { folder: "objects", imports: ["agent/model", "agent/persistence", "agent/ports.ts"], node: false },
  {
    folder: "platform",
    imports: ["agent/model", "agent/download", "agent/persistence", "agent/ports.ts", "agent/wait.ts"],
    node: true,
  },
  {
    folder: "jobs",
    imports: ["agent/model", "agent/codec", "agent/persistence", "agent/ports.ts", "objects"],
    node: true,
  },
  { folder: "agent/plugin.ts", imports: ["agent/model", "agent/ports.ts"], node: false },
  { folder: "agent/plugin-call.ts", imports: ["agent/ports.ts"], node: false },
  { folder: "agent/plugin-object.ts", imports: ["agent/model", "agent/ports.ts"], node: false },
  {
    folder: "agent/plugin-host.ts",
    imports: [
      "agent/model",
      "agent/ports.ts",
      "agent/plugin.ts",
      "agent/plugin-call.ts",
      "agent/plugin-object.ts",
      "objects",
    ],
    node: false,
  },
  {
    folder: "agent/optional-objects.ts",
    imports: ["agent/model", "agent/oma", "agent/lwm2m", "agent/ports.ts", "objects", "platform"],
    node: true,
  },
  {
    folder: "agent/downloads.ts",
    imports: ["agent/model", "agent/binding", "agent/download", "agent/ports.ts", "platform"],
    node: true,
  },
  {
    folder: "agent/verification.ts",
    imports: ["agent/downloads.ts", "agent/ports.ts", "objects", "platform"],
    node: true,
  },
  {
    folder: "agent/scripts.ts",
    imports: [
      "agent/model",
      "agent/codec",
      "agent/ports.ts",
      "agent/plugin.ts",
      "agent/optional-objects.ts",
      "objects",
      "platform",
    ],
    node: true,
  },
  {
    folder: "agent/main.ts",
    imports: [
      "agent/download",
      "agent/downloads.ts",
      "agent/verification.ts",
      "agent/optional-objects.ts",
      "agent/model",
      "agent/lwm2m",
      "agent/binding",
      "agent/ports.ts",
      "agent/plugin.ts",
      "agent/plugin-host.ts",
      "objects",
      "platform",
    ],
    node: true,
  },
  {
    folder: "agent/config",
    imports: [
      "agent/model",
      "agent/binding",
      "agent/download",
      "agent/main.ts",
      "agent/ports.ts",
      "platform",
    ],
    node: true,
  },
  {
    folder: "agent/control",
    imports: ["agent/model", "agent/persistence", "agent/ports.ts", "platform"],
    node: true,
  },
  {
    folder: "agent/service",
    imports: [
      "agent/config",
      "agent/control",
      "agent/model",
      "agent/persistence",
      "agent/ports.ts",
      "agent/plugin.ts",
      "agent/main.ts",
      "agent/verification.ts",
      "agent/optional-objects.ts",
      "agent/scripts.ts",
      "platform",
    ],
    node: true,
  },
  {
    folder: "agent/simulation",
    imports: ["agent/model", "agent/ports.ts", "agent/plugin.ts", "agent/main.ts", "platform", "jobs"],
    node: true,
  },
  {
    folder: "agent/cli",
    imports: [
      "agent/model",
      "agent/ports.ts",
      "agent/plugin.ts",
      "agent/main.ts",
      "agent/optional-objects.ts",
      "agent/simulation",
      "agent/config",
      "agent/control",
      "agent/service",
      "platform",
      "jobs",
    ],
    node: true,
  },
];

const root = resolve(import.meta.dirname, "..");

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

const layerOf = (file: string) =>
  layers.find(({ folder }) => file === folder || file.startsWith(`${folder}/`));

/** The file without its comments, which may well show an import or name a clock. */
const codeOf = (file: string) =>
  readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");

/** What a file imports: project files as paths from the root, packages by name. */
function importsOf(file: string): string[] {
  const text = codeOf(file);
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, specifier = ""]) =>
    specifier.startsWith(".")
      ? relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, ".ts")
      : specifier,
  );
}

const files = ["agent", "objects", "platform", "jobs"].flatMap(sourceFiles);

/** Packages that a pure layer may use: they calculate and touch nothing. */
const purePackages = new Map([
  ["agent/codec", ["cbor-x/decode-no-eval"]],
  ["agent/oma", ["saxes"]],
]);

/** Clock, chance and the world belong to the platform; the pure layers are handed them. */
const impurities =
  /\b(Date\.now|new Date\(\)|setTimeout|setInterval|setImmediate|Math\.random|process\.|Buffer\.)/;

test.each(files)("%s belongs to a layer and imports only from the layers below", (file) => {
  const layer = layerOf(file);
  expect(layer).toBeDefined();
  const foreign = importsOf(file).filter((target) => {
    if (target.startsWith("node:")) return layer?.node !== true;
    const targetLayer = layerOf(target);
    if (targetLayer !== undefined) {
      return targetLayer !== layer && !layer?.imports.includes(targetLayer.folder);
    }
    return layer?.node !== true && !purePackages.get(layer?.folder ?? "")?.includes(target);
  });
  expect(foreign).toEqual([]);
});

test.each(files.filter((file) => layerOf(file)?.node === false))(
  "%s keeps clock, chance, process and files out",
  (file) => {
    expect(impurities.exec(codeOf(file))?.[0]).toBeUndefined();
  },
);
