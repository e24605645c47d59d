/** Register, Update and De-register as CoAP requests (LwM2M Core 1.2 §6.2, Transport §6.4.3). */

import { ExchangeError, type IncomingResponse, type Request } from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type {
  RegisterRequest,
  RegistrationAnswer,
  ServerConnection,
  UpdateRequest,
} from "../lwm2m/server-connection.js";
import { TransportError } from "../ports.js";

/** Sends one request to the Server. Rejects with ExchangeError. */
export type SendRequest = (request: Request) => Promise<IncomingResponse>;

/**
 * @param find where the Server is now; rejects with TransportError
 * @param basePath path segments of the Server URI, which go before `rd`
 */
export function createCoapServerConnection(
  find: () => Promise<SendRequest>,
  basePath: readonly string[],
): ServerConnection {
  let found: Promise<SendRequest> | undefined;
  const send: SendRequest = async (request) => {
    found ??= find();
    return (await found)(request);
  };
  return {
    async register(request) {
      found = undefined; // a Server that moved is found again when it stopped answering
      const answer = await answerTo(send, registerMessage(request, basePath), "2.01");
      if (answer.kind === "accepted" && answer.location.length === 0) {
        return { kind: "failed", reason: "the Server did not say where the registration is" };
      }
      return answer;
    },
    update: (location, request) => answerTo(send, updateMessage(location, request), "2.04"),
    deregister: (location) => answerTo(send, { method: "DELETE", path: location }, "2.02"),
  };
}

const text = new TextEncoder();

function registerMessage(request: RegisterRequest, basePath: readonly string[]): Request {
  const { endpointName, lifetime, version, binding, objects } = request;
  return {
    method: "POST",
    path: [...basePath, "rd"],
    query: [`ep=${endpointName}`, `lt=${lifetime}`, `lwm2m=${version}`, `b=${binding}`],
    contentFormat: contentFormats.linkFormat,
    payload: text.encode(objects),
  };
}

function updateMessage(location: readonly string[], { lifetime, objects }: UpdateRequest): Request {
  return {
    method: "POST",
    path: location,
    ...(lifetime !== undefined && { query: [`lt=${lifetime}`] }),
    ...(objects !== undefined && { contentFormat: contentFormats.linkFormat, payload: text.encode(objects) }),
  };
}

/** Success codes match exactly; anything else is a refusal (Core §6.2). */
async function answerTo(send: SendRequest, request: Request, success: string): Promise<RegistrationAnswer> {
  try {
    const { code, location = [], maxAge } = await send(request);
    if (code === success) return { kind: "accepted", location };
    const reason = `the Server refused with ${code}`;
    return { kind: "failed", reason, ...(maxAge !== undefined && { retryAfter: maxAge }) };
  } catch (error) {
    if (error instanceof ExchangeError || error instanceof TransportError) {
      return { kind: "failed", reason: error.message };
    }
    throw error;
  }
}
