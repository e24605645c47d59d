import { describe, expect, test } from "vitest";
import { operationOf } from "../../../agent/binding/coap-operations.js";
import type { Method } from "../../../agent/coap/code.js";
import type { IncomingRequest } from "../../../agent/coap/exchange-types.js";
import { responseCodeOf } from "../../../agent/model/errors.js";
import { bytes, serverPeer } from "./world.js";

const text = 0;
const linkFormat = 40;
const opaque = 42;
const senmlCbor = 112;
const tlv = 11542;

type Parts = Partial<Pick<IncomingRequest, "accept" | "contentFormat" | "query">> & { payload?: string };

const request = (method: Method, uri: string, { payload = "", ...rest }: Parts = {}): IncomingRequest => ({
  method,
  path: uri.split("/").slice(1),
  query: [],
  payload: bytes(payload),
  peer: serverPeer,
  ...rest,
});

/** What each request means (LwM2M Transport 1.2 §6.4). */
test.each([
  { asks: request("GET", "/3/0/9"), for: { kind: "read", path: [3, 0, 9], accept: undefined } },
  { asks: request("GET", "/3", { accept: tlv }), for: { kind: "read", path: [3], accept: tlv } },
  { asks: request("GET", "/3", { accept: linkFormat }), for: { kind: "discover", path: [3] } },
  {
    asks: request("GET", "/3", { accept: linkFormat, query: ["depth=2"] }),
    for: { kind: "discover", path: [3], depth: 2 },
  },
  {
    asks: request("PUT", "/3/0/15", { contentFormat: text, payload: "UTC" }),
    for: { kind: "write", mode: "replace", path: [3, 0, 15], contentFormat: text },
  },
  {
    asks: request("PUT", "/3/0/15", { payload: "UTC" }),
    for: { kind: "write", mode: "replace", contentFormat: undefined },
  },
  {
    asks: request("PUT", "/3/0", { query: ["pmin=1", "pmax"] }),
    for: { kind: "writeAttributes", path: [3, 0], attributes: ["pmin=1", "pmax"] },
  },
  {
    asks: request("PUT", "/3/0", { query: ["pmin=1"], payload: "ignored" }),
    for: { kind: "writeAttributes", attributes: ["pmin=1"] },
  },
  {
    asks: request("PUT", "/3/0", { query: ["pmin=1"], contentFormat: text, payload: "ignored" }),
    for: { kind: "writeAttributes", attributes: ["pmin=1"] },
  },
  { asks: request("PUT", "/3/0"), for: { kind: "writeAttributes", attributes: [] } },
  {
    asks: request("POST", "/16", { contentFormat: tlv }),
    for: { kind: "create", path: [16], contentFormat: tlv },
  },
  {
    asks: request("POST", "/16/0", { contentFormat: tlv }),
    for: { kind: "write", mode: "partial", path: [16, 0] },
  },
  { asks: request("POST", "/3/0/4"), for: { kind: "execute", path: [3, 0, 4], contentFormat: undefined } },
  { asks: request("POST", "/3/0/4", { accept: text }), for: { kind: "execute" } },
  { asks: request("POST", "/3/0/4", { contentFormat: text, payload: "1" }), for: { kind: "execute" } },
  { asks: request("POST", "/3/0/4", { contentFormat: opaque, payload: "1" }), for: { kind: "execute" } },
  { asks: request("POST", "/3/0/4", { payload: "1" }), for: { kind: "execute", payload: bytes("1") } },
  { asks: request("POST", "/1/0/8", { query: ["0=U"] }), for: { kind: "execute", payload: bytes("0='U'") } },
  {
    asks: request("POST", "/1/0/8", { query: ["0='U'", "7"] }),
    for: { kind: "execute", payload: bytes("0='U',7") },
  },
  {
    asks: request("POST", "/1/0/8", { query: ["0=T"], contentFormat: text, payload: "0='U'" }),
    for: { kind: "execute", payload: bytes("0='U'") },
  },
  {
    asks: request("POST", "/16/0/0", { contentFormat: tlv }),
    for: { kind: "write", mode: "partial", path: [16, 0, 0] },
  },
  { asks: request("POST", "/16/0/0/1"), for: { kind: "write", mode: "partial", path: [16, 0, 0, 1] } },
  { asks: request("DELETE", "/16/0"), for: { kind: "delete", path: [16, 0] } },
  {
    asks: request("FETCH", "", { contentFormat: senmlCbor, accept: senmlCbor, payload: "x" }),
    for: { kind: "readComposite", contentFormat: senmlCbor, accept: senmlCbor, payload: bytes("x") },
  },
  {
    asks: request("iPATCH", "", { contentFormat: senmlCbor, payload: "x" }),
    for: { kind: "writeComposite", contentFormat: senmlCbor, payload: bytes("x") },
  },
])("$asks.method $asks.path $asks.query means $for", (row) => {
  expect(operationOf(row.asks)).toMatchObject(row.for);
});

test.each(["/3/", "/3//"])("empty segments at the end of %s mean nothing", (uri) => {
  expect(operationOf(request("GET", uri))).toMatchObject({ kind: "read", path: [3] });
});

describe("no operation", () => {
  test.each([
    { asks: request("GET", ""), code: "4.05", why: "nothing is named" },
    { asks: request("GET", "/3//0"), code: "4.05", why: "a segment is empty" },
    { asks: request("GET", "/03/0"), code: "4.05", why: "a segment has a leading zero" },
    { asks: request("GET", "/3/0/65535"), code: "4.05", why: "65535 is no identifier" },
    { asks: request("GET", "/3/0/6/0/0"), code: "4.05", why: "there are five segments" },
    { asks: request("GET", "/bs"), code: "4.05", why: "it is a word" },
    { asks: request("PATCH", "/3/0"), code: "4.05", why: "LwM2M has no PATCH" },
    {
      asks: request("FETCH", "/3", { contentFormat: senmlCbor }),
      code: "4.05",
      why: "composites have no path",
    },
    {
      asks: request("iPATCH", "/3", { contentFormat: senmlCbor }),
      code: "4.05",
      why: "composites have no path",
    },
    {
      asks: request("GET", "/3", { accept: linkFormat, query: ["depth=9"] }),
      code: "4.00",
      why: "so deep goes no tree",
    },
  ])("is $asks.method $asks.path $asks.query: $why", ({ asks, code }) => {
    let error: unknown;
    try {
      operationOf(asks);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Error);
    expect(responseCodeOf(error)).toBe(code);
  });
});
