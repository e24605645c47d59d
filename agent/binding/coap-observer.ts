/** Observations of LwM2M as relations of CoAP, and how these survive a restart of the program. */
import type { Endpoint } from "../coap/endpoint.js";
import type { IncomingRequest, Relation, RelationRecord } from "../coap/exchange-types.js";
import { decodeBase64, encodeBase64 } from "../codec/base64.js";
import type { Observer } from "../lwm2m/outbox.js";
import { DecodeError } from "../model/errors.js";
import type { Log, Peer } from "../ports.js";
import { responseOf } from "./coap-operations.js";

/** What is observed, as far as later blocks of a notification need to know it. */
export type ObserveRequest = Pick<IncomingRequest, "method" | "path" | "query" | "accept" | "payload">;

export function createCoapObserver(relation: Relation, request: ObserveRequest, log: Log): Observer {
  return {
    key: relation.key,
    notify: (notification, options) =>
      relation.notify(responseOf(notification), options).catch((error: unknown) => {
        log.error("notification failed", { error });
        return "ended" as const;
      }),
    end: () => relation.end(),
    record: () => formatRecord(relation, request),
  };
}

/**
 * Goes on with a relation of an earlier run.
 * @param isStill whether the Server is still at that address
 * @returns undefined when it is not, or when it observes as much as it may
 * @throws DecodeError for a record that is none
 */
export function restoreCoapObserver(
  record: string,
  { endpoint, log, isStill }: { endpoint: Endpoint; log: Log; isStill: (peer: Peer) => boolean },
): Observer | undefined {
  const parsed = parseRecord(record);
  const relation = isStill(parsed.peer) ? endpoint.restore(parsed) : undefined;
  return relation && createCoapObserver(relation, { ...noPayload, ...parsed.request }, log);
}

const noPayload = { query: [], payload: new Uint8Array() };

/**
 * Some notifications may have gone out after the record was saved: their sequence numbers are skipped. The observer takes
 * what is less than 2^23 ahead for newer (RFC 7641 §3.4).
 */
const SEQUENCE_MARGIN = 2 ** 22;

function formatRecord({ peer, token, sequence }: Relation, request: ObserveRequest): string {
  const { method, path, query, accept, payload } = request;
  const base64 = (bytes: Uint8Array) => encodeBase64(bytes, "standard");
  return JSON.stringify({
    ...{ peer, sequence, method, path, query, accept },
    token: base64(token),
    payload: base64(payload),
  });
}

type ParsedRecord = RelationRecord & { readonly request: { readonly query: readonly string[] } };

function parseRecord(record: string): ParsedRecord {
  const { peer, sequence, method, path, query, accept, token, payload } = objectOf(JSON.parse(record));
  const { address, port, key } = objectOf(peer);
  const isKnown = method === "GET" || method === "FETCH";
  if (!isKnown || !isTexts(path) || !isTexts(query)) throw new DecodeError("not a record of a relation");
  if (typeof address !== "string" || typeof key !== "string" || typeof port !== "number") {
    throw new DecodeError("a relation has a peer");
  }
  if (typeof token !== "string" || typeof payload !== "string" || typeof sequence !== "number") {
    throw new DecodeError("a relation has a token and a sequence number");
  }
  return {
    peer: { address, port, key },
    token: decodeBase64(token),
    sequence: (sequence + SEQUENCE_MARGIN) & 0xffffff,
    request: {
      ...{ method, path, query },
      payload: decodeBase64(payload),
      ...(typeof accept === "number" && { accept }),
    },
  };
}

const isTexts = (json: unknown): json is string[] =>
  Array.isArray(json) && json.every((item) => typeof item === "string");

function objectOf(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null) throw new DecodeError("expected an object");
  return json as Record<string, unknown>;
}
