/** May a package of this version take the place of the one that runs? Versions need not be numbers, only comparable. */

export interface VersionPolicy {
  /** An older version than the one that runs may be installed: no, unless told. */
  readonly downgrade?: boolean;
  /** The version that runs may be installed again: yes, unless told. */
  readonly reinstall?: boolean;
}

/** @returns why not, as a sentence; undefined when it may */
export function versionRule(
  offered: string,
  running: string,
  { downgrade = false, reinstall = true }: VersionPolicy = {},
): string | undefined {
  switch (compareVersions(offered, running)) {
    case "older":
      return downgrade ? undefined : `version ${offered} is older than ${running}, which runs here`;
    case "same":
      return reinstall ? undefined : `version ${offered} runs here already`;
    default:
      return undefined;
  }
}

export type VersionOrder = "newer" | "same" | "older" | "unknown";

/**
 * How `offered` stands to `running`. Two versions that differ in numbers only compare by these numbers, whatever is between
 * them (`r9` and `r10`, `2026-01-31` and `2026-02-01`); others by the rules of Semantic Versioning, with any count of numbers;
 * what is left, as commit hashes and an empty version, has no order.
 */
export function compareVersions(offered: string, running: string): VersionOrder {
  const [one, other] = [withoutPrefix(offered), withoutPrefix(running)];
  if (one === "" || other === "") return "unknown";
  if (one === other) return "same";
  if (isHash(one) || isHash(other)) return "unknown";
  if (skeleton(one) === skeleton(other)) return orderOf(compareLists(numbersOf(one), numbersOf(other)));
  const [left, right] = [parseSemantic(one), parseSemantic(other)];
  if (left === undefined || right === undefined) return "unknown";
  const order = compareLists(left.numbers, right.numbers) || comparePreReleases(left, right);
  // Builds of one version have no order, and are not the same either.
  return order === 0 && left.build !== right.build ? "unknown" : orderOf(order);
}

const orderOf = (order: number): VersionOrder => (order > 0 ? "newer" : order < 0 ? "older" : "same");

const withoutPrefix = (version: string) => version.trim().replace(/^v(?=\d)/i, "");

/** As git abbreviates them, and longer: their digits mean nothing. */
const isHash = (version: string) => /^g?(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,64}$/.test(version);

const skeleton = (version: string) => version.replace(/\d+/g, "0");
const numbersOf = (version: string) => version.match(/\d+/g) ?? [];

interface SemanticVersion {
  readonly numbers: readonly string[];
  /** Empty for a release. */
  readonly preRelease: readonly string[];
  readonly build: string;
}

function parseSemantic(version: string): SemanticVersion | undefined {
  const match = /^(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/.exec(version);
  if (match === null) return undefined;
  const [, numbers = "", preRelease, build = ""] = match;
  return { numbers: numbers.split("."), preRelease: preRelease?.split(".") ?? [], build };
}

/** A number that is not there counts as 0: 1.4 is 1.4.0. */
function compareLists(one: readonly string[], other: readonly string[]): number {
  for (let index = 0; index < Math.max(one.length, other.length); index++) {
    const order = compareNumbers(one[index] ?? "0", other[index] ?? "0");
    if (order !== 0) return order;
  }
  return 0;
}

/** Of any length: the time of a build in nanoseconds is beyond what a double holds. */
function compareNumbers(one: string, other: string): number {
  const [left, right] = [one.replace(/^0+/, ""), other.replace(/^0+/, "")];
  return left.length - right.length || compareText(left, right);
}

const compareText = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** Semantic Versioning 2.0.0 §11: before its release; numbers by value and before words; the longer list is newer. */
function comparePreReleases(
  { preRelease: one }: SemanticVersion,
  { preRelease: other }: SemanticVersion,
): number {
  if (one.length === 0 || other.length === 0) return other.length - one.length;
  for (const [index, left] of one.entries()) {
    const right = other[index];
    if (right === undefined) return 1;
    const [leftIsNumber, rightIsNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
    const order =
      leftIsNumber && rightIsNumber
        ? compareNumbers(left, right)
        : Number(rightIsNumber) - Number(leftIsNumber) || compareText(left, right);
    if (order !== 0) return order;
  }
  return one.length - other.length;
}
