/** How an error stands in the log. */
import { ConfigError, DecodeError, RequestError } from "../agent/model/errors.js";
import { BusyError, PackageError, TransportError } from "../agent/ports.js";

/** What the world does wrong is said in a sentence; what the program does wrong, with its stack. */
const foreseen = [BusyError, ConfigError, DecodeError, PackageError, RequestError, TransportError];

/** Causes of causes; an error may be its own. */
const maximumCauses = 5;

/** Passes on what is no error. */
export function describeLoggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (foreseen.some((kind) => error instanceof kind)) return `${error.name}: ${error.message}`;
  const causes = causesOf(error);
  return {
    ...error, // such as code and path of an error of the system
    type: error.constructor.name,
    message: [error, ...causes].map(({ message }) => message).join(": "),
    stack: [error, ...causes].map(({ stack, message }) => stack ?? message).join("\ncaused by: "),
  };
}

function causesOf(error: Error): readonly Error[] {
  const causes: Error[] = [];
  let { cause } = error;
  while (cause instanceof Error && causes.length < maximumCauses) {
    causes.push(cause);
    ({ cause } = cause);
  }
  return causes;
}
