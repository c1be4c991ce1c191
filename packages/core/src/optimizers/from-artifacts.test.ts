import { expect, test } from 'vitest';
import type { OptimizerDescription } from '../artifacts/optimizer-model.js';
import { createBench } from '../testing/bench.js';
import { float32, floats } from '../testing/tensors.js';
import { adamw } from './adamw.js';
import { optimizerFromArtifacts } from './from-artifacts.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

async function weightsAfter(optimizer: Optimizer, gradient: readonly number[]) {
  const weights = new Map([['w', float32([1, -2, 0.5])]]);
  const bench = await createBench({ plugins: [], optimizer, weights, learningRate: 0.1 });
  for (let step = 0; step < 3; step++) await bench.step(new Map([['w', float32(gradient)]]));
  const after = bench.state().get('parameter/w');
  await bench.release();
  return after && [...floats(after)];
}

const description: OptimizerDescription = {
  kind: 'adamw',
  mode: 'huggingface',
  betas: [0.8, 0.99],
  epsilon: 1e-6,
  weightDecay: 0.05,
  biasCorrection: false,
};

test('reads the options of AdamW', async () => {
  const wanted = adamw({
    ...{ beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05 },
    ...{ form: 'huggingface', correctBias: false },
  });
  const found = optimizerFromArtifacts(description);
  expect(found.defaultLearningRate).toBe(1e-3);
  expect(await weightsAfter(found, [3, 4, 0])).toEqual(await weightsAfter(wanted, [3, 4, 0]));
});

test('clips the gradients before the step', async () => {
  const clipped = optimizerFromArtifacts({ kind: 'sgd', clipGradNorm: { maxNorm: 1 } });
  const found = await weightsAfter(clipped, [3, 4, 0]);
  [1 - 0.3 * 0.6, -2 - 0.3 * 0.8, 0.5].forEach((exact, i) => {
    expect(found?.[i]).toBeCloseTo(exact, 5);
  });
  expect(await weightsAfter(clipped, [0.3, 0.4, 0])).toEqual(
    await weightsAfter(sgd(), [0.3, 0.4, 0]),
  );
});

test('does not clip away a gradient that is not a number', async () => {
  const clipped = optimizerFromArtifacts({ kind: 'sgd', clipGradNorm: { maxNorm: 1 } });
  expect((await weightsAfter(clipped, [Number.NaN, 4, 0]))?.[1]).toBeNaN();
});

test('refuses attributes that no AdamW can have', () => {
  expect(() => optimizerFromArtifacts({ ...description, betas: [1.5, 0.9] })).toThrow(
    'adamw.beta1 must be a number >= 0 and < 1, not 1.5',
  );
});
