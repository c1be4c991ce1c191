/** Levenshtein's distance: how many letters to insert, drop or change. A * in the first stands for any letters, as in a glob. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const isAny = a[i - 1] === '*';
    const next = [(row[0] ?? 0) + (isAny ? 0 : 1)];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (isAny || a[i - 1] === b[j - 1] ? 0 : 1);
      const cost = isAny ? 0 : 1;
      next.push(Math.min(change, (row[j] ?? 0) + cost, (next[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The known names most like a misspelt one, best first: for "did you mean". */
export function nearest(given: string, known: Iterable<string>, most = 3): readonly string[] {
  const letters = given.replaceAll('*', '').length;
  // With a * nearly everything is near.
  const limit =
    letters < given.length ? Math.floor(letters / 3) : Math.max(2, Math.floor(letters / 2));
  return [...known]
    .map((name) => ({ name, far: distance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, far }) => far <= limit || name.includes(given))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ name }) => name);
}

/** The remedy for a name that there is not: those that it may be meant for.
 *  @param otherwise what helps where none is near; by default all names */
export function didYouMean(given: string, known: Iterable<string>, otherwise?: string): string {
  const names = [...known];
  // JavaScript gives anything.
  const near = nearest(`${given}`, names);
  if (near.length > 0) return `Did you mean ${near.join(' or ')}?`;
  return otherwise ?? (names.length > 0 ? `There are ${names.join(', ')}.` : 'There are none.');
}
