import { GradwareError } from '../../errors.js';
import { tensorOf } from '../constants.js';
import type { Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';

/** The recurrence below subtracts what grows with the size: beyond this little is left of single precision. */
const largest = 8;

/** By Faddeev and LeVerrier: M₁ = I, cₖ = −tr(A Mₖ) / k, Mₖ₊₁ = A Mₖ + cₖ I, det A = (−1)ⁿ cₙ. It divides by no pivot, so
 *  that singular matrices have their gradient, the adjugate, too. */
function det({ op, x, node }: FormContext): readonly Value[] {
  const [matrix] = x;
  const batch = matrix.shape.slice(0, -2);
  const size = matrix.shape.at(-1) ?? 0;
  if (size > largest)
    throw new GradwareError('NO_GRADIENT', `No gradient is known for Det of ${size} x ${size}`, {
      where: `node ${node.name}`,
      remedy: `Matrices of ${largest} x ${largest} are the largest.`,
    });
  if (size === 0) return [op.ones({ type: matrix.type, shape: batch })];
  const unit = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const identity = op.constant(tensorOf(matrix.type, unit, [size, size]));
  let made: Value = matrix;
  for (let k = 1; ; k++) {
    const trace = op.sum(op.Mul(made, identity), [-2, -1], true);
    const coefficient = op.Mul(trace, -1 / k);
    if (k === size) return [op.reshape(size % 2 === 0 ? coefficient : op.Neg(coefficient), batch)];
    made = op.MatMul(matrix, op.Add(made, op.Mul(coefficient, identity)));
  }
}

export const determinants = decompositions({ Det: det });
