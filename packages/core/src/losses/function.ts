import { GradwareError } from '../errors.js';
import { elementCount, type Value } from '../graph/value.js';
import { isFloatType } from '../onnx/element-types.js';
import type { Loss, LossContext } from './loss.js';

/** A loss of one's own: a function that writes nodes with `op` and returns one number.
 *
 *      const logCosh = lossFunction('log-cosh', ({ op, predictions: [y], target }) => {
 *        const distance = op.Sub(y, target('target', y.type, y.shape));
 *        return op.mean(op.Log(op.Cosh(distance)));
 *      });
 *
 *  `target` declares an input that holds the truth (or finds the model's own of that name).
 *  @throws GradwareError INVALID_MODEL, when a session opens, where the result is not one floating-point number */
export function lossFunction(name: string, write: (context: LossContext) => Value): Loss {
  return { name, build: (context) => oneNumber(name, context, write(context)) };
}

/** A loss as a scalar of shape [].
 *  @throws GradwareError INVALID_MODEL where it is anything else than one floating-point number */
export function oneNumber(loss: string, { op }: LossContext, result: Value): Value {
  if (!isFloatType(result.type) || elementCount(result.shape) !== 1)
    throw new GradwareError('INVALID_MODEL', `The loss ${loss} must be one floating-point number`, {
      where: `it is ${result.type} [${result.shape}]`,
      remedy: 'Take the mean or the sum of it.',
    });
  return op.reshape(result, []);
}
