/** How the elements of a tensor are searched: laid out as [length, blocks], of which each column gives up `keep`. */
export interface Layout {
  readonly length: number;
  readonly blocks: number;
  readonly keep: number;
}

/** A ratio asks for about so many: blocks without a rest are faster, and may have one more or less in twenty. */
const leeway = 0.05;

/** Every column is a block, so that neighbours, which are often large together, are in different ones. Elements that are missing
 *  in the last row count as zero; no column is without an element.
 *  @param count elements of the tensor
 *  @param exactUpTo the largest tensor that is one block */
export function layoutOf(
  count: number,
  { k, ratio }: { readonly k?: number | undefined; readonly ratio: number },
  exactUpTo: number,
): Layout {
  const wanted = Math.min(count, k ?? Math.max(1, Math.round(ratio * count)));
  if (count <= exactUpTo || wanted === count) return { length: count, blocks: 1, keep: wanted };
  const blocks = k === undefined ? divisorNear(count, wanted) : wanted;
  return { length: Math.ceil(count / blocks), blocks, keep: 1 };
}

/** The divisor of `count` next to `wanted`, if there is one within the leeway. */
function divisorNear(count: number, wanted: number): number {
  for (let far = 0; far <= wanted * leeway; far++) {
    if (count % (wanted - far) === 0) return wanted - far;
    if (count % (wanted + far) === 0) return wanted + far;
  }
  return wanted;
}
