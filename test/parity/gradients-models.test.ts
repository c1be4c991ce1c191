import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { differentiate } from '../../packages/core/src/gradients/differentiate.js';
import { createBuilder } from '../../packages/core/src/graph/builder.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { upgradeModel } from '../../packages/core/src/graph/upgrade.js';
import { crossEntropy } from '../../packages/core/src/losses/index.js';
import { lower } from '../../packages/core/src/lowering/lower.js';
import type { Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { relativeDistance } from '../support/check-gradients.js';
import { generator } from '../support/compare.js';
import { loadOrtTraining, type OrtTensor, oracleTensor } from '../support/ort-training.js';

const batch = 8;
const image = [batch, 1, 8, 8];
const feeds: Readonly<Record<string, TensorData>> = {
  image: generator(5)(...image),
  labels: tensorOf(
    'int64',
    Array.from({ length: batch }, (_, i) => (i * 7) % 10),
  ),
};

function read(name: string): Model {
  const url = new URL(`../../models/digits/${name}`, import.meta.url);
  return decodeModel(new Uint8Array(readFileSync(fileURLToPath(url))));
}

/** The forward model with its loss and gradients, written by us. */
function differentiated(model: Model) {
  const { graph } = upgradeModel(model);
  const builder = createBuilder();
  const parameters = [...graph.initializers.keys()];
  builder.declare({ name: 'image', type: 'float32', shape: image });
  for (const [name, { type, dims }] of graph.initializers)
    builder.declare({ name, type, shape: dims });
  for (const { opType, inputs, attributes, ...options } of graph.nodes)
    builder.emit(
      opType,
      inputs.map((name) => builder.value(name)),
      attributes,
      options,
    );
  const loss = crossEntropy().build({
    op: builder.op,
    builder,
    predictions: [builder.value('logits')],
    target: (name, type, shape) => builder.declare({ name, type, shape }),
  });
  const { gradients } = differentiate(builder, loss, parameters);
  return { builder, gradients, parameters: graph.initializers };
}

/** What ORT's own tool wrote for the same model, with the gradients as its outputs. */
function withGradientOutputs(training: Model, gradients: readonly string[]): Uint8Array {
  const { graph } = training;
  const made = new Set(gradients);
  return encodeModel({
    ...training,
    graph: {
      ...graph,
      nodes: graph.nodes.filter((node) => node.opType !== 'InPlaceAccumulatorV2'),
      inputs: graph.inputs.filter(({ name }) => !/accumulation|lazy_reset/.test(name)),
      outputs: [...made].map((name) => ({ name, type: 'float32' as const })),
    },
  });
}

const bookkeeping = new Set(['Identity', 'InPlaceAccumulatorV2', 'Shape']);

function opsOf(nodes: readonly Node[]): readonly string[] {
  return nodes
    .map((node) => node.opType)
    .filter((opType) => !bookkeeping.has(opType))
    .sort();
}

test.each(['mlp', 'cnn'])("the gradients of %s are those of ORT's own tool", async (name) => {
  const ours = differentiated(read(`${name}.onnx`));
  const training = read(`artifacts/${name}/training_model.onnx`);
  expect(opsOf(ours.builder.nodes)).toEqual(opsOf(training.graph.nodes));

  const names = [...ours.parameters.keys()].map((parameter) => `${parameter}_grad`);
  expect([...ours.gradients.values()].map((gradient) => gradient.name)).toEqual(names);
  const everything = { ...feeds, ...Object.fromEntries(ours.parameters) };

  const ort = await loadOrtTraining();
  const reference = await ort.InferenceSession.create(withGradientOutputs(training, names));
  const fed: Record<string, OrtTensor> = {};
  for (const [input, tensor] of Object.entries(everything)) fed[input] = await oracleTensor(tensor);
  const theirs = await reference.run(fed);
  await reference.release();

  const { builder } = ours;
  const random = () => expect.unreachable('nothing here is random');
  const nodes = lower(builder, names, { provider: 'cpu', random });
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const bytes = encodeModel({
    ...training,
    opsets: new Map([['', 21]]),
    graph: {
      name,
      nodes,
      inputs: Object.entries(everything).map(([input, { type, dims }]) => ({
        name: input,
        type,
        shape: dims,
      })),
      outputs: names.map((output) => ({ name: output, type: 'float32' as const })),
      initializers: new Map([...builder.initializers].filter(([constant]) => used.has(constant))),
      valueInfo: new Map(),
    },
  });
  const session = await InferenceSession.create(bytes);
  const results = await session.run(
    Object.fromEntries(
      Object.entries(everything).map(([input, { type, data, dims }]) => [
        input,
        new Tensor(type as 'float32', data as Float32Array, dims),
      ]),
    ),
  );
  await session.release();
  for (const gradient of names) {
    const as = (tensor: { dims: readonly number[]; data: unknown } | undefined): TensorData => ({
      type: 'float32',
      dims: tensor?.dims ?? [],
      data: tensor?.data as Float32Array,
    });
    expect(results[gradient]?.dims).toEqual([...(theirs[gradient]?.dims ?? [])]);
    expect(relativeDistance(as(results[gradient]), as(theirs[gradient]))).toBeLessThan(1e-5);
  }
});
