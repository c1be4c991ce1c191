import {
  type ArtifactOptimizer,
  boolean,
  constant,
  didYouMean,
  fraction,
  GradwareError,
  nonNegative,
  type Options,
  oneOf,
  type Resolved,
} from '@gradware/core';
import { parseSpec } from './spec.js';
import { readOptions } from './values.js';

/** The names that `gradware train --optimizer` has for them; the values are what ORT's own tool writes. */
const adamw = {
  form: constant(
    oneOf('huggingface', 'torch'),
    'huggingface',
    'where epsilon and the decay stand in the formula',
  ),
  beta1: constant(fraction, 0.9, 'decay of the mean'),
  beta2: constant(fraction, 0.999, 'decay of the mean square'),
  epsilon: constant(nonNegative, 1e-6, 'keeps the denominator from 0'),
  weightDecay: constant(nonNegative, 0, 'decoupled weight decay'),
  correctBias: constant(boolean, true, 'correct for the zeros that the means start from'),
} satisfies Options;

const factories: Readonly<
  Record<string, { options: Options; make(given: Resolved<Options>): ArtifactOptimizer | null }>
> = {
  adamw: {
    options: adamw,
    make(given) {
      const { form, beta1, beta2, epsilon, weightDecay, correctBias } = given as Partial<
        Resolved<typeof adamw>
      >;
      return {
        kind: 'adamw',
        mode: form ?? 'huggingface',
        betas: [beta1 ?? 0.9, beta2 ?? 0.999],
        epsilon: epsilon ?? 1e-6,
        weightDecay: weightDecay ?? 0,
        biasCorrection: correctBias ?? true,
      };
    },
  },
  sgd: { options: {}, make: () => ({ kind: 'sgd' }) },
  none: { options: {}, make: () => null },
};

export const artifactOptimizerNames: readonly string[] = Object.keys(factories);

/** Reads `adamw:form=torch,weight-decay=0.01`, `sgd` or `none`: what an optimizer model can hold.
 *  @throws GradwareError INVALID_OPTION */
export function parseArtifactOptimizer(
  text: string,
  clipGradNorm: number | undefined,
): ArtifactOptimizer | null {
  const spec = parseSpec(text);
  const factory = Object.hasOwn(factories, spec.name) ? factories[spec.name] : undefined;
  if (factory === undefined) {
    throw new GradwareError('INVALID_OPTION', `Artifacts can hold no optimizer "${spec.name}"`, {
      where: `--optimizer ${text}`,
      remedy: didYouMean(spec.name, artifactOptimizerNames),
    });
  }
  const made = factory.make(readOptions(spec, factory.options) as Resolved<Options>);
  if (made === null || typeof made === 'string' || clipGradNorm === undefined) return made;
  return { ...made, clipGradNorm: { maxNorm: clipGradNorm } };
}
