import { elementCount, type Value } from '../../graph/value.js';

/** Multiply-adds from which on more is gained than the nodes that rearrange take. */
const worthwhile = 2 ** 19;

/** Whether there are kernels for such a convolution that are faster than the usual ones. A kernel of one place is a product
 *  of matrices anyway. */
export function isWorthwhile({
  image,
  kernel,
  products,
}: {
  readonly image: Value;
  readonly kernel: readonly number[];
  /** Multiply-adds of all of it. */
  readonly products: number;
}): boolean {
  const places = elementCount(kernel);
  return image.type === 'float32' && kernel.length <= 2 && places > 1 && products >= worthwhile;
}
