import { describe, expect, test } from "vitest";
import { rights } from "../../../agent/lwm2m/access-control.js";
import type { CompositeOperation, Operation } from "../../../agent/lwm2m/operations.js";
import { type ResponseCode, responseCodeOf } from "../../../agent/model/errors.js";
import {
  create,
  createEngine,
  discover,
  execute,
  lone,
  partial,
  read,
  readComposite,
  remove,
  replace,
  thing,
  writeAttributes,
  writeComposite,
} from "./engine.js";

const text = 0;
const opaque = 42;
const senmlJson = 110;
const etchJson = 320;
const tlv = 11542;

const names = (...uris: string[]) => JSON.stringify(uris.map((n) => ({ n })));
const values = (content: Record<string, string | number | null>) =>
  JSON.stringify(
    Object.entries(content).map(([n, value]) => ({ n, [typeof value === "string" ? "vs" : "v"]: value })),
  );

interface Row {
  readonly code: ResponseCode;
  readonly because: string;
  readonly operation: Operation | CompositeOperation;
  /** Server 2 has these rights; absent: Server 1, which has all of them, asks. */
  readonly with?: number;
}

/** Each way in which each operation fails (LwM2M Core 1.2 §6.3), and the way in which it succeeds. */
const table: Record<string, readonly Row[]> = {
  Read: [
    { code: "2.05", because: "there is a value", operation: read(`/${thing}/0/0`) },
    { code: "2.05", because: "R is enough", operation: read(`/${thing}/0/0`), with: rights.read },
    { code: "4.04", because: "there is no such Object", operation: read("/9999/0/0") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: read("/0") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: read("/0/0/0") },
    { code: "4.04", because: "there is no such instance", operation: read(`/${thing}/9`) },
    { code: "4.01", because: "R is missing", operation: read(`/${thing}/0/0`), with: rights.write },
    { code: "4.04", because: "the Object does not define it", operation: read(`/${thing}/0/99`) },
    { code: "4.04", because: "this instance does not have it", operation: read(`/${thing}/0/9`) },
    { code: "4.04", because: "it holds no value", operation: read(`/${thing}/0/7`) },
    { code: "4.05", because: "it can only be written", operation: read(`/${thing}/0/2`) },
    { code: "4.05", because: "it can only be executed", operation: read(`/${thing}/0/3`) },
    { code: "4.05", because: "it has no Resource Instances", operation: read(`/${thing}/0/0/0`) },
    { code: "4.04", because: "there is no such Resource Instance", operation: read(`/${thing}/0/4/9`) },
    { code: "4.06", because: "nobody knows the format", operation: read(`/${thing}/0`, 4711) },
    { code: "4.06", because: "text has one value", operation: read(`/${thing}/0`, text) },
    { code: "4.06", because: "the value is no bytes", operation: read(`/${thing}/0/0`, opaque) },
    { code: "4.06", because: "the format is for composites", operation: read(`/${thing}/0`, etchJson) },
  ],
  Discover: [
    { code: "2.05", because: "there is something", operation: discover(`/${thing}`) },
    { code: "2.05", because: "it needs no right", operation: discover(`/${thing}/0`), with: 0 },
    { code: "4.04", because: "there is no such Object", operation: discover("/9999") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: discover("/0") },
    { code: "4.05", because: "it ends at Resources", operation: discover(`/${thing}/0/4/0`) },
    { code: "4.04", because: "there is no such instance", operation: discover(`/${thing}/9`) },
    { code: "4.04", because: "there is no such Resource", operation: discover(`/${thing}/0/99`) },
    { code: "4.04", because: "it is not instantiated", operation: discover(`/${thing}/0/7`) },
  ],
  "Write (replace)": [
    { code: "2.04", because: "it fits", operation: replace(`/${thing}/0/0`, text, "6") },
    {
      code: "2.04",
      because: "W is enough",
      operation: replace(`/${thing}/0/0`, text, "6"),
      with: rights.write,
    },
    { code: "2.04", because: "so can what is not readable", operation: replace(`/${thing}/0/2`, text, "x") },
    { code: "4.04", because: "there is no such Object", operation: replace("/9999/0/0", text, "6") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: replace("/0/0/0", text, "x") },
    { code: "4.05", because: "whole Objects are not written", operation: replace(`/${thing}`, tlv) },
    { code: "4.04", because: "there is no such instance", operation: replace(`/${thing}/9/0`, text, "6") },
    {
      code: "4.01",
      because: "W is missing",
      operation: replace(`/${thing}/0/0`, text, "6"),
      with: rights.read,
    },
    {
      code: "4.04",
      because: "the Object does not define it",
      operation: replace(`/${thing}/0/99`, text, "x"),
    },
    {
      code: "4.04",
      because: "this instance does not have it",
      operation: replace(`/${thing}/0/9`, text, "x"),
    },
    { code: "4.05", because: "it can only be read", operation: replace(`/${thing}/0/1`, text, "x") },
    { code: "4.05", because: "it can only be executed", operation: replace(`/${thing}/0/3`, text, "x") },
    {
      code: "4.05",
      because: "it has no Resource Instances",
      operation: replace(`/${thing}/0/0/0`, text, "6"),
    },
    {
      code: "4.05",
      because: "one of the Resources can only be read",
      operation: replace(`/${thing}/0`, senmlJson, values({ [`/${thing}/0/0`]: 6, [`/${thing}/0/1`]: "x" })),
    },
    { code: "4.00", because: "it says no format", operation: replace(`/${thing}/0/0`, undefined, "6") },
    { code: "4.15", because: "nobody knows the format", operation: replace(`/${thing}/0/0`, 4711, "6") },
    {
      code: "4.15",
      because: "the format is for composites",
      operation: replace(`/${thing}/0/0`, etchJson, "[]"),
    },
    { code: "4.00", because: "text has one value", operation: replace(`/${thing}/0`, text, "6") },
    { code: "4.00", because: "it is no number", operation: replace(`/${thing}/0/0`, text, "six") },
    { code: "4.00", because: "it is out of range", operation: replace(`/${thing}/0/0`, text, "11") },
    {
      code: "4.00",
      because: "it lacks what is mandatory",
      operation: replace(`/${thing}/0`, senmlJson, "[]"),
    },
    {
      code: "4.00",
      because: "the link leads nowhere",
      operation: replace(`/${thing}/0/5`, text, `${thing}:77`),
    },
    {
      code: "4.04",
      because: "there is no such Resource Instance",
      operation: replace(`/${thing}/0/4/9`, text, "x"),
    },
    {
      code: "4.01",
      because: "a Resource Instance must not go",
      operation: replace(`/${thing}/0/8`, senmlJson, values({ [`/${thing}/0/8/0`]: 1 })),
    },
    { code: "4.00", because: "the Object does not like it", operation: replace(`/${thing}/0/0`, text, "7") },
  ],
  "Write (partial)": [
    {
      code: "2.04",
      because: "it fits",
      operation: partial(`/${thing}/0`, senmlJson, values({ [`/${thing}/0/0`]: 6 })),
    },
    {
      code: "2.04",
      because: "optional Resources that nobody knows are skipped",
      operation: partial(`/${thing}/0`, senmlJson, values({ [`/${thing}/0/99`]: 6 })),
    },
    {
      code: "2.04",
      because: "Resource Instances may come",
      operation: partial(`/${thing}/0/4`, senmlJson, values({ [`/${thing}/0/4/7`]: "c" })),
    },
    {
      code: "2.04",
      because: "some Servers write a single value so",
      operation: partial(`/${thing}/0/0`, senmlJson, values({ [`/${thing}/0/0`]: 6 })),
    },
    { code: "4.04", because: "there is no such Object", operation: partial("/9999/0", tlv) },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: partial("/0/0", tlv) },
    { code: "4.05", because: "it ends at Resources", operation: partial(`/${thing}/0/4/0`, tlv) },
    { code: "4.04", because: "there is no such instance", operation: partial(`/${thing}/9`, tlv) },
    {
      code: "4.01",
      because: "W is missing",
      operation: partial(`/${thing}/0`, tlv),
      with: 31 & ~rights.write,
    },
    { code: "4.05", because: "it can only be read", operation: partial(`/${thing}/0/10`, tlv) },
    { code: "4.00", because: "it says no format", operation: partial(`/${thing}/0`) },
    { code: "4.15", because: "nobody knows the format", operation: partial(`/${thing}/0`, 4711) },
    {
      code: "4.00",
      because: "it is out of range",
      operation: partial(`/${thing}/0`, senmlJson, values({ [`/${thing}/0/0`]: 11 })),
    },
    {
      code: "4.01",
      because: "a Resource Instance must not come",
      operation: partial(`/${thing}/0/8`, senmlJson, values({ [`/${thing}/0/8/5`]: 1 })),
    },
  ],
  "Write-Attributes": [
    { code: "2.04", because: "it is readable", operation: writeAttributes(`/${thing}/0/0`, "pmin=1") },
    {
      code: "2.04",
      because: "R is enough",
      operation: writeAttributes(`/${thing}/0`, "pmin=1"),
      with: rights.read,
    },
    {
      code: "2.04",
      because: "on an Object it needs no right",
      operation: writeAttributes(`/${thing}`, "pmin=1"),
      with: 0,
    },
    { code: "4.04", because: "there is no such Object", operation: writeAttributes("/9999", "pmin=1") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: writeAttributes("/0", "pmin=30") },
    {
      code: "4.04",
      because: "there is no such instance",
      operation: writeAttributes(`/${thing}/9`, "pmin=1"),
    },
    {
      code: "4.01",
      because: "R is missing",
      operation: writeAttributes(`/${thing}/0`, "pmin=1"),
      with: rights.write,
    },
    {
      code: "4.04",
      because: "there is no such Resource",
      operation: writeAttributes(`/${thing}/0/99`, "pmin=1"),
    },
    {
      code: "4.04",
      because: "there is no such Resource Instance",
      operation: writeAttributes(`/${thing}/0/4/9`, "pmin=1"),
    },
    {
      code: "4.05",
      because: "it has no Resource Instances",
      operation: writeAttributes(`/${thing}/0/0/0`, "pmin=1"),
    },
    { code: "4.00", because: "it cannot be read", operation: writeAttributes(`/${thing}/0/2`, "pmin=1") },
    {
      code: "4.00",
      because: "there is no such attribute",
      operation: writeAttributes(`/${thing}/0`, "pace=1"),
    },
    { code: "4.00", because: "a period is a number", operation: writeAttributes(`/${thing}/0`, "pmin=soon") },
    { code: "4.00", because: "Discover alone says it", operation: writeAttributes(`/${thing}/0/4`, "dim=3") },
  ],
  Execute: [
    { code: "2.04", because: "it can be executed", operation: execute(`/${thing}/0/3`) },
    { code: "2.04", because: "E is enough", operation: execute(`/${thing}/0/3`), with: rights.execute },
    { code: "2.04", because: "arguments are text", operation: execute(`/${thing}/0/3`, text, "0='x',1") },
    { code: "4.04", because: "there is no such Object", operation: execute("/9999/0/3") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: execute("/0/0/0") },
    { code: "4.04", because: "there is no such instance", operation: execute(`/${thing}/9/3`) },
    {
      code: "4.01",
      because: "E is missing",
      operation: execute(`/${thing}/0/3`),
      with: 31 & ~rights.execute,
    },
    { code: "4.04", because: "there is no such Resource", operation: execute(`/${thing}/0/99`) },
    { code: "4.05", because: "it holds a value", operation: execute(`/${thing}/0/0`) },
    { code: "4.05", because: "it holds values", operation: execute(`/${thing}/0/4`, text, "x") },
    { code: "4.15", because: "arguments are text", operation: execute(`/${thing}/0/3`, tlv) },
    { code: "4.00", because: "these are no arguments", operation: execute(`/${thing}/0/3`, text, "x") },
  ],
  Create: [
    {
      code: "2.01",
      because: "it is complete",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/4/0`]: 1 })),
    },
    {
      code: "2.01",
      because: "C is enough",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/4/0`]: 1 })),
      with: rights.create,
    },
    {
      code: "2.01",
      because: "values that can only be read are ignored",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/4/0`]: 1, [`/${thing}/4/1`]: "x" })),
    },
    { code: "4.04", because: "there is no such Object", operation: create("/9999", tlv) },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: create("/0", tlv) },
    { code: "4.01", because: "C is missing", operation: create(`/${thing}`, tlv), with: 31 & ~rights.create },
    { code: "4.05", because: "there is one instance, always", operation: create(`/${lone}`, tlv) },
    { code: "4.00", because: "it says no format", operation: create(`/${thing}`) },
    { code: "4.15", because: "nobody knows the format", operation: create(`/${thing}`, 4711) },
    { code: "4.00", because: "text has one value", operation: create(`/${thing}`, text, "1") },
    {
      code: "4.00",
      because: "there is such an instance",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/0/0`]: 1 })),
    },
    {
      code: "4.00",
      because: "it lacks what is mandatory",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/4/2`]: "x" })),
    },
    { code: "4.00", because: "it holds nothing", operation: create(`/${thing}`, senmlJson, "[]") },
    {
      code: "4.00",
      because: "the Object does not like it",
      operation: create(`/${thing}`, senmlJson, values({ [`/${thing}/4/0`]: 7 })),
    },
  ],
  Delete: [
    { code: "2.02", because: "it may go", operation: remove(`/${thing}/0`) },
    { code: "2.02", because: "D is enough", operation: remove(`/${thing}/0`), with: rights.delete },
    { code: "2.02", because: "a Resource Instance may go", operation: remove(`/${thing}/0/4/3`) },
    { code: "4.04", because: "there is no such Object", operation: remove("/9999/0") },
    { code: "4.01", because: "it is the Bootstrap-Server's", operation: remove("/0/0") },
    { code: "4.05", because: "Objects stay", operation: remove(`/${thing}`) },
    { code: "4.05", because: "Resources stay", operation: remove(`/${thing}/0/4`) },
    { code: "4.04", because: "there is no such instance", operation: remove(`/${thing}/9`) },
    { code: "4.01", because: "D is missing", operation: remove(`/${thing}/0`), with: 31 & ~rights.delete },
    { code: "4.05", because: "there is one instance, always", operation: remove(`/${lone}/0`) },
    { code: "4.05", because: "it has no Resource Instances", operation: remove(`/${thing}/0/0/0`) },
    { code: "4.05", because: "it can only be read", operation: remove(`/${thing}/0/10/0`) },
    { code: "4.04", because: "there is no such Resource Instance", operation: remove(`/${thing}/0/4/9`) },
    { code: "4.01", because: "a Resource Instance must not go", operation: remove(`/${thing}/0/8/0`) },
  ],
  "Read-Composite": [
    {
      code: "2.05",
      because: "there is a value",
      operation: readComposite(senmlJson, names(`/${thing}/0/0`)),
    },
    {
      code: "2.05",
      because: "what is missing is left out",
      operation: readComposite(senmlJson, names("/9999", `/${thing}/9`)),
    },
    {
      code: "2.05",
      because: "one path can be read",
      operation: readComposite(senmlJson, names("/0", `/${thing}/0/0`)),
    },
    {
      code: "2.05",
      because: "it is not readable, but not for want of a right",
      operation: readComposite(senmlJson, names("/0", `/${thing}/0/3`)),
    },
    {
      code: "4.01",
      because: "R is missing everywhere",
      operation: readComposite(senmlJson, names(`/${thing}/0/0`)),
      with: 30,
    },
    {
      code: "4.01",
      because: "R is missing everywhere",
      operation: readComposite(senmlJson, names("/")),
      with: 30,
    },
    {
      code: "4.01",
      because: "it is the Bootstrap-Server's",
      operation: readComposite(senmlJson, names("/0/0/0")),
    },
    { code: "4.00", because: "it says no format", operation: readComposite(undefined, names("/")) },
    { code: "4.15", because: "the format has no paths", operation: readComposite(tlv, names("/")) },
    {
      code: "4.06",
      because: "the format carries one Object",
      operation: readComposite(senmlJson, names("/"), tlv),
    },
    { code: "4.00", because: "it is no SenML", operation: readComposite(senmlJson, "{") },
    {
      code: "4.00",
      because: "it has values",
      operation: readComposite(senmlJson, values({ [`/${thing}/0/0`]: 1 })),
    },
  ],
  "Write-Composite": [
    {
      code: "2.04",
      because: "it fits",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/0`]: 6, [`/${lone}/0/0`]: 2 })),
    },
    {
      code: "2.04",
      because: "W is enough",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/0`]: 6 })),
      with: rights.write,
    },
    {
      code: "4.04",
      because: "there is no such Object",
      operation: writeComposite(senmlJson, values({ "/9999/0/0": 6 })),
    },
    {
      code: "4.01",
      because: "it is the Bootstrap-Server's",
      operation: writeComposite(senmlJson, values({ "/0/0/0": "x" })),
    },
    {
      code: "4.04",
      because: "there is no such instance",
      operation: writeComposite(senmlJson, values({ [`/${thing}/9/0`]: 6 })),
    },
    {
      code: "4.01",
      because: "W is missing",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/0`]: 6 })),
      with: 31 & ~rights.write,
    },
    {
      code: "4.04",
      because: "the Object does not define it",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/99`]: 6 })),
    },
    {
      code: "4.04",
      because: "this instance does not have it",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/9`]: "x" })),
    },
    {
      code: "4.05",
      because: "it can only be read",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/1`]: "x" })),
    },
    {
      code: "4.05",
      because: "it can only be executed",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/3`]: 1 })),
    },
    {
      code: "4.00",
      because: "an instance has no value",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0`]: 6 })),
    },
    { code: "4.00", because: "it says no format", operation: writeComposite(undefined, "[]") },
    { code: "4.15", because: "the format carries one Object", operation: writeComposite(tlv, "") },
    {
      code: "4.00",
      because: "it is out of range",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/0`]: 11 })),
    },
    {
      code: "4.00",
      because: "the Object does not like it",
      operation: writeComposite(senmlJson, values({ [`/${thing}/0/0`]: 7 })),
    },
    {
      code: "2.04",
      because: "a Resource Instance may go",
      operation: writeComposite(etchJson, values({ [`/${thing}/0/4/3`]: null })),
    },
    {
      code: "4.04",
      because: "there is no such Resource Instance",
      operation: writeComposite(etchJson, values({ [`/${thing}/0/4/9`]: null })),
    },
    {
      code: "4.01",
      because: "a Resource Instance must not go",
      operation: writeComposite(etchJson, values({ [`/${thing}/0/8/0`]: null })),
    },
  ],
};

