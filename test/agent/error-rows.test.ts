/**
 * Each response code that LwM2M lists for an operation, over the wire: the operations of Servers (Core 1.2 §6.3, §6.4 and
 * appendix E), of the Bootstrap-Server (§6.1), and what Servers answer to the client's own (§6.2, §6.4.4). `specified` says
 * which codes there are; a code without a row fails, unless `neverAnswered` says why no request gets it.
 */
import { describe, expect, test } from "vitest";
import type { Response } from "../../agent/coap/exchange-types.js";
import { textOption } from "../../agent/coap/option.js";
import { seconds } from "../../agent/ports.js";
import { createBootstrapWorld, securityOf, serverOf } from "./lwm2m/bootstrap/world.js";
import { createThings, lone, thing } from "./lwm2m/engine.js";
import { createObservingWorld, type ServerRequest } from "./observing-world.js";

const text = 0;
const linkFormat = 40;
const opaque = 42;
const senmlJson = 110;
const tlv = 11542;
const unknownFormat = 4711;
const block1 = 27;
const block2 = 23;
const size1 = 60;

const bytes = (content: unknown) =>
  new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
const record = (n: string, v: number) => ({ n, v });

interface Row {
  readonly code: string;
  readonly because: string;
  readonly ask: ServerRequest;
  /** What the access control list grants; absent: there is no access control. */
  readonly rights?: number;
}

type Parts = Omit<ServerRequest, "method" | "path" | "payload"> & {
  readonly payload?: unknown;
  readonly rights?: number;
};

const row = (
  code: string,
  because: string,
  request: `${ServerRequest["method"]} ${string}`,
  { payload, rights, ...rest }: Parts = {},
): Row => {
  const [method, path] = request.split(" ") as [ServerRequest["method"], string];
  const body = payload !== undefined && { payload: bytes(payload) };
  return { code, because, ask: { method, path, ...rest, ...body }, ...(rights !== undefined && { rights }) };
};

const of = `/${thing}`;
const names = (...paths: string[]) => ({ contentFormat: senmlJson, payload: paths.map((n) => ({ n })) });
const pack = (...records: unknown[]) => ({ contentFormat: senmlJson, payload: records });
const plain = (payload: string) => ({ contentFormat: text, payload });
const option = (number: number, value: number) => ({ more: [{ number, value }] });

/** The errors of reading, as they are for a Read and for an Observe and its end. */
const readRows = (observe?: number): Row[] => {
  const more = observe === undefined ? {} : { observe };
  return [
    row("4.01", "R is missing", `GET ${of}/0/0`, { ...more, rights: 30 }),
    row("4.01", "it is the Bootstrap-Server's", "GET /0/0", more),
    row("4.04", "there is no such Object", "GET /9999", more),
    row("4.04", "there is no such instance", `GET ${of}/9`, more),
    row("4.04", "there is no such Resource", `GET ${of}/0/99`, more),
    row("4.04", "there is no such Resource Instance", `GET ${of}/0/4/9`, more),
    row("4.05", "it cannot be read", `GET ${of}/0/3`, more),
    row("4.05", "it has no Resource Instances", `GET ${of}/0/0/0`, more),
    row("4.06", "nobody knows the format", `GET ${of}/0`, { ...more, accept: unknownFormat }),
  ];
};

/** The errors of reading several paths, the same for an Observe-Composite and its end. */
const compositeReadRows = (observe?: number): Row[] => {
  const more = observe === undefined ? {} : { observe };
  const both = names(`${of}/0/0`, `/${lone}/0/0`);
  return [
    row("4.00", "it is no SenML", "FETCH /", { ...more, contentFormat: senmlJson, payload: "[{" }),
    row("4.00", "it says no format", "FETCH /", { ...more, payload: [] }),
    row("4.01", "nothing of it may be read", "FETCH /", { ...more, ...both, rights: 30 }),
    row("4.01", "it is the Bootstrap-Server's", "FETCH /", { ...more, ...names("/0/0/0") }),
    row("4.05", "its paths are in its payload", `FETCH ${of}`, { ...more, ...both }),
    row("4.06", "the format carries one Object", "FETCH /", { ...more, ...both, accept: tlv }),
    row("4.15", "the format has no paths", "FETCH /", { ...more, ...both, contentFormat: tlv }),
  ];
};

