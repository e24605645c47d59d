/** How CoAP requests mean LwM2M operations (LwM2M Transport 1.2 §6.4), and replies CoAP responses. */

import type { IncomingHead, IncomingRequest, Response } from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type { Body, Operation, Reply } from "../lwm2m/operations.js";
import { RequestError } from "../model/errors.js";
import { type Path, pathFromSegments } from "../model/path.js";

/**
 * Tells which operation a request asks for. An Observe is a Read here; the caller sees the Observe option.
 * @throws RequestError 4.05 for paths and methods that mean nothing in LwM2M
 */
export function operationOf(request: IncomingHead | IncomingRequest): Operation {
  const path = pathFromSegments(request.path);
  if (path === undefined) throw new RequestError("4.05", `/${request.path.join("/")} is no LwM2M path`);
  switch (request.method) {
    case "GET":
      return request.accept === contentFormats.linkFormat
        ? { kind: "discover", path }
        : { kind: "read", path, accept: request.accept };
    case "PUT":
      return putOperation(path, request);
    case "POST":
      return postOperation(path, bodyOf(request));
    case "DELETE":
      return { kind: "delete", path };
    default:
      throw new RequestError("4.05", `${request.method} is not served`);
  }
}

const bodyOf = (request: IncomingHead | IncomingRequest): Body => ({
  contentFormat: request.contentFormat,
  payload: "payload" in request ? request.payload : new Uint8Array(),
});

/** PUT means Write (replace) or Write-Attributes; a payload of which nobody knows the format is neither. */
function putOperation(path: Path, request: IncomingHead | IncomingRequest): Operation {
  const { query } = request;
  const body = bodyOf(request);
  const isWrite = body.contentFormat !== undefined || (query.length === 0 && body.payload.length > 0);
  return isWrite
    ? { kind: "write", mode: "replace", path, ...body }
    : { kind: "writeAttributes", path, attributes: query };
}

/** POST means Create, Write (partial) or Execute, by its level and its payload. */
function postOperation(path: Path, body: Body): Operation {
  if (path.length === 1) return { kind: "create", path, ...body };
  const isExecute =
    path.length === 3 && (body.contentFormat === undefined || body.contentFormat === contentFormats.text);
  return isExecute ? { kind: "execute", path, ...body } : { kind: "write", mode: "partial", path, ...body };
}

export function responseOf({ code, contentFormat, payload, location, after }: Reply): Response {
  const response: { -readonly [Key in keyof Response]: Response[Key] } = { code };
  if (contentFormat !== undefined) response.contentFormat = contentFormat;
  if (payload !== undefined) response.payload = payload;
  if (location !== undefined) response.location = location.map(String);
  if (after !== undefined) response.afterSent = after;
  return response;
}
