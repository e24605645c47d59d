/** What the error codes of sockets and name lookups mean, for sentences that a person reads. */
const meanings: Readonly<Record<string, string>> = {
  EACCES: "not permitted (a port below 1024 needs the right to it, a broadcast address is refused)",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAFNOSUPPORT: "the address family is not supported here",
  EAI_AGAIN: "the name service does not answer at the moment",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was lost",
  EHOSTUNREACH: "the host is unreachable",
  EINVAL: "the address is not valid here (a link-local address needs its zone, as in fe80::1%eth0)",
  EMFILE: "too many open files",
  EMSGSIZE: "the datagram is too large",
  ENETDOWN: "the network is down",
  ENETUNREACH: "the network is unreachable",
  ENOBUFS: "the system has no buffer space left",
  ENODATA: "the name has no address",
  ENOTFOUND: "the name is not known",
  EPERM: "not permitted (a firewall rule?)",
  EPIPE: "the connection was lost",
  ETIMEDOUT: "the connection timed out",
};

export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** `the network is unreachable (ENETUNREACH)`; the error's own words where its code is not a known one. */
export function describeNetworkError(error: unknown): string {
  const code = errorCode(error);
  const meaning = code === undefined ? undefined : meanings[code];
  if (meaning !== undefined) return `${meaning} (${code})`;
  return error instanceof Error ? error.message : String(error);
}
