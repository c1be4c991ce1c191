import { GradwareError } from '../../errors.js';
import { elementCount, int, normalizeAxis, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';

/** The slices that are true, where it is known which: those of all elements where no axis is given. */
function compress({ op, x, attributes, node, constant }: FormContext): readonly Value[] {
  const chosen = constant(1);
  if (chosen === undefined)
    throw new GradwareError('NO_GRADIENT', 'No gradient is known for a choice that is computed', {
      where: `Compress node ${node.name}`,
      remedy: 'Multiply by the condition instead: what is left out becomes 0.',
    });
  const [data] = x;
  const places = op.ints([...chosen.keys()].filter((i) => chosen[i] !== 0));
  if (attributes.axis === undefined)
    return [op.Gather(op.reshape(data, [elementCount(data.shape)]), places)];
  const axis = normalizeAxis(int(attributes, 'axis', 0), data.shape.length);
  return [op.Gather(data, places, { axis })];
}

export const compression = decompositions({ Compress: compress });