/** The errors of writing; those that a Write (replace) and a Write (partial) have in common. */
const writeRows = (method: "PUT" | "POST"): Row[] => [
  row("4.00", "the value is of another type", `${method} ${of}/0`, {
    contentFormat: senmlJson,
    payload: [{ n: `${of}/0/0`, vs: "six" }],
  }),
  row("4.00", "it is out of range", `${method} ${of}/0`, pack(record(`${of}/0/0`, 11))),
  row("4.01", "W is missing", `${method} ${of}/0`, { ...pack(record(`${of}/0/0`, 6)), rights: 29 }),
  row("4.04", "there is no such Object", `${method} /9999/0`, pack()),
  row("4.04", "there is no such instance", `${method} ${of}/9`, pack()),
  row("4.05", "it can only be read", `${method} ${of}/0/10`, pack(record(`${of}/0/10/0`, 1))),
  row("4.05", "one of several can only be read", `${method} ${of}/0`, {
    contentFormat: senmlJson,
    payload: [record(`${of}/0/0`, 6), { n: `${of}/0/1`, vs: "x" }],
  }),
  row("4.08", "the first blocks are missing", `${method} ${of}/0`, {
    ...pack(),
    ...option(block1, 0x10),
  }),
  row("4.13", "it is larger than anything that is taken", `${method} ${of}/0`, {
    contentFormat: senmlJson,
    payload: "x".repeat(16),
    more: [
      { number: block1, value: 0x08 },
      { number: size1, value: 0x7fffffff },
    ],
  }),
  row("4.15", "nobody knows the format", `${method} ${of}/0`, { contentFormat: unknownFormat, payload: "x" }),
];

const rows: Record<string, readonly Row[]> = {
  Read: [row("4.00", "it has not so many blocks", `GET ${of}/0/0`, option(block2, 0x90)), ...readRows()],
  Discover: [
    row("4.00", "so deep goes no tree", `GET ${of}`, { accept: linkFormat, query: ["depth=4"] }),
    row("4.01", "it is the Bootstrap-Server's", "GET /0", { accept: linkFormat }),
    row("4.04", "there is no such Object", "GET /9999", { accept: linkFormat }),
    row("4.05", "it ends at Resources", `GET ${of}/0/4/0`, { accept: linkFormat }),
  ],
  "Write (replace)": [
    ...writeRows("PUT"),
    row("4.00", "what is mandatory is left out", `PUT ${of}/0`, pack({ n: `${of}/0/2`, vs: "x" })),
    row("4.01", "Resource Instances must not come", `PUT ${of}/0/8`, pack(record(`${of}/0/8/7`, 1))),
    row("4.04", "there is no such Resource", `PUT ${of}/0/99`, plain("1")),
    row("4.04", "there is no such Resource Instance", `PUT ${of}/0/4/9`, plain("x")),
    row("4.05", "whole Objects are not written", `PUT ${of}`, pack()),
  ],
  "Write (partial)": [
    ...writeRows("POST"),
    row("4.00", "it says no format", `POST ${of}/0`, { payload: [] }),
    row("4.01", "Resource Instances must not come", `POST ${of}/0`, pack(record(`${of}/0/8/7`, 1))),
    row("4.04", "there is no such Resource", `POST ${of}/0/99`, pack()),
    row("4.05", "a Resource Instance is replaced", `POST ${of}/0/4/0`, pack()),
  ],
  "Write-Attributes": [
    row("4.00", "a period is a number", `PUT ${of}/0`, { query: ["pmin=soon"] }),
    row("4.01", "R is missing", `PUT ${of}/0/0`, { query: ["pmin=1"], rights: 30 }),
    row("4.04", "there is no such instance", `PUT ${of}/9`, { query: ["pmin=1"] }),
    row("4.05", "it has no Resource Instances", `PUT ${of}/0/0/0`, { query: ["pmin=1"] }),
  ],
  Execute: [
    row("4.00", "these are no arguments", `POST ${of}/0/3`, plain("x")),
    row("4.01", "E is missing", `POST ${of}/0/3`, { rights: 27 }),
    row("4.04", "there is no such Resource", `POST ${of}/0/99`),
    row("4.05", "it holds a value", `POST ${of}/0/0`),
    row("4.15", "arguments are text", `POST ${of}/0/3`, { contentFormat: opaque, payload: "x" }),
  ],
  Create: [
    row("4.00", "there is such an instance", `POST ${of}`, pack(record(`${of}/0/0`, 1))),
    row("4.00", "what is mandatory is left out", `POST ${of}`, pack({ n: `${of}/4/2`, vs: "x" })),
    row("4.00", "it says no format", `POST ${of}`, { payload: [] }),
    row("4.01", "C is missing", `POST ${of}`, { ...pack(record(`${of}/4/0`, 1)), rights: 15 }),
    row("4.04", "there is no such Object", "POST /9999", pack()),
    row("4.05", "there is one instance, always", `POST /${lone}`, pack()),
    row("4.15", "nobody knows the format", `POST ${of}`, { contentFormat: unknownFormat, payload: "x" }),
  ],
  Delete: [
    row("4.01", "D is missing", `DELETE ${of}/0`, { rights: 23 }),
    row("4.04", "there is no such instance", `DELETE ${of}/9`),
    row("4.05", "there is one instance, always", `DELETE /${lone}/0`),
    row("4.05", "Objects stay", `DELETE ${of}`),
    row("4.05", "Resources stay", `DELETE ${of}/0/4`),
  ],
  "Read-Composite": compositeReadRows(),
  "Write-Composite": [
    row("4.00", "the value is of another type", "iPATCH /", pack({ n: `${of}/0/0`, vs: "six" })),
    row("4.01", "W is missing", "iPATCH /", { ...pack(record(`${of}/0/0`, 6)), rights: 29 }),
    row("4.04", "one target is missing", "iPATCH /", pack(record(`${of}/0/0`, 6), record(`${of}/9/0`, 6))),
    row("4.05", "one target can only be read", "iPATCH /", pack({ n: `${of}/0/1`, vs: "x" })),
    row("4.05", "its paths are in its payload", `iPATCH ${of}`, pack()),
    row("4.15", "the format carries one Object", "iPATCH /", { contentFormat: tlv, payload: "x" }),
  ],
  Observe: [
    row("4.00", "an attribute is none", `GET ${of}/0/0`, { observe: 0, query: ["pmin=soon"] }),
    ...readRows(0),
  ],
  Cancel: [
    row("4.00", "it has not so many blocks", `GET ${of}/0/0`, { observe: 1, ...option(block2, 0x90) }),
    ...readRows(1),
  ],
  "Observe-Composite": compositeReadRows(0),
  "Cancel-Composite": compositeReadRows(1),
};

