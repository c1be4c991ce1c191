import type { GraphBuilder } from '../graph/builder.js';
import { elementCount, float, int, type Value } from '../graph/value.js';

/** α·Aᵀ·B. */
export interface Product {
  readonly a: Value;
  readonly b: Value;
  readonly alpha: number;
}

/** Below this many terms a sum is left a sum. */
const fewest = 3;

/** Aᵀ·B, as the gradient of a weight matrix is written. */
export function productOf(builder: GraphBuilder, value: Value): Product | undefined {
  const node = builder.producer(value);
  if (node?.opType !== 'Gemm' || node.inputs.length !== 2) return undefined;
  if (int(node.attributes, 'transA', 0) !== 1 || int(node.attributes, 'transB', 0) !== 0)
    return undefined;
  const [a = '', b = ''] = node.inputs;
  return {
    a: builder.value(a),
    b: builder.value(b),
    alpha: float(node.attributes, 'alpha', 1),
  };
}

/** Σ AᵢᵀBᵢ as one product of the stacked A and B, where stacking copies less than the terms take to add up: a
 *  weight that every step of a recurrent network uses. Undefined where the terms are of another kind. */
export function mergeProducts(
  builder: GraphBuilder,
  terms: readonly Value[],
): readonly Value[] | undefined {
  const products = terms.map((term) => productOf(builder, term));
  const found = products.filter((product) => product !== undefined);
  const alpha = found[0]?.alpha;
  const alike = found.filter((product) => product.alpha === alpha);
  if (alike.length < fewest || alpha === undefined) return undefined;
  const copied = alike.reduce(
    (total, { a, b }) => total + elementCount(a.shape) + elementCount(b.shape),
    0,
  );
  if (copied > 2 * alike.length * elementCount(terms[0]?.shape ?? [])) return undefined;
  const { op } = builder;
  const [a, b] = [alike.map((product) => product.a), alike.map((product) => product.b)];
  const merged = op.Gemm(op.Concat(...a, { axis: 0 }), op.Concat(...b, { axis: 0 }), {
    transA: 1,
    ...(alpha === 1 ? {} : { alpha }),
  });
  const rest = terms.filter((_, i) => !alike.includes(products[i] as Product));
  return [merged, ...rest];
}
