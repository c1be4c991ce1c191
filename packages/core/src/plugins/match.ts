import picomatch from 'picomatch';
import { GradwareError } from '../errors.js';
import { nearest } from '../options/nearest.js';

type Patterns = string | readonly string[] | undefined;

function listOf(patterns: Patterns): readonly string[] {
  if (patterns === undefined) return [];
  return typeof patterns === 'string' ? [patterns] : patterns;
}

/** Whether a parameter name is meant by a name or glob. `*` crosses dots and slashes. */
function matcher(pattern: string): (name: string) => boolean {
  const glob = picomatch(pattern, { bash: true, dot: true });
  return (name) => name === pattern || glob(name);
}

/** The names that `include` (default: all) and `exclude` leave, in the order of `names`.
 *  @throws GradwareError UNKNOWN_PARAMETER for a pattern that matches nothing, with the nearest names */
export function selectNames(
  names: readonly string[],
  include: Patterns,
  exclude: Patterns,
  owner: string,
): readonly string[] {
  const [wanted, unwanted] = [include, exclude].map((patterns) =>
    listOf(patterns).map((pattern) => {
      const matches = matcher(pattern);
      if (!names.some(matches)) refuse(pattern, names, owner);
      return matches;
    }),
  );
  return names.filter(
    (name) =>
      (include === undefined || wanted?.some((matches) => matches(name))) &&
      !unwanted?.some((matches) => matches(name)),
  );
}

function refuse(pattern: string, names: readonly string[], owner: string): never {
  const near = nearest(pattern, names);
  throw new GradwareError('UNKNOWN_PARAMETER', `${owner}: "${pattern}" matches no parameter`, {
    remedy:
      near.length > 0
        ? `Did you mean ${near.join(' or ')}?`
        : `The parameters are ${names.join(', ')}.`,
  });
}