const specified: Record<string, readonly string[]> = {
  Read: ["4.00", "4.01", "4.04", "4.05", "4.06"],
  Discover: ["4.00", "4.01", "4.04", "4.05"],
  "Write (replace)": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.08", "4.13", "4.15"],
  "Write (partial)": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.08", "4.13", "4.15"],
  "Write-Attributes": ["4.00", "4.01", "4.04", "4.05"],
  Execute: ["4.00", "4.01", "4.04", "4.05", "4.15"],
  Create: ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15"],
  Delete: ["4.00", "4.01", "4.04", "4.05"],
  "Read-Composite": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15"],
  "Write-Composite": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15"],
  Observe: ["4.00", "4.01", "4.04", "4.05", "4.06"],
  Cancel: ["4.00", "4.01", "4.04", "4.05", "4.06"],
  "Observe-Composite": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15"],
  "Cancel-Composite": ["4.00", "4.01", "4.04", "4.05", "4.06", "4.15"],
};

const notInAnswer = "its answer has no payload, so that no Accept can fail: a bad Content-Format is 4.15";
const bestEffort = "paths that there are not are left out: see below";
const neverAnswered: Record<string, Record<string, string>> = {
  "Write (replace)": { "4.06": notInAnswer },
  "Write (partial)": { "4.06": notInAnswer },
  Create: { "4.06": notInAnswer },
  "Write-Composite": { "4.06": notInAnswer },
  Delete: { "4.00": "it carries nothing that could be wrong: a path that is none is 4.05" },
  "Read-Composite": { "4.04": bestEffort },
  "Observe-Composite": { "4.04": bestEffort },
  "Cancel-Composite": { "4.04": bestEffort },
};

test.each(Object.entries(specified))("%s has a row for each of its codes", (operation, codes) => {
  const given = new Set(rows[operation]?.map(({ code }) => code));
  const excused = Object.keys(neverAnswered[operation] ?? {});
  expect([...given, ...excused].toSorted()).toEqual([...codes]);
});

