import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { GenerateOptions } from '../../packages/core/src/index.js';
import { generateArtifacts, nodeRuntime, TrainingSession } from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { fromTensor, toTensor } from '../../packages/core/src/runtime/tensors.js';
import { generator, int64 } from '../support/compare.js';
import { models } from '../support/forward-models.js';
import { createOracleSession, type OrtTensor, oracleTensor } from '../support/ort-training.js';

type Batch = Readonly<Record<string, TensorData>>;

/** Five steps by ORT's own training runtime. */
async function byOrt(artifacts: Awaited<ReturnType<typeof generateArtifacts>>, batches: Batch[]) {
  const session = await createOracleSession({
    checkpoint: artifacts.checkpointState,
    trainModel: artifacts.trainModel,
    evalModel: artifacts.evalModel,
    optimizerModel: artifacts.optimizerModel as Uint8Array,
  });
  const losses: number[] = [];
  const outputs: (readonly number[])[] = [];
  let evaluation = 0;
  for (const batch of batches) {
    const feeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(batch)) feeds[name] = await oracleTensor(tensor);
    const results = await session.runTrainStep(feeds);
    const [loss = '', ...others] = session.trainingOutputNames;
    losses.push(Number(results[loss]?.data[0]));
    for (const name of others)
      outputs.push(Array.from(results[name]?.data as Float32Array).slice(0, 4));
    await session.runOptimizerStep();
    await session.lazyResetGrad();
    const evaluated = await session.runEvalStep(feeds);
    evaluation = Number(evaluated[session.evalOutputNames[0] ?? '']?.data[0]);
  }
  const names = session.trainingInputNames;
  await session.release();
  return { losses, outputs, evaluation, names };
}

/** Five steps by Gradware, from the artifacts or from the forward model. */
async function byGradware(session: TrainingSession, batches: Batch[]) {
  const losses: number[] = [];
  const outputs: (readonly number[])[] = [];
  let evaluation = 0;
  for (const batch of batches) {
    const feeds = Object.fromEntries(
      Object.entries(batch).map(([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)]),
    );
    const result = await session.step(feeds);
    losses.push(result.loss);
    for (const tensor of Object.values(result.outputs))
      outputs.push(Array.from(fromTensor(tensor).data as Float32Array).slice(0, 4));
    const evaluated = await session.runEvalStep(feeds);
    evaluation = Number(evaluated[session.evalOutputNames[0] ?? '']?.data[0]);
  }
  await session.release();
  return { losses, outputs, evaluation };
}

function close(ours: readonly number[], theirs: readonly number[]): void {
  expect(ours).toHaveLength(theirs.length);
  for (const [i, value] of theirs.entries())
    expect(Math.abs((ours[i] ?? Number.NaN) - value)).toBeLessThan(1e-4 * Math.max(1, value));
}

function read(name: string): Model {
  const url = new URL(`../../models/digits/${name}.onnx`, import.meta.url);
  return decodeModel(new Uint8Array(readFileSync(url)));
}

const numbers = generator(11);
const labels = (batch: number, classes: number, seed = 7) =>
  int64(Array.from({ length: batch }, (_, i) => (i * seed + batch) % classes));
/** Batches of two sizes, so that nothing of the first may be left in the graph. */
const sizes = [6, 6, 4, 9, 6];
const images = () =>
  sizes.map((batch) => ({ image: numbers(batch, 1, 8, 8), labels: labels(batch, 10) }));
const vectors = (output: number, name = 'target') =>
  sizes.map((batch) => ({ x: numbers(batch, 5), [name]: numbers(batch, output) }));
const tokens = () =>
  sizes.map((batch) => {
    const length = batch + 1;
    return {
      x: numbers(batch, length, 8),
      labels: int64(Array.from({ length: batch }, (_, i) => i % 4)),
    };
  });

interface Case {
  readonly title: string;
  readonly model: Model;
  readonly options: GenerateOptions;
  readonly batches: Batch[];
}

const cases: readonly Case[] = [
  { title: 'the digits MLP', model: read('mlp'), options: {}, batches: images() },
  { title: 'the digits CNN', model: read('cnn'), options: {}, batches: images() },
  {
    title: 'frozen parameters and an additional output',
    model: read('cnn'),
    options: { frozenParams: ['conv1.*'], additionalOutputNames: ['logits'] },
    batches: images(),
  },
  {
    title: 'SGD',
    model: read('mlp'),
    options: { optimizer: 'sgd', requiresGrad: ['*.weight'] },
    batches: images(),
  },
  {
    title: "AdamW in PyTorch's form, clipped",
    model: read('mlp'),
    options: {
      optimizer: {
        kind: 'adamw',
        mode: 'torch',
        epsilon: 1e-8,
        weightDecay: 0.5,
        clipGradNorm: { maxNorm: 0.1 },
      },
    },
    batches: images(),
  },
  ...['mse', 'l1', 'huber', 'bce-with-logits'].map((loss) => ({
    title: loss,
    model: models.mlp(),
    options: { loss },
    batches: vectors(3),
  })),
  {
    title: 'a transformer block of two open lengths',
    model: models.transformer(),
    options: {},
    batches: tokens(),
  },
  {
    title: 'convolution, batch norm and pooling',
    model: models.convolutional(),
    options: {},
    batches: sizes.map((batch) => ({ x: numbers(batch, 3, 8, 8), labels: labels(batch, 4) })),
  },
];

describe.each(cases)('artifacts of $title', ({ model, options, batches }) => {
  test("are trained alike by ORT's own runtime and by ours", async () => {
    const artifacts = await generateArtifacts(encodeModel(model), options);
    expect(artifacts.withoutOrtKernel).toEqual([]);
    const theirs = await byOrt(artifacts, batches);
    const session = await TrainingSession.create(artifacts);
    const ours = await byGradware(session, batches);
    close(ours.losses, theirs.losses);
    expect(new Set(theirs.losses).size).toBe(5);
    for (const [i, output] of ours.outputs.entries()) close(output, theirs.outputs[i] ?? []);
    expect(ours.outputs).toHaveLength(theirs.outputs.length);
    close([ours.evaluation], [theirs.evaluation]);
  });
});
