import { GradwareError } from '@gradware/core';
import { list, suggestion } from './suggestion.js';

/** Numbers for the names of classes, while a column of them is read. */
export interface ClassNames {
  /** NaN for a name that is not one of those given. */
  numberOf(name: string): number;
  /** What `numberOf` gave becomes the place of the name in `list`. */
  sorted(numbers: Float64Array): Float64Array;
  /** The names in the order of their numbers. */
  list(): readonly string[];
  unknown(name: string, where: string): GradwareError;
}

/** @param given the names in the order of their numbers; if not given, all that come, sorted */
export function classNames(given: readonly string[] | undefined): ClassNames {
  const numbers = new Map((given ?? []).map((name, i) => [name, i]));
  const names = () => (given === undefined ? [...numbers.keys()].sort() : given);
  return {
    numberOf(name) {
      const known = numbers.get(name);
      if (known !== undefined) return known;
      if (given !== undefined) return Number.NaN;
      numbers.set(name, numbers.size);
      return numbers.size - 1;
    },
    sorted(coded) {
      if (given !== undefined) return coded;
      const places = new Map(names().map((name, place) => [numbers.get(name), place]));
      return coded.map((number) => places.get(number) as number);
    },
    list: names,
    unknown: (name, where) =>
      new GradwareError('INVALID_DATA', `"${name.slice(0, 40)}" is not one of the classes`, {
        where,
        remedy: `${suggestion(name, names())}There are ${list(names())}.`,
      }),
  };
}