async function createServed(rights?: number) {
  const { state, objects } = createThings();
  const acl = { 1: rights ?? 31 };
  const world = await createObservingWorld({
    version: "1.2",
    objects,
    ...(rights !== undefined && {
      accessControl: [
        { objectId: thing, objectInstanceId: 0, owner: 2, acl },
        { objectId: lone, objectInstanceId: 0, owner: 2, acl },
        { objectId: thing, acl },
      ],
    }),
  });
  await world.start();
  return { world, state };
}

describe.each(Object.entries(rows))("%s", (_operation, operationRows) => {
  test.each(operationRows)("$code: $because ($ask.method $ask.path)", async ({ code, ask, rights }) => {
    const { world, state } = await createServed(rights);
    const before = structuredClone(state);
    expect((await world.ask(ask)).code).toBe(code);
    expect(state).toEqual(before);
    expect(world.client.observationCount).toBe(0);
  });
});

/** Core 1.2 §6.3.7: a Read-Composite is best effort. */
test.each([undefined, 0, 1])(
  "composite reading (Observe %s) leaves out what there is not, where the table of codes has 4.04",
  async (observe) => {
    const { world } = await createServed();
    const more = observe === undefined ? {} : { observe };
    const ask = async (...paths: string[]) => {
      const { ask: request } = row("2.05", "", "FETCH /", { ...more, ...names(...paths) });
      return world.ask(request);
    };
    expect(await ask(`${of}/9/0`, "/9999")).toMatchObject({ code: "2.05", text: "[]" });
    const { code, text: found } = await ask(`${of}/9/0`, `/${lone}/0/0`);
    expect([code, JSON.parse(found)]).toEqual(["2.05", [record(`/${lone}/0/0`, 1)]]);
  },
);

test("a Server that is not registered with hears nothing, not even an error", async () => {
  const world = await createObservingWorld({ serve: () => undefined });
  await world.start();
  await expect(world.ask({ method: "GET", path: "/3/0" })).rejects.toThrow("no answer");
});

// ---- The Bootstrap-Server ------------------------------------------------------------------------------------

const bootstrapRows: readonly [
  operation: string,
  request: string,
  format: number | undefined,
  code: string,
][] = [
  ["Write", "PUT /99/0", senmlJson, "4.00"],
  ["Write", "PUT /1/0", unknownFormat, "4.15"],
  ["Read", "GET /1/0/1", senmlJson, "4.00"],
  ["Read", "GET /99", senmlJson, "4.04"],
  ["Read", "GET /3", senmlJson, "4.05"],
  ["Read", "GET /1", unknownFormat, "4.06"],
  ["Discover", "GET /1/0", linkFormat, "4.00"],
  ["Discover", "GET /99", linkFormat, "4.04"],
  ["Delete", "DELETE /1/9", undefined, "4.00"],
  ["Finish", "POST /bs/now", undefined, "4.00"],
  ["Finish", "POST /bs", undefined, "4.06"],
];

test.each(bootstrapRows)("Bootstrap-%s: %s (format %s) is %s", async (_operation, request, format, code) => {
  const world = await createBootstrapWorld();
  await world.start();
  const [method, path] = request.split(" ") as ["GET" | "PUT" | "POST" | "DELETE", string];
  const answer = await world.ask({
    method,
    path: path.split("/").slice(1),
    ...(format !== undefined && (method === "GET" ? { accept: format } : { contentFormat: format })),
    payload: bytes(method === "PUT" ? "[]" : ""),
  });
  expect(answer.code).toBe(code);
  expect(world.bootstrap.state.name).toBe("open");
});

test("Bootstrap-Read is 4.01 to whom no bootstrap was asked for", async () => {
  const world = await createBootstrapWorld();
  await world.start();
  await world.write([0], new Map([[1, securityOf(101)]]));
  await world.write([1], new Map([[0, serverOf(101)]]));
  expect(await world.finish()).toBe("2.04");
  expect((await world.ask({ method: "GET", path: ["1"], accept: senmlJson })).code).toBe("4.01");
});

