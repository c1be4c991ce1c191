import { GradwareError } from '../errors.js';
import { elementCount } from '../graph/value.js';
import { defineLoss, onlyPrediction } from './loss.js';

const name = 'output';

/** The model's own output is the loss: one number. */
export const output = defineLoss({
  name,
  description: "the model's own output, one number",
  options: {},
  build({ op, predictions }) {
    const [first] = predictions;
    const loss = onlyPrediction(name, first === undefined ? [] : [first]);
    if (elementCount(loss.shape) !== 1)
      throw new GradwareError('INVALID_MODEL', 'A loss must be one number', {
        where: `output ${loss.name} of shape [${loss.shape}]`,
        remedy: 'Name a loss that makes one number of it, for example cross-entropy or mse.',
      });
    return op.Identity(op.reshape(loss, []));
  },
});
