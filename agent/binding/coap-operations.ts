/** How CoAP requests mean LwM2M operations (LwM2M Transport 1.2 §6.4), and replies CoAP responses. */

import type { IncomingHead, IncomingRequest, Response } from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type { Operation, Reply } from "../lwm2m/operations.js";
import { RequestError } from "../model/errors.js";
import { type Path, pathFromSegments } from "../model/path.js";

/**
 * Tells which operation a request asks for. An Observe is a Read here; the caller sees the Observe option.
 * @throws RequestError 4.05 for paths and methods that mean nothing in LwM2M
 */
export function operationOf(request: IncomingHead | IncomingRequest): Operation {
  const path = pathFromSegments(request.path);
  if (path === undefined) throw new RequestError("4.05", `/${request.path.join("/")} is no LwM2M path`);
  const body = {
    contentFormat: request.contentFormat,
    payload: "payload" in request ? request.payload : new Uint8Array(),
  };
  switch (request.method) {
    case "GET":
      return request.accept === contentFormats.linkFormat
        ? { kind: "discover", path }
        : { kind: "read", path, accept: request.accept };
    case "PUT":
      return body.contentFormat === undefined
        ? { kind: "writeAttributes", path, attributes: request.query }
        : { kind: "write", mode: "replace", path, ...body };
    case "POST":
      return postOperation(path, body);
    case "DELETE":
      return { kind: "delete", path };
    default:
      throw new RequestError("4.05", `${request.method} is not served`);
  }
}

/** POST means Create, Write (partial) or Execute, by its level and its payload. */
function postOperation(
  path: Path,
  body: { contentFormat: number | undefined; payload: Uint8Array },
): Operation {
  if (path.length === 1) return { kind: "create", path, ...body };
  const isExecute =
    path.length === 3 && (body.contentFormat === undefined || body.contentFormat === contentFormats.text);
  return isExecute ? { kind: "execute", path, ...body } : { kind: "write", mode: "partial", path, ...body };
}

export function responseOf(reply: Reply): Response {
  const { code, contentFormat, payload, location, after } = reply;
  return {
    code,
    ...(contentFormat !== undefined && { contentFormat }),
    ...(payload !== undefined && { payload }),
    ...(location !== undefined && { location: location.map(String) }),
    ...(after !== undefined && { afterSent: after }),
  };
}
