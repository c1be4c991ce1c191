import { GradwareError } from '../errors.js';
import { sameShape, type Value } from '../graph/value.js';
import { type LossContext, onlyPrediction } from './loss.js';

/** The one prediction, and the input `target` of the same type and shape.
 *  @throws GradwareError INVALID_MODEL where the model's own input of that name is another */
export function predictionAndTarget(
  loss: string,
  { predictions, target }: LossContext,
): readonly [prediction: Value, target: Value] {
  const prediction = onlyPrediction(loss, predictions);
  const { type, shape } = prediction;
  const truth = target('target', type, shape);
  if (truth.type === type && sameShape(truth.shape, shape)) return [prediction, truth];
  throw new GradwareError(
    'INVALID_MODEL',
    `The loss ${loss} needs a target ${type}[${shape}], not ${truth.type}[${truth.shape}]`,
    { where: `input ${truth.name}`, remedy: 'Change this input of the model, or its name.' },
  );
}
