/** The address of the signature beside a package: `.sig` after the path, before query and fragment. */
export function signatureUri(uri: string): string {
  const end = uri.search(/[?#]/);
  return end < 0 ? `${uri}.sig` : `${uri.slice(0, end)}.sig${uri.slice(end)}`;
}

/** For messages and logs: a query may be a secret, and the user part is a password. */
export function displayUri(uri: string): string {
  if (!URL.canParse(uri)) return "an address that is none";
  const { protocol, host, pathname } = new URL(uri);
  return `${protocol}//${host}${pathname}`;
}
