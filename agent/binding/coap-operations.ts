/** How CoAP requests mean LwM2M operations (LwM2M Transport 1.2 §6.4), and replies CoAP responses. */

import type { IncomingHead, IncomingRequest, Response } from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type { Body, CompositeOperation, Operation, Reply } from "../lwm2m/operations.js";
import { RequestError } from "../model/errors.js";
import { type Path, pathFromSegments } from "../model/path.js";

/**
 * Tells which operation a request asks for. An Observe is a Read or Read-Composite here; the caller sees the Observe
 * option.
 * @throws RequestError 4.05 for paths and methods that mean nothing in LwM2M, 4.00 for a query that does not either
 */
export function operationOf(request: IncomingHead | IncomingRequest): Operation | CompositeOperation {
  const segments = withoutTrailingEmpty(request.path);
  if (request.method === "FETCH" || request.method === "iPATCH") {
    if (segments.length === 0) return compositeOperation(request.method, request);
    throw new RequestError("4.05", "the paths of a composite operation are in its payload");
  }
  const path = pathFromSegments(segments);
  if (path === undefined) throw new RequestError("4.05", `/${request.path.join("/")} is no LwM2M path`);
  switch (request.method) {
    case "GET":
      return request.accept === contentFormats.linkFormat
        ? { kind: "discover", path, ...depthOf(request.query) }
        : { kind: "read", path, accept: request.accept };
    case "PUT":
      return putOperation(path, request);
    case "POST":
      return postOperation(path, request);
    case "DELETE":
      return { kind: "delete", path };
    default:
      throw new RequestError("4.05", `${request.method} is not served`);
  }
}

/** Some Servers end the path of an Object with a slash, or two. */
function withoutTrailingEmpty(segments: readonly string[]): readonly string[] {
  const end = segments.findLastIndex((segment) => segment !== "") + 1;
  return end === segments.length ? segments : segments.slice(0, end);
}

const compositeOperation = (
  method: "FETCH" | "iPATCH",
  request: IncomingHead | IncomingRequest,
): CompositeOperation =>
  method === "FETCH"
    ? { kind: "readComposite", accept: request.accept, ...bodyOf(request) }
    : { kind: "writeComposite", ...bodyOf(request) };

/** `depth=n` of a Discover, 0 to 3. @throws RequestError */
function depthOf(query: readonly string[]): { readonly depth?: number } {
  const parameter = query.find((part) => part.startsWith("depth="));
  if (parameter === undefined) return {};
  const text = parameter.slice("depth=".length);
  if (!/^[0-3]$/.test(text)) throw new RequestError("4.00", `depth is 0 to 3, not ${text}`);
  return { depth: Number(text) };
}

const bodyOf = (request: IncomingHead | IncomingRequest): Body => ({
  contentFormat: request.contentFormat,
  payload: "payload" in request ? request.payload : new Uint8Array(),
});

/**
 * PUT means Write-Attributes when there is a query, whatever payload some Servers add to it, and else Write (replace).
 * Without either it is a Write-Attributes that changes nothing.
 */
function putOperation(path: Path, request: IncomingHead | IncomingRequest): Operation {
  const { query } = request;
  const body = bodyOf(request);
  const isWrite = query.length === 0 && (body.contentFormat !== undefined || body.payload.length > 0);
  return isWrite
    ? { kind: "write", mode: "replace", path, ...body }
    : { kind: "writeAttributes", path, attributes: query };
}

/** POST means Create, Write (partial) or Execute, by its level and its payload. */
function postOperation(path: Path, request: IncomingHead | IncomingRequest): Operation {
  const body = bodyOf(request);
  if (path.length === 1) return { kind: "create", path, ...body };
  const isExecute =
    path.length === 3 && (body.contentFormat === undefined || ofOneValue.has(body.contentFormat));
  if (!isExecute) return { kind: "write", mode: "partial", path, ...body };
  const hasPayload = !("payload" in request) || request.payload.length > 0;
  return { kind: "execute", path, ...body, ...(!hasPayload && { payload: argumentsOf(request.query) }) };
}

/** A partial Write of a Resource brings several values: what comes like this is meant for an Execute, or 4.15. */
const ofOneValue: ReadonlySet<number> = new Set([
  contentFormats.text,
  contentFormats.opaque,
  contentFormats.cbor,
]);

const utf8 = new TextEncoder();

/** Core 1.2 §6.2.2.3 shows the binding of a Registration Update Trigger as a query, `?0=U`: the same as `0='U'`. */
const argumentsOf = (query: readonly string[]): Uint8Array =>
  utf8.encode(query.map((part) => part.replace(/^(\d)=([^'].*)$/s, "$1='$2'")).join(","));

export function responseOf({ code, contentFormat, payload, location, after }: Reply): Response {
  const response: { -readonly [Key in keyof Response]: Response[Key] } = { code };
  if (contentFormat !== undefined) response.contentFormat = contentFormat;
  if (payload !== undefined) response.payload = payload;
  if (location !== undefined) response.location = location.map(String);
  if (after !== undefined) response.afterSent = after;
  return response;
}
