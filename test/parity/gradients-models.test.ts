import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { numbersOf, tensorOf } from '../../packages/core/src/graph/constants.js';
import { lossByName } from '../../packages/core/src/losses/index.js';
import type { Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { relativeDistance } from '../support/check-gradients.js';
import { generator } from '../support/compare.js';
import { modelGradients, type Tensors } from '../support/model-gradients.js';
import { loadOrtTraining, type OrtTensor, oracleTensor } from '../support/ort-training.js';
import { below, golden } from './golden.js';

function read(path: string): Model {
  return decodeModel(new Uint8Array(readFileSync(new URL(path, import.meta.url))));
}

/** Gradients by ORT's own training runtime, from what ORT's own tool wrote for a model. */
async function gradientsByOrt(training: Model, feeds: Tensors, parameters: readonly string[]) {
  const { graph } = training;
  const bytes = encodeModel({
    ...training,
    graph: {
      ...graph,
      nodes: graph.nodes.filter((node) => node.opType !== 'InPlaceAccumulatorV2'),
      inputs: graph.inputs.filter(({ name }) => !/accumulation|lazy_reset/.test(name)),
      outputs: parameters.map((name) => ({ name: `${name}_grad`, type: 'float32' })),
    },
  });
  const ort = await loadOrtTraining();
  const session = await ort.InferenceSession.create(bytes);
  const fed: Record<string, OrtTensor> = {};
  for (const [name, tensor] of feeds) fed[name] = await oracleTensor(tensor);
  const results = await session.run(fed);
  await session.release();
  return (name: string): TensorData => {
    const { dims = [], data = [] } = results[`${name}_grad`] ?? {};
    return { type: 'float32', dims, data };
  };
}

const bookkeeping = new Set(['Identity', 'InPlaceAccumulatorV2', 'Shape']);

function opsOf(nodes: readonly Node[]): readonly string[] {
  const ops = nodes.map((node) => node.opType).filter((opType) => !bookkeeping.has(opType));
  return ops.sort();
}

const batch = 8;

test.each(['mlp', 'cnn'])("the gradients of %s are those of ORT's own tool", async (name) => {
  const labels = Array.from({ length: batch }, (_, i) => (i * 7) % 10);
  const data = new Map([
    ['image', generator(5)(batch, 1, 8, 8)],
    ['labels', tensorOf('int64', labels)],
  ]);
  const model = read(`../../models/digits/${name}.onnx`);
  const training = read(`../../models/digits/artifacts/${name}/training_model.onnx`);
  const { nodes, gradients } = await modelGradients(model, data, lossByName('cross-entropy'));
  expect(opsOf(nodes)).toEqual(opsOf(training.graph.nodes));
  const { initializers } = model.graph;
  const feeds = new Map([...data, ...initializers]);
  const theirs = await gradientsByOrt(training, feeds, [...initializers.keys()]);
  expect([...gradients.keys()]).toEqual([...initializers.keys()]);
  for (const [parameter, ours] of gradients) {
    expect(ours.dims).toEqual([...theirs(parameter).dims]);
    expect(relativeDistance(ours, theirs(parameter))).toBeLessThan(1e-5);
  }
});

const norm = (numbers: readonly number[]) => Math.hypot(...numbers);

test.each([
  ['mlp', 'cross-entropy'],
  ['mlp', 'mse'],
  ['cnn', 'cross-entropy'],
  ['cnn', 'mse'],
])('the gradients of a many-sided %s with %s are those of PyTorch', async (name, lossName) => {
  const arrays = golden('gradients.npz');
  const data = new Map(below(arrays, name));
  const labels = numbersOf(data.get('labels') as TensorData) ?? [];
  data.set('labels', tensorOf('int64', labels));
  const wanted = below(arrays, `${name}/${lossName}`);
  const model = read(`../golden/gradients-${name}.onnx`);
  const { loss, gradients } = await modelGradients(model, data, lossByName(lossName), ['x']);
  expect(loss).toBeCloseTo(Number(wanted.get('loss')?.data[0]), 4);
  const exact = [...gradients.keys()].map((key) => {
    const tensor = wanted.get(`${key}_grad`);
    expect(tensor, key).toBeDefined();
    return [key, numbersOf(tensor as TensorData) ?? []] as const;
  });
  expect(gradients.size).toBe([...wanted.keys()].filter((key) => key.endsWith('_grad')).length);
  const whole = norm(exact.map(([, numbers]) => norm(numbers)));
  for (const [key, numbers] of exact) {
    const ours = numbersOf(gradients.get(key) as TensorData) ?? [];
    expect(ours).toHaveLength(numbers.length);
    const far = norm(ours.map((x, i) => x - (numbers[i] ?? 0)));
    expect(far / Math.max(norm(numbers), 1e-6 * whole), key).toBeLessThan(1e-4);
  }
});