describe.each(Object.entries(table))("%s", (_name, rows) => {
  test.each(rows)("$code: $because ($operation.path)", async ({ operation, code, with: rightsOfTwo }) => {
    const engine = createEngine({ rightsOfTwo: rightsOfTwo ?? 31 });
    const answer = engine.perform(operation, rightsOfTwo === undefined ? 1 : 2);
    expect(await answer.then((reply) => reply.code, responseCodeOf)).toBe(code);
  });
});

describe("the first check that fails decides", () => {
  test.each<{ operation: Operation; code: ResponseCode; rule: string; with?: number }>([
    {
      rule: "the Bootstrap-Server's Objects are refused before their levels are looked at",
      operation: remove("/0"),
      code: "4.01",
    },
    { rule: "a bad level comes before a missing instance", operation: remove(`/${thing}/9/4`), code: "4.05" },
    {
      rule: "a missing instance comes before a missing right",
      operation: read(`/${thing}/9/0`),
      code: "4.04",
      with: 0,
    },
    {
      rule: "a missing right comes before a missing Resource",
      operation: read(`/${thing}/0/99`),
      code: "4.01",
      with: 0,
    },
    {
      rule: "a missing Resource comes before an unknown format",
      operation: read(`/${thing}/0/99`, 4711),
      code: "4.04",
    },
    {
      rule: "what cannot be written comes before an unknown format",
      operation: replace(`/${thing}/0/1`, 4711, "x"),
      code: "4.05",
    },
    {
      rule: "an unknown format comes before a payload that makes no sense",
      operation: replace(`/${thing}/0/0`, 4711, "six"),
      code: "4.15",
    },
    {
      rule: "a payload that makes no sense comes before what the Object thinks of it",
      operation: replace(`/${thing}/0/0`, text, "7.5"),
      code: "4.00",
    },
  ])("$rule", async ({ operation, code, with: rightsOfTwo }) => {
    const engine = createEngine({ rightsOfTwo: rightsOfTwo ?? 31 });
    const answer = engine.perform(operation, rightsOfTwo === undefined ? 1 : 2);
    expect(await answer.then((reply) => reply.code, responseCodeOf)).toBe(code);
  });
});
