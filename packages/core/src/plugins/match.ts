import picomatch from 'picomatch';
import { GradwareError, messageOf } from '../errors.js';
import { didYouMean } from '../options/nearest.js';

/** What a parameter can be chosen by. */
export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Chooses parameters by more than their names: `({ shape }) => shape.length > 1`. */
export type ParameterPredicate = (parameter: ParameterInfo) => boolean;

/** A name or glob (`*` crosses dots and slashes), a predicate, or a list of either: what any of them means. */
export type ParameterPattern =
  | string
  | ParameterPredicate
  | readonly (string | ParameterPredicate)[];

/** Which parameters are meant. Everything that is given must hold. */
export interface ParameterFilter {
  /** Default: all. */
  readonly include?: ParameterPattern | undefined;
  readonly exclude?: ParameterPattern | undefined;
  /** Only parameters of this many dimensions or more: 2 leaves biases and the scales of norms out. */
  readonly minRank?: number | undefined;
  readonly maxRank?: number | undefined;
}

/** Whether a filter says anything at all. */
export function isFiltering({ include, exclude, minRank, maxRank }: ParameterFilter): boolean {
  return (include ?? exclude ?? minRank ?? maxRank) !== undefined;
}

/** A test for the parameters that a name or glob means. */
function matcher(pattern: string): ParameterPredicate {
  // picomatch has no word for it.
  if (pattern === '') return () => false;
  const glob = picomatch(pattern, { bash: true, dot: true });
  return ({ name }) => name === pattern || glob(name);
}

/** One test for each pattern, each of which means something.
 *  @throws GradwareError UNKNOWN_PARAMETER */
function matchers(
  patterns: ParameterPattern,
  parameters: readonly ParameterInfo[],
  owner: string,
): readonly ParameterPredicate[] {
  const list = typeof patterns === 'object' ? patterns : [patterns];
  return list.map((pattern) => {
    const matches = typeof pattern === 'string' ? matcher(pattern) : asked(pattern, owner);
    if (!parameters.some(matches)) refuse(pattern, parameters, owner);
    return matches;
  });
}

/** A predicate of the user.
 *  @throws GradwareError INVALID_OPTION for what is no function, or throws */
function asked(predicate: unknown, owner: string): ParameterPredicate {
  if (typeof predicate !== 'function')
    throw new GradwareError(
      'INVALID_OPTION',
      `${owner}: a pattern must be a name, a glob or a function, not ${String(predicate)}`,
    );
  return (parameter) => {
    try {
      return Boolean(predicate(parameter));
    } catch (cause) {
      const reason = messageOf(cause);
      throw new GradwareError(
        'INVALID_OPTION',
        `${owner}: the function that chooses parameters failed for ${parameter.name}: ${reason}`,
        { cause },
      );
    }
  };
}

/** The parameters that a filter leaves, in their order.
 *  @throws GradwareError UNKNOWN_PARAMETER for a pattern that matches nothing, with the nearest names, and for a filter
 *  that leaves nothing */
export function selectParameters<Parameter extends ParameterInfo>(
  parameters: readonly Parameter[],
  filter: ParameterFilter,
  owner: string,
): readonly Parameter[] {
  if (!isFiltering(filter)) return parameters;
  const { include, exclude, minRank = 0, maxRank = Number.POSITIVE_INFINITY } = filter;
  const wanted = include === undefined ? [() => true] : matchers(include, parameters, owner);
  const unwanted = exclude === undefined ? [] : matchers(exclude, parameters, owner);
  const left = parameters.filter(
    (parameter) =>
      parameter.shape.length >= minRank &&
      parameter.shape.length <= maxRank &&
      wanted.some((matches) => matches(parameter)) &&
      !unwanted.some((matches) => matches(parameter)),
  );
  if (left.length > 0 || parameters.length === 0) return left;
  throw new GradwareError('UNKNOWN_PARAMETER', `${owner}: no parameter is left to work on`, {
    remedy: `Let include, exclude, minRank and maxRank leave some of ${describe(parameters)}.`,
  });
}

/** As `selectParameters`, for names alone; nothing may be left. */
export function selectNames(
  names: readonly string[],
  include: readonly string[],
  exclude: readonly string[] | undefined,
  owner: string,
): readonly string[] {
  const all = names.map((name): ParameterInfo => ({ name, shape: [] }));
  const wanted = matchers(include, all, owner);
  const unwanted = matchers(exclude ?? [], all, owner);
  return all
    .filter((info) => wanted.some((matches) => matches(info)))
    .filter((info) => !unwanted.some((matches) => matches(info)))
    .map(({ name }) => name);
}

function describe(parameters: readonly ParameterInfo[]): string {
  const most = 20;
  const listed = parameters
    .slice(0, most)
    .map(({ name, shape }) => (shape.length > 0 ? `${name} [${shape}]` : name));
  return parameters.length > most
    ? `${listed.join(', ')}, ... (${parameters.length})`
    : listed.join(', ');
}

function refuse(
  pattern: string | ParameterPredicate,
  parameters: readonly ParameterInfo[],
  owner: string,
): never {
  const text = typeof pattern === 'string' ? `"${pattern}"` : 'a function';
  const names = parameters.map(({ name }) => name);
  const all = `The parameters are ${describe(parameters)}.`;
  throw new GradwareError('UNKNOWN_PARAMETER', `${owner}: ${text} matches no parameter`, {
    remedy: typeof pattern === 'string' ? didYouMean(pattern, names, all) : all,
  });
}
