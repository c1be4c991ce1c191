import type { Dim } from '@gradware/core';
import { sizeOf } from './elements.js';

/** The shape of one example as a model input wants it, when the example that is there can be read so without moving
 *  any value: axes are only split, merged or of length 1 ([64] as [1, 8, 8]). [32, 32, 3] is never read as
 *  [3, 32, 32]: that would be another picture. undefined when it does not fit.
 *  @param sizes what named dimensions were found to be; added to when it fits */
export function fitShape(
  found: readonly number[],
  wanted: readonly Dim[],
  sizes: Map<string, number>,
): readonly number[] | undefined {
  const known = wanted.map((dim) => (typeof dim === 'string' ? (sizes.get(dim) ?? dim) : dim));
  const shape = sameRank(found, known) ?? solve(found, known);
  if (shape === undefined) return undefined;

  const named = new Map<string, number>();
  for (const [axis, dim] of wanted.entries()) {
    if (typeof dim !== 'string') continue;
    if ((named.get(dim) ?? shape[axis]) !== shape[axis]) return undefined;
    named.set(dim, shape[axis]!);
  }
  for (const [name, size] of named) sizes.set(name, size);
  return shape;
}

function sameRank(found: readonly number[], wanted: readonly Dim[]): readonly number[] | undefined {
  const agree =
    found.length === wanted.length &&
    wanted.every((dim, axis) => typeof dim !== 'number' || dim === found[axis]);
  return agree ? found : undefined;
}

function solve(found: readonly number[], wanted: readonly Dim[]): readonly number[] | undefined {
  const open = wanted.filter((dim) => typeof dim !== 'number').length;
  const rest = sizeOf(found) / sizeOf(wanted.filter((dim) => typeof dim === 'number'));
  if (open > 1 || !Number.isInteger(rest) || (open === 0 && rest !== 1)) return undefined;
  const shape = wanted.map((dim) => (typeof dim === 'number' ? dim : rest));
  return onlyRegrouped(found, shape) ? shape : undefined;
}

/** Whether one shape is the other with neighbouring axes merged. */
function onlyRegrouped(a: readonly number[], b: readonly number[]): boolean {
  const [coarse, fine] = [boundaries(a), boundaries(b)].sort((x, y) => x.size - y.size);
  return (
    coarse !== undefined &&
    fine !== undefined &&
    [...coarse].every((boundary) => fine.has(boundary))
  );
}

function boundaries(shape: readonly number[]): Set<number> {
  let product = 1;
  return new Set(shape.filter((dim) => dim !== 1).map((dim) => (product *= dim)));
}
