import { describe, expect, test } from "vitest";
import type { CompositeOperation, LwM2mVersion, Operation } from "../../../agent/lwm2m/operations.js";
import { announcedVersion } from "../../../agent/lwm2m/versions.js";
import { type ResponseCode, responseCodeOf } from "../../../agent/model/errors.js";
import {
  createEngine,
  discover,
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

const versions: readonly LwM2mVersion[] = ["1.0", "1.1", "1.2"];
type Codes = readonly [ResponseCode, ResponseCode, ResponseCode];

const codesOf = (operation: Operation | CompositeOperation) =>
  Promise.all(
    versions.map((lwm2m) =>
      createEngine({ lwm2m })
        .perform(operation)
        .then((reply) => reply.code, responseCodeOf),
    ),
  );

describe("operations and the levels of their paths, in 1.0, 1.1 and 1.2", () => {
  const names = `[{"n":"/${thing}/0/0"}]`;
  const values = `[{"n":"/${thing}/0/0","v":1}]`;
  test.each<{ what: string; operation: Operation | CompositeOperation; codes: Codes }>([
    { what: "Read of a Resource", operation: read(`/${thing}/0/4`), codes: ["2.05", "2.05", "2.05"] },
    {
      what: "Read of a Resource Instance",
      operation: read(`/${thing}/0/4/0`),
      codes: ["4.05", "2.05", "2.05"],
    },
    {
      what: "Write of a Resource Instance",
      operation: replace(`/${thing}/0/4/0`, 0, "x"),
      codes: ["4.05", "2.04", "2.04"],
    },
    {
      what: "Write-Attributes on a Resource Instance",
      operation: writeAttributes(`/${thing}/0/4/0`, "pmin=1"),
      codes: ["4.05", "2.04", "2.04"],
    },
    {
      what: "Delete of a Resource Instance",
      operation: remove(`/${thing}/0/4/0`),
      codes: ["4.05", "4.05", "2.02"],
    },
    { what: "Delete of an instance", operation: remove(`/${thing}/0`), codes: ["2.02", "2.02", "2.02"] },
    { what: "Read-Composite", operation: readComposite(110, names), codes: ["4.05", "2.05", "2.05"] },
    {
      what: "Read-Composite in SenML-ETCH",
      operation: readComposite(320, names),
      codes: ["4.05", "4.15", "2.05"],
    },
    { what: "Write-Composite", operation: writeComposite(110, values), codes: ["4.05", "2.04", "2.04"] },
    {
      what: "Write-Composite in SenML-ETCH",
      operation: writeComposite(320, values),
      codes: ["4.05", "4.15", "2.04"],
    },
  ])("$what: $codes", async ({ operation, codes }) => {
    expect(await codesOf(operation)).toEqual(codes);
  });
});

describe("formats, in 1.0, 1.1 and 1.2", () => {
  test.each<{ name: string; format: number; asked: Codes; brought: Codes }>([
    { name: "TLV", format: 11542, asked: ["2.05", "2.05", "2.05"], brought: ["4.00", "4.00", "4.00"] },
    {
      name: "TLV before IANA",
      format: 1542,
      asked: ["2.05", "2.05", "2.05"],
      brought: ["4.00", "4.00", "4.00"],
    },
    {
      name: "JSON of 1.0",
      format: 11543,
      asked: ["2.05", "4.06", "4.06"],
      brought: ["4.00", "4.00", "4.00"],
    },
    {
      name: "JSON before IANA",
      format: 1543,
      asked: ["2.05", "4.06", "4.06"],
      brought: ["4.00", "4.00", "4.00"],
    },
    { name: "SenML JSON", format: 110, asked: ["4.06", "2.05", "2.05"], brought: ["4.15", "4.00", "4.00"] },
    { name: "SenML CBOR", format: 112, asked: ["4.06", "2.05", "2.05"], brought: ["4.15", "4.00", "4.00"] },
    { name: "LwM2M CBOR", format: 11544, asked: ["4.06", "4.06", "2.05"], brought: ["4.15", "4.15", "4.00"] },
  ])("$name asked for: $asked", async ({ format, asked, brought }) => {
    expect(await codesOf(read(`/${thing}/0`, format))).toEqual(asked);
    // What is understood is decoded, and these bytes make no sense in any of them.
    expect(await codesOf(partial(`/${thing}/0`, format, Uint8Array.of(0xff, 0xff)))).toEqual(brought);
  });

  test("CBOR for one value came with 1.1", async () => {
    expect(await codesOf(read(`/${lone}/0/0`, 60))).toEqual(["4.06", "2.05", "2.05"]);
    expect(await codesOf(replace(`/${lone}/0/0`, 60, Uint8Array.of(2)))).toEqual(["4.15", "2.04", "2.04"]);
  });

  test.each([
    { what: "an instance", uri: `/${thing}/0`, formats: [11542, 112, 112] },
    { what: "a whole Object", uri: `/${thing}`, formats: [11542, 112, 112] },
    { what: "Resource Instances", uri: `/${thing}/0/4`, formats: [11542, 112, 112] },
    { what: "one value", uri: `/${thing}/0/0`, formats: [0, 0, 0] },
    { what: "bytes", uri: `/${thing}/0/6`, formats: [42, 42, 42] },
  ])("nobody asked for a format: $what comes in $formats", async ({ uri, formats }) => {
    const answered = await Promise.all(
      versions.map(async (lwm2m) => (await createEngine({ lwm2m }).perform(read(uri))).contentFormat),
    );
    expect(answered).toEqual(formats);
  });

  test.each([
    { what: "an instance", uri: `/${thing}/0`, formats: [11542, 112, 11544] },
    { what: "a whole Object", uri: `/${thing}`, formats: [11542, 112, 11544] },
    { what: "a single value", uri: `/${thing}/0/0`, formats: [0, 0, 0] },
    { what: "bytes", uri: `/${thing}/0/6`, formats: [42, 42, 42] },
  ])("$what is answered in $formats where LwM2M CBOR is preferred", async ({ uri, formats }) => {
    const engines = versions.map((lwm2m) => createEngine({ lwm2m, structuredFormat: 11544 }));
    const replies = await Promise.all(engines.map((engine) => engine.perform(read(uri))));
    expect(replies.map(({ contentFormat }) => contentFormat)).toEqual(formats);
    const asked = await Promise.all(engines.slice(1).map((engine) => engine.perform(read(uri, 112))));
    expect(asked.map(({ contentFormat }) => contentFormat)).toEqual([112, 112]);
  });

  test.each([
    { request: 110, answer: 110 },
    { request: 112, answer: 112 },
    { request: 320, answer: 110 },
    { request: 322, answer: 112 },
  ])("a Read-Composite in $request without Accept is answered in $answer", async ({ request, answer }) => {
    const root =
      request === 110 || request === 320 ? '[{"n":"/"}]' : Uint8Array.of(0x81, 0xa1, 0x00, 0x61, 0x2f);
    expect((await createEngine().perform(readComposite(request, root))).contentFormat).toBe(answer);
  });
});

describe("Discover", () => {
  const listed = async (lwm2m: LwM2mVersion, uri: string, depth?: number) =>
    new TextDecoder().decode((await createEngine({ lwm2m }).perform(discover(uri, depth))).payload);
  const object = `</${thing}>;ver=1.1`;
  const instance = `</${thing}/0>`;
  const r = (rest: string) => `</${thing}/0/${rest}`;
  const upTo4 = [r("0>"), r("1>"), r("2>"), r("3>")];
  const resources = [...upTo4, r("4>;dim=2"), r("5>"), r("6>"), r("8>;dim=2"), r("10>;dim=1")];
  const everything = [
    ...upTo4,
    r("4>;dim=2"),
    r("4/0>"),
    r("4/3>"),
    r("5>"),
    r("6>"),
    r("8>;dim=2"),
    r("8/0>"),
    r("8/1>"),
    r("10>;dim=1"),
    r("10/0>"),
  ];
  const names = [r("4>;dim=2"), r("4/0>"), r("4/3>")];

  test.each([
    { uri: `/${thing}`, depth: 0, links: [object] },
    { uri: `/${thing}`, depth: 1, links: [object, instance] },
    { uri: `/${thing}`, depth: 2, links: [object, instance, ...resources] },
    { uri: `/${thing}`, depth: 3, links: [object, instance, ...everything] },
    { uri: `/${thing}`, depth: undefined, links: [object, instance, ...resources] },
    { uri: `/${thing}/0`, depth: 0, links: [instance] },
    { uri: `/${thing}/0`, depth: 1, links: [instance, ...resources] },
    { uri: `/${thing}/0`, depth: 2, links: [instance, ...everything] },
    { uri: `/${thing}/0`, depth: 3, links: [instance, ...everything] },
    { uri: `/${thing}/0`, depth: undefined, links: [instance, ...resources] },
    { uri: `/${thing}/0/4`, depth: 0, links: names.slice(0, 1) },
    { uri: `/${thing}/0/4`, depth: 1, links: names },
    { uri: `/${thing}/0/4`, depth: 3, links: names },
    { uri: `/${thing}/0/4`, depth: undefined, links: names },
  ])("of $uri with depth $depth in 1.2", async ({ uri, depth, links }) => {
    expect(await listed("1.2", uri, depth)).toBe(links.join(","));
  });

  test("before 1.2 depth means nothing", async () => {
    expect(await listed("1.1", `/${thing}`, 0)).toBe([object, instance, ...resources].join(","));
  });

  test("1.0 has no paths of Resource Instances", async () => {
    expect(await listed("1.0", `/${thing}/0/4`)).toBe(r("4>;dim=2"));
  });
});

describe("the version of an Object that a Server is told", () => {
  const object = (id: number, version: string) =>
    ({ id, name: "Object", version, instances: "multiple", resources: {} }) as const;

  test("is that of the enabler for the enabler's own Objects", () => {
    expect(versions.map((version) => announcedVersion(version, object(1, "1.2")))).toEqual([
      "1.0",
      "1.1",
      "1.2",
    ]);
    expect(versions.map((version) => announcedVersion(version, object(2, "1.1")))).toEqual([
      "1.0",
      "1.0",
      "1.1",
    ]);
  });

  test("is our own for all others", () => {
    expect(versions.map((version) => announcedVersion(version, object(3, "1.2")))).toEqual([
      "1.2",
      "1.2",
      "1.2",
    ]);
  });
});
