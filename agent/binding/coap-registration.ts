/** Register, Update and De-register as CoAP requests (LwM2M Core 1.2 §6.2, Transport §6.4.3). */

import { ExchangeError, type IncomingResponse, type Request } from "../coap/exchange-types.js";
import { contentFormats } from "../codec/content-format.js";
import type {
  ExchangeOptions,
  LocalSocket,
  RegisterRequest,
  RegistrationAnswer,
  RegistrationFailure,
  ServerConnection,
  UpdateRequest,
} from "../lwm2m/server-connection.js";
import { TransportError } from "../ports.js";

/** Sends one request to the Server. Rejects with ExchangeError, or with the reason of `signal`. */
export type SendRequest = (request: Request, options?: ExchangeOptions) => Promise<IncomingResponse>;

/** A Server at the address where it is now. */
export interface FoundServer {
  readonly send: SendRequest;
  readonly local: LocalSocket;
}

/**
 * @param find where the Server is now; rejects with TransportError
 * @param basePath path segments of the Server URI, which go before `rd`
 */
export function createCoapServerConnection(
  find: () => Promise<FoundServer>,
  basePath: readonly string[],
): ServerConnection {
  let finding: Promise<FoundServer> | undefined;
  const found = () => {
    finding ??= find();
    return finding;
  };
  const send: SendRequest = async (request, options) => (await found()).send(request, options);
  return {
    async register(request, options) {
      finding = undefined; // a Server that moved is found again when it stopped answering
      const answer = await answerTo(send, registerMessage(request, basePath), "2.01", options);
      if (answer.kind === "accepted" && answer.location.length === 0) {
        return failed({
          code: "2.01",
          reason: "the Server accepted, but did not say where the registration is",
        });
      }
      return answer;
    },
    update: (location, request, options) => answerTo(send, updateMessage(location, request), "2.04", options),
    deregister: (location, options) => answerTo(send, { method: "DELETE", path: location }, "2.02", options),
    send: (message, options) =>
      answerTo(send, { method: "POST", path: [...basePath, "dp"], ...message }, "2.04", options),
    localSocket: async () => (await found()).local,
  };
}

const text = new TextEncoder();

function registerMessage(request: RegisterRequest, basePath: readonly string[]): Request {
  const { endpointName, version, profileId, objects } = request;
  return {
    method: "POST",
    path: [...basePath, "rd"],
    query: [
      `ep=${endpointName}`,
      `lwm2m=${version}`,
      ...termsQuery(request),
      ...(profileId === undefined ? [] : [`pid=${profileId}`]),
    ],
    ...linkFormat(objects),
  };
}

function updateMessage(location: readonly string[], request: UpdateRequest): Request {
  const query = termsQuery(request);
  return {
    method: "POST",
    path: location,
    ...(query.length > 0 && { query }),
    ...linkFormat(request.objects),
  };
}

const termsQuery = ({
  lifetime,
  binding,
  queueMode,
}: Pick<UpdateRequest, "lifetime" | "binding" | "queueMode">): string[] => [
  ...(lifetime === undefined ? [] : [`lt=${lifetime}`]),
  ...(binding === undefined ? [] : [`b=${binding}`]),
  ...(queueMode === true ? ["Q"] : []),
];

const linkFormat = (objects: string | undefined): Partial<Request> =>
  objects === undefined ? {} : { contentFormat: contentFormats.linkFormat, payload: text.encode(objects) };

/** The two codes with which a Server asks for patience, by Max-Age (RFC 7252 §5.9.3.4, RFC 8516). */
const isBusy = (code: string) => code === "5.03" || code === "4.29";

/** Success codes match exactly; anything else is a refusal (Core §6.2). */
async function answerTo(
  send: SendRequest,
  request: Request,
  success: string,
  options: ExchangeOptions,
): Promise<RegistrationAnswer> {
  try {
    const { code, location = [], maxAge } = await send(request, options);
    if (code === success) return { kind: "accepted", location };
    const reason = code.startsWith("2.")
      ? `the Server answered ${code} in place of ${success}`
      : `the Server refused with ${code}`;
    return failed({ code, reason, ...(isBusy(code) && maxAge !== undefined && { retryAfter: maxAge }) });
  } catch (error) {
    if (options.signal.aborted) return failed({ reason: "given up" });
    if (error instanceof ExchangeError || error instanceof TransportError) {
      return failed({ reason: error.message });
    }
    throw error;
  }
}

const failed = (failure: RegistrationFailure): RegistrationAnswer => ({ kind: "failed", failure });
