/** The names that an expression stands for, in its order: a name, a glob (`pixel*`, `x?`), a range of neighbours
 *  (`pixel0..pixel783`), or several of these with commas between. A name that holds such signs itself is taken first.
 *  What matches nothing adds nothing; nothing is taken twice. */
export function expand(expression: string, names: readonly string[]): readonly string[] {
  if (names.includes(expression)) return [expression];
  const terms = expression.split(',').map((term) => term.trim());
  return [...new Set(terms.flatMap((term) => expandTerm(term, names)))];
}

/** The terms of an expression that stand for nothing. */
export function unmatched(expression: string, names: readonly string[]): readonly string[] {
  if (names.includes(expression)) return [];
  return expression
    .split(',')
    .map((term) => term.trim())
    .filter((term) => expandTerm(term, names).length === 0);
}

function expandTerm(term: string, names: readonly string[]): readonly string[] {
  if (names.includes(term)) return [term];
  const [first, last] = term.split('..').map((end) => names.indexOf(end.trim()));
  if (first !== undefined && last !== undefined) {
    return first < 0 || last < 0 ? [] : names.slice(first, last + 1);
  }
  return /[*?]/.test(term) ? names.filter(globMatcher(term)) : [];
}

/** Whether a name matches a glob of `*` (any text) and `?` (any one character). */
export function globMatcher(glob: string): (name: string) => boolean {
  const source = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.');
  const pattern = new RegExp(`^${source}$`, 's');
  return (name) => pattern.test(name);
}
