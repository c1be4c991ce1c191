import { createBench } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { readOptimizerModel } from '../../packages/core/src/artifacts/optimizer-model.js';
import { optimizerFromArtifacts } from '../../packages/core/src/optimizers/from-artifacts.js';
import { expectClose, generator, map } from '../support/compare.js';
import { type OptimizerModel, optimizerModel, stepByOrt } from '../support/optimizer-models.js';

const random = generator(23);
const shapes = new Map<string, readonly number[]>([
  ['first.weight', [3, 4]],
  ['first.bias', [4]],
  ['scale', []],
]);
const draw = (factor: number) =>
  new Map([...shapes].map(([name, dims]) => [name, map(random(...dims), (v) => v * factor)]));

const adamw = { alpha: 0.9, beta: 0.999, epsilon: 1e-6, weight_decay: 0 };
const huggingface = { ...adamw, adam_mode: 1, correct_bias: 1 };

const models: readonly OptimizerModel[] = [
  { opType: 'AdamWOptimizer', attributes: {} },
  { opType: 'AdamWOptimizer', attributes: adamw },
  { opType: 'AdamWOptimizer', attributes: { ...adamw, weight_decay: 0.1 } },
  { opType: 'AdamWOptimizer', attributes: { alpha: 0.7, beta: 0.9, epsilon: 1e-3 } },
  { opType: 'AdamWOptimizer', attributes: huggingface },
  { opType: 'AdamWOptimizer', attributes: { ...huggingface, weight_decay: 0.1 } },
  { opType: 'AdamWOptimizer', attributes: { ...huggingface, correct_bias: 0 } },
  { opType: 'AdamWOptimizer', attributes: huggingface, clip: {} },
  { opType: 'AdamWOptimizer', attributes: huggingface, clip: { max_norm: 0.25 } },
  { opType: 'AdamWOptimizer', attributes: {}, clip: { max_norm: 1e6, norm_type: 'fro' } },
  { opType: 'SGDOptimizerV2', attributes: {} },
  { opType: 'SGDOptimizerV2', attributes: {}, clip: { max_norm: 0.5 } },
  { opType: 'AdamOptimizer', attributes: {} },
  { opType: 'AdamOptimizer', attributes: { lambda: 0.05, epsilon: 1e-4 } },
  { opType: 'AdamOptimizer', attributes: { lambda: 0.05, weight_decay_mode: 1 } },
  { opType: 'AdamOptimizer', attributes: { do_bias_correction: 0, epsilon: 1e-3 } },
  { opType: 'SGDOptimizer', attributes: {} },
];

const named = models.map((model) => {
  const { opType, attributes, clip } = model;
  const clipped = clip === undefined ? '' : `, clipped ${JSON.stringify(clip)}`;
  return { name: `${opType} ${JSON.stringify(attributes)}${clipped}`, model };
});

test.each(named)('$name: what is read from the model steps as ORT', async ({ model }) => {
  // Away from zero, for errors are relative.
  const weights = new Map([...draw(1)].map(([name, w]) => [name, map(w, (v) => v + 1.5)]));
  // Of very different sizes, so that clipping bites in some steps and not in others.
  const gradients = [1, 0.01, 3, 0.2, 1].map(draw);
  const learningRate = 0.02;
  const wanted = await stepByOrt(model, weights, gradients, learningRate);
  const optimizer = optimizerFromArtifacts(readOptimizerModel(optimizerModel(model, shapes)));
  const bench = await createBench({ plugins: [], optimizer, weights, learningRate });
  for (const [i, given] of gradients.entries()) {
    await bench.step(given);
    const state = bench.state();
    for (const [name, tensor] of wanted[i] ?? [])
      expectClose(state.get(`parameter/${name}`), tensor, 1e-5);
  }
  await bench.release();
  expect(wanted).toHaveLength(gradients.length);
});
