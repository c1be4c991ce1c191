import { GradwareError } from '../errors.js';
import { normalizeAxis } from '../graph/value.js';
import { constant, integer, positive } from '../options/options.js';
import { defineLoss } from './loss.js';
import { reduce, reduction } from './reduction.js';
import { predictionAndTarget } from './target.js';

const name = 'cosine';

/** 1 - x·t / max(‖x‖·‖t‖, ε) along one axis (1 - torch.nn.functional.cosine_similarity): what
 *  torch.nn.CosineEmbeddingLoss gives for pairs that belong together. */
export const cosine = defineLoss({
  name,
  description: 'angle between predicted and target vectors: 1 - cosine',
  options: {
    axis: constant(integer(Number.MIN_SAFE_INTEGER), -1, 'axis of the vectors'),
    epsilon: constant(positive, 1e-8, 'least product of the lengths'),
    reduction,
  },
  build(context, { axis: given, epsilon, reduction }) {
    const { op } = context;
    const [prediction, target] = predictionAndTarget(name, context);
    const axis = normalizeAxis(given, prediction.shape.length);
    if (prediction.shape[axis] === undefined)
      throw new GradwareError('INVALID_OPTION', `cosine.axis ${given} is no axis of the vectors`, {
        where: `prediction ${prediction.name} of shape [${prediction.shape}]`,
        remedy: 'Name the axis along which a vector lies.',
      });
    const along = op.ints([axis]);
    const [a, b] = [prediction, target].map((x) => op.ReduceL2(x, along, { keepdims: 0 }));
    const lengths = op.Mul(a, b);
    const safe = op.Where(op.Greater(lengths, epsilon), lengths, epsilon);
    const cosines = op.Div(op.sum(op.Mul(prediction, target), [axis]), safe);
    return reduce(op, op.Sub(1, cosines), reduction);
  },
});
