import type { RegistrationFailure } from "./server-connection.js";

/**
 * What an operator can do about a registration that fails, by the answer of the Server (LwM2M Core 1.2 §6.2.1.3).
 * undefined: nothing beyond what the reason says.
 */
export function adviceFor({ code }: RegistrationFailure): string | undefined {
  if (code === undefined)
    return "check that the Server runs, its address in the configuration, and the network";
  return advice.get(code) ?? (code.startsWith("2.") ? advice.get("2.01") : undefined);
}

const advice: ReadonlyMap<string, string> = new Map([
  ["2.01", "check that the address is that of an LwM2M Server: this is no answer to a Register"],
  ["4.00", "check on the Server that it knows this endpoint name and its security"],
  ["4.01", "check the credentials of this device on the Server"],
  ["4.03", "add this endpoint name to the Server, or correct it"],
  ["4.04", "check the path in the address of the Server: it serves no registrations there"],
  ["4.05", "check the path in the address of the Server: it serves no registrations there"],
  ["4.09", "check the Profile ID, and the models that the Server knows"],
  ["4.12", "allow an older LwM2M version, or use a Server that speaks a newer one"],
  ["4.13", "raise the size of messages that the Server takes"],
]);