test.each<[path: "bs" | "bspack", code: Response["code"], then: readonly string[]]>([
  ["bspack", "4.00", ["bspack", "bs ep pct"]],
  ["bspack", "4.01", ["bspack", "bs ep pct"]],
  ["bspack", "4.04", ["bspack", "bs ep pct"]],
  ["bspack", "4.05", ["bspack", "bs ep pct"]],
  ["bspack", "4.06", ["bspack", "bs ep pct"]],
  ["bspack", "5.01", ["bspack", "bs ep pct"]],
  ["bs", "4.00", ["bspack", "bs ep pct", "bs ep"]],
  ["bs", "4.15", ["bspack", "bs ep pct", "bs ep"]],
])("/%s refused with %s is followed by the plainer request", async (refused, code, then) => {
  const world = await createBootstrapWorld({
    version: "1.2",
    answer: ({ path, query }) => {
      if (path[0] === "bspack") return { code: refused === "bspack" ? code : "5.01" };
      return { code: refused === "bs" && query.length > 1 ? code : "2.04" };
    },
  });
  await world.start();
  const asked = world.requests.map(({ path, query }) => {
    const keys = query.map((part) => part.split("=")[0]);
    return path[0] === "bs" ? ["bs", ...keys].join(" ") : path[0];
  });
  expect(asked).toEqual(then);
  expect(world.bootstrap.state.name).toBe("open");
});

// ---- What Servers answer to us ---------------------------------------------------------------------------------

const codeNumber = (code: string) => Number(code[0]) * 32 + Number(code.slice(2));

/** A client whose first request of that kind is refused so. */
async function createRefused(code: string, refuses: (path: string, query: readonly string[]) => boolean) {
  const asked: string[] = [];
  const decode = (value: Uint8Array) => new TextDecoder().decode(value);
  let left = 1;
  const world = await createObservingWorld({
    version: "1.2",
    account: { muteSend: false },
    registration: { minimumVersion: "1.0", profile: { id: "v:board", uncovered: [] } },
    serve: (request, usual) => {
      const texts = (wanted: number) =>
        request.options.filter(({ number }) => number === wanted).map(({ value }) => decode(value));
      const [path, query] = [texts(11).join("/"), texts(15)];
      const hasEcho = request.options.some(({ number }) => number === 252);
      const version = query.find((part) => part.startsWith("lwm2m="))?.slice("lwm2m=".length);
      const profile = query.some((part) => part.startsWith("pid="));
      const method = request.code === 4 ? "DELETE " : "";
      asked.push(
        [`${method}${path}`, version, profile && "pid", hasEcho && "echo"].filter(Boolean).join(" "),
      );
      if (left === 0 || !refuses(`${method}${path}`, query)) return usual;
      left--;
      const options = code === "4.01" && path === "rd" ? [textOption(252, "fresh")] : [];
      return { ...usual, code: codeNumber(code), options };
    },
  });
  world.device.set(0, 9, 100);
  await world.start();
  return { world, asked };
}

test.each([
  ["4.00", ["rd 1.2 pid", "rd 1.2"]],
  ["4.01", ["rd 1.2 pid", "rd 1.2 pid echo"]],
  ["4.03", ["rd 1.2 pid"]],
  ["4.09", ["rd 1.2 pid", "rd 1.2"]],
  ["4.12", ["rd 1.2 pid", "rd 1.1"]],
])("a Register refused with %s is followed at once by %j", async (code, then) => {
  const { world, asked } = await createRefused(code, (path) => path === "rd");
  expect(asked).toEqual(then);
  await world.clock.advance(seconds(61)); // the Communication Retry Timer, where nothing else is to be tried
  expect((await world.ask({ method: "GET", path: "/3/0/9" })).code).toBe("2.05");
});

test.each(["4.00", "4.04"])("an Update refused with %s is followed by a Register", async (code) => {
  const { world, asked } = await createRefused(code, (path) => path === "rd/1");
  world.client.triggerUpdate(1);
  await world.clock.advance(seconds(1));
  expect(asked).toEqual(["rd 1.2 pid", "rd/1", "rd 1.2 pid"]);
});

test.each(["4.00", "4.04"])("a De-register refused with %s is the end all the same", async (code) => {
  const { world, asked } = await createRefused(code, (path) => path.startsWith("DELETE"));
  await world.client.stop();
  expect(asked).toEqual(["rd 1.2 pid", "DELETE rd/1"]);
});

test.each(["4.00", "4.04"])(
  "a Send refused with %s is not repeated, and its caller hears so",
  async (code) => {
    const { world, asked } = await createRefused(code, (path) => path === "dp");
    expect(await world.client.send(["/3/0/9"])).toMatchObject([
      { delivered: false, reason: expect.stringContaining(code) },
    ]);
    await world.clock.advance(seconds(600));
    expect(asked.filter((each) => each === "dp")).toHaveLength(1);
  },
);
