/**
 * What may leave the device in a diagnosis. Two nets: of what may hold secrets only what is known to hold none is taken, and
 * whatever is taken is searched for the secrets that this device knows.
 */

const hidden = "(not shown)";

// ---- Configuration -------------------------------------------------------------------------------------------------

const secretName = /(key|password|passphrase|secret|psk|token|credential|auth)$/i;

/** The configuration as it is in force, without what somebody may have written where no secret belongs. */
export function maskConfiguration(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) {
    return name === "arguments" ? maskArguments(value) : value.map((item) => maskConfiguration(item, name));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, maskConfiguration(each, key)]),
    );
  }
  if (typeof value !== "string") return value;
  return secretName.test(name) && !value.startsWith("/") ? hidden : maskUrls(value);
}

/** `--token x`, `--token=x` and `TOKEN=x` of programs. */
export function maskArguments(words: readonly unknown[]): readonly unknown[] {
  let isSecret = false;
  return words.map((word) => {
    const text = String(word);
    if (isSecret) {
      isSecret = false;
      return hidden;
    }
    const [name = "", ...value] = text.split("=");
    if (!secretName.test(name)) return maskUrls(text);
    if (value.length > 0) return `${name}=${hidden}`;
    isSecret = text.startsWith("-");
    return text;
  });
}

/** Users, passwords and queries of addresses: signed download links carry their key in the query. */
export const maskUrls = (text: string): string =>
  text.replace(
    /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#"'@]*@)?([^\s?#"'\\]*)(\?[^\s#"'\\]*)?/gi,
    (_, scheme: string, user: string | undefined, rest: string, query: string | undefined) =>
      `${scheme}${user === undefined ? "" : `${hidden}@`}${rest}${query === undefined ? "" : `?${hidden}`}`,
  );

// ---- State ---------------------------------------------------------------------------------------------------------

/** Records whose content is of use and holds no values of users; of all others only name, size and time are told. */
const plainRecords =
  /^(firmware-update|advanced-firmware-update[a-z0-9-]*|software-management-[a-z0-9-]+|registrations|attributes|restart|update-lock\.json|version|starts|board\/[a-z-]+\.json)$/;

/** Of Security (Object 0) and Server (Object 1). OSCORE (Object 21) is keys and nothing else. */
const plainResources: Readonly<Record<number, readonly number[] | "all">> = {
  0: [0, 1, 2, 6, 10, 11, 12, 13, 14, 15, 16, 17],
  1: "all",
  2: "all",
};

/** @returns undefined for a record of which nothing is shown */
export function showRecord(name: string, content: string): string | undefined {
  if (name === "accounts") return showAccounts(content);
  return plainRecords.test(name) ? content : undefined;
}

/** Resources that are known to be harmless; of the others that they are there. */
function showAccounts(content: string): string | undefined {
  const record = parseJson(content) as { content?: Record<string, unknown> } | undefined;
  const { content: accounts, factory, bootstrappedAt } = record?.content ?? {};
  if (!Array.isArray(accounts)) return undefined;
  const show = (objects: unknown) =>
    pairs(objects).map(([objectId, instances]) => [
      objectId,
      pairs(instances).map(([instanceId, resources]) => [
        instanceId,
        pairs(resources).map(([resourceId, value]) => [
          resourceId,
          isPlain(objectId, resourceId) ? value : hidden,
        ]),
      ]),
    ]);
  return JSON.stringify({ content: show(accounts), factory: show(factory), bootstrappedAt }, undefined, 1);
}

const isPlain = (objectId: number, resourceId: number): boolean => {
  const plain = plainResources[objectId] ?? [];
  return plain === "all" || plain.includes(resourceId);
};

/** Maps are kept as lists of pairs. */
const pairs = (json: unknown): readonly (readonly [number, unknown])[] =>
  (Array.isArray(json) ? json : []).filter(
    (pair): pair is [number, unknown] => Array.isArray(pair) && typeof pair[0] === "number",
  );

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The values of an accounts record that are secret, as bytes. */
export function secretsOfAccounts(content: string): readonly Uint8Array[] {
  const record = parseJson(content) as { content?: Record<string, unknown> } | undefined;
  const { content: now, factory } = record?.content ?? {};
  return [now, factory].flatMap((objects) =>
    pairs(objects).flatMap(([objectId, instances]) =>
      pairs(instances).flatMap(([, resources]) =>
        pairs(resources).flatMap(([resourceId, value]) =>
          isPlain(objectId, resourceId) || typeof value !== "string" ? [] : [Buffer.from(value, "hex")],
        ),
      ),
    ),
  );
}

// ---- The second net ------------------------------------------------------------------------------------------------

/** What is shorter would be found by chance all over. */
const shortestSecret = 4;

/** @returns takes the secrets out of a text, as text, hexadecimal or base64 */
export function createScrubber(secrets: readonly Uint8Array[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret.length < shortestSecret) continue;
    const bytes = Buffer.from(secret);
    const base64 = bytes.toString("base64").replace(/=+$/, "");
    const plain = bytes.toString("utf8");
    const escaped = JSON.stringify(plain).slice(1, -1);
    for (const form of [plain, escaped, base64, bytes.toString("base64url")]) forms.add(form);
    for (const line of plain.split("\n")) if (line.length >= 32 && !line.startsWith("-----")) forms.add(line);
    forms.add(bytes.toString("hex"));
    forms.add(bytes.toString("hex").toUpperCase());
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((rest, form) => rest.replaceAll(form, "(secret)"), maskUrls(text));
}
