/** The names most like a misspelt one, nearest first, at most `limit`. */
function nearest(name: string, names: Iterable<string>, limit = 3): readonly string[] {
  const wanted = name.toLowerCase();
  return [...names]
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.toLowerCase()) }))
    .filter(
      ({ candidate, distance: far }) =>
        far <= Math.max(2, Math.max(name.length, candidate.length) / 2),
    )
    .sort((a, b) => a.distance - b.distance)
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** Levenshtein's: insertions, deletions and replacements from one to the other. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** "Did you mean 'a' or 'b'? ": empty where nothing is near. */
export function suggestion(name: string, names: Iterable<string>): string {
  const near = nearest(name, names).map((candidate) => `'${candidate}'`);
  return near.length === 0 ? '' : `Did you mean ${near.join(' or ')}? `;
}

/** A list for a message, cut after eight. */
export function list(names: Iterable<string>): string {
  const all = [...names];
  const shown = all.slice(0, 8).join(', ');
  return all.length > 8 ? `${shown}, ... (${all.length} in all)` : shown;
}
