/** How the elements of a tensor are searched: laid out as [outer, length, inner], of which each of the outer · inner blocks
 *  along the middle axis gives up `keep`. Neighbours, which are often large together, are in different blocks. Elements that
 *  are missing at the end count as zero; no block is without an element. */
export interface Layout {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly keep: number;
}

/** A ratio asks for about so many: blocks without a rest are faster, and may have one more or less in twenty. */
const leeway = 0.05;
/** How many times wider than high the blocks lie: narrow enough that those beside each other are searched within the
 *  processor's cache. */
const aspect = 4;

/** @param count elements of the tensor
 *  @param exactUpTo the largest tensor that is one block */
export function layoutOf(
  count: number,
  { k, ratio }: { readonly k?: number | undefined; readonly ratio: number },
  exactUpTo: number,
): Layout {
  const wanted = Math.min(count, k ?? Math.max(1, Math.round(ratio * count)));
  if (count <= exactUpTo || wanted === count)
    return { outer: 1, length: count, inner: 1, keep: wanted };
  return k === undefined ? about(count, wanted) : exactly(count, wanted);
}

/** As many blocks as are wanted. */
function exactly(count: number, wanted: number): Layout {
  const length = Math.ceil(count / wanted);
  const ideal = Math.sqrt(wanted / aspect);
  // What is missing is less than a row of all blocks, and must leave the last blocks something.
  const outer = divisorNear(wanted, Math.min(ideal, length - 1));
  return { outer, length, inner: wanted / outer, keep: 1 };
}

/** About as many, with as little missing as there can be. */
function about(count: number, wanted: number): Layout {
  const ideal = Math.max(1, Math.round(Math.sqrt(wanted / aspect)));
  let best: Layout | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let outer = 2 * ideal; outer >= ideal / 4; outer--)
    for (const length of lengthsNear(count, wanted)) {
      const inner = Math.ceil(count / (outer * length));
      const missing = outer * length * inner - count;
      const isNear = Math.abs(outer * inner - wanted) <= wanted * leeway;
      if (!isNear || missing >= least || missing > (length - 1) * inner) continue;
      best = { outer, length, inner, keep: 1 };
      least = missing;
    }
  return best ?? exactly(count, wanted);
}

/** Lengths of blocks that give about so many of them, the nearest first. */
function lengthsNear(count: number, wanted: number): readonly number[] {
  const ideal = count / wanted;
  const [low, high] = [Math.ceil(ideal / (1 + leeway)), Math.floor(ideal / (1 - leeway))];
  return Array.from({ length: Math.max(0, Math.min(high - low + 1, 64)) }, (_, i) => low + i).sort(
    (a, b) => Math.abs(a - ideal) - Math.abs(b - ideal),
  );
}

/** The largest divisor of `count` that is not above `most`. */
function divisorNear(count: number, most: number): number {
  for (let divisor = Math.floor(most); divisor > 1; divisor--)
    if (count % divisor === 0) return divisor;
  return 1;
}
