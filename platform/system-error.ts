/** What the error codes of the operating system mean, for sentences that a person reads. */
const meanings: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the certificate of the server has expired, or the clock of this device is wrong",
  CERT_NOT_YET_VALID: "the certificate of the server is not valid yet: is the clock of this device set?",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate of the server is signed by itself and not trusted here",
  EACCES: "permission denied",
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  EAFNOSUPPORT: "the address family is not supported here",
  EAI_AGAIN: "the name service does not answer at the moment",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was lost",
  EDQUOT: "the disk quota is used up",
  EEXIST: "the path exists already",
  EFBIG: "the file would be too large",
  EHOSTUNREACH: "the host is unreachable",
  EINVAL: "the address is not valid here (a link-local address needs its zone, as in fe80::1%eth0)",
  EIO: "the device reports an input/output error",
  EMFILE: "too many open files",
  EMSGSIZE: "the datagram is too large",
  ENETDOWN: "the network is down",
  ENETUNREACH: "the network is unreachable",
  ENOBUFS: "the system has no buffer space left",
  ENODATA: "the name has no address",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of the path is not a directory",
  ENOTFOUND: "the name is not known",
  EPERM: "not permitted",
  EPIPE: "the connection was lost",
  EROFS: "the file system is read-only",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the server wants a certificate of this device",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate of the server is for another name",
  ETIMEDOUT: "the connection timed out",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate of the server comes from an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the certificate of the server comes from an authority that is not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the certificate of the server comes from an authority that is not trusted here",
};

/** `ENOSPC`; undefined when the error does not come from the operating system. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** `no space left on the device (ENOSPC)`; the error's own words where its code is not a known one. */
export function describeError(error: unknown): string {
  const code = errorCode(error);
  const meaning = code === undefined ? undefined : meanings[code];
  if (meaning !== undefined) return `${meaning} (${code})`;
  return error instanceof Error ? error.message : String(error);
}
