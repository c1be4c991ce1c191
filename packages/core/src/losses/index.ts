import { GradwareError } from '../errors.js';
import { didYouMean } from '../options/nearest.js';
import type { Options } from '../options/options.js';
import { bceWithLogits } from './bce-with-logits.js';
import { cosine } from './cosine.js';
import { crossEntropy } from './cross-entropy.js';
import { type OnnxLossOptions, onnxLoss } from './from-onnx.js';
import { lossFunction } from './function.js';
import { hinge } from './hinge.js';
import { huber } from './huber.js';
import { klDivergence } from './kl-divergence.js';
import { l1 } from './l1.js';
import type { Loss, LossDefinition } from './loss.js';
import { mse } from './mse.js';
import { nll } from './nll.js';
import { output } from './output.js';

export {
  bceWithLogits,
  cosine,
  crossEntropy,
  hinge,
  huber,
  klDivergence,
  l1,
  lossFunction,
  mse,
  nll,
  type OnnxLossOptions,
  onnxLoss,
  output,
};

interface NamedLoss {
  readonly definition: Pick<LossDefinition<Options>, 'name' | 'description' | 'options'>;
  (given?: Readonly<Record<string, never>>): Loss;
}

/** The losses that can be chosen by name. */
export const losses: ReadonlyMap<string, NamedLoss> = new Map(
  [crossEntropy, nll, mse, l1, huber, bceWithLogits, klDivergence, hinge, cosine, output].map(
    (loss) => [loss.definition.name, loss],
  ),
);

/** A loss by its name, with options as they were written down.
 *  @throws GradwareError INVALID_OPTION for an unknown name or option, naming the nearest */
export function lossByName(name: string, options: Readonly<Record<string, unknown>> = {}): Loss {
  const factory = losses.get(name);
  if (factory !== undefined) return factory(options as Readonly<Record<string, never>>);
  throw new GradwareError('INVALID_OPTION', `There is no loss "${name}"`, {
    remedy: didYouMean(name, losses.keys()),
  });
}
