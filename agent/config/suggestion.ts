/** Finds what somebody meant who mistyped. */

/** The candidate that is nearest, where it is near enough to be a slip of the fingers; letter case does not count. */
export function nearest(typed: string, candidates: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  const tolerance = Math.max(1, Math.floor(typed.length / 3));
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/** Beyond this nobody slipped; and what is typed is not ours to bound. */
const maximumLength = 64;

/** How many letters to insert, leave out, replace or swap with their neighbour (Damerau–Levenshtein, restricted). */
export function editDistance(a: string, b: string): number {
  if (a.length > maximumLength || b.length > maximumLength) return Math.max(a.length, b.length);
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const candidates = [
        at(current, column - 1) + 1,
        at(above, column) + 1,
        at(above, column - 1) + (isSame ? 0 : 1),
      ];
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        candidates.push(at(before, column - 2) + 1);
      }
      current.push(Math.min(...candidates));
    }
    before = above;
    above = current;
  }
  return at(above, b.length);
}

const at = (row: readonly number[], column: number): number => row[column] ?? 0;
