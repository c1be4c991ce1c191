import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { TrainingSession } from '../../packages/core/src/node.js';
import type { Model } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import { positive, setting } from '../../packages/core/src/options/options.js';
import type { GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import { definePlugin } from '../../packages/core/src/plugins/plugin.js';
import type { Feeds, TrainingOptions } from '../../packages/core/src/training/api.js';
import { batch as smallBatch } from './small-session.js';

const wave = (dims: readonly number[], by: number, scale = 1) =>
  tensorOf(
    'float32',
    Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      (_, i) => Math.sin(i * by + by) * scale,
    ),
    dims,
  );

/** y = tanh(x conv.weight + conv.bias) head.weight + head.bias */
const network: Model = {
  graph: {
    name: 'network',
    nodes: [
      ['Gemm', ['x', 'conv.weight', 'conv.bias'], 'h'],
      ['Tanh', ['h'], 'a'],
      ['Gemm', ['a', 'head.weight', 'head.bias'], 'y'],
    ].map(([opType, inputs, output]) => ({
      ...{ name: `make ${output}`, opType: opType as string, domain: '', attributes: {} },
      ...{ inputs: inputs as string[], outputs: [output as string] },
    })),
    inputs: [{ name: 'x', type: 'float32', shape: ['n', 3] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['n', 2] }],
    initializers: new Map([
      ['conv.weight', wave([3, 4], 1.7, 0.8)],
      ['conv.bias', wave([4], 0.6, 0.3)],
      ['head.weight', wave([4, 2], 2.3, 0.7)],
      ['head.bias', wave([2], 0.9, 0.2)],
    ]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'test',
};
const bytes = encodeModel(network);
export const parameters = [...network.graph.initializers.keys()];
export const conv = ['conv.weight', 'conv.bias'];
export const head = ['head.weight', 'head.bias'];

export const batch = (k: number): Feeds => smallBatch(k, 2);
export const batches = (count: number) => Array.from({ length: count }, (_, k) => batch(k));

export function open(options: TrainingOptions): Promise<TrainingSession> {
  return TrainingSession.create(bytes, {
    ...{ loss: 'mse', optimizer: sgd({ momentum: 0.9 }), learningRate: 0.05 },
    ...options,
  });
}

export async function numbers(session: TrainingSession, name: string): Promise<readonly number[]> {
  return [...((await session.getParameter(name)).data as Float32Array)];
}

export async function all(session: TrainingSession) {
  const found: Record<string, readonly number[]> = {};
  for (const name of parameters) found[name] = await numbers(session, name);
  return found;
}

export const clip = definePlugin({
  name: 'clip',
  role: 'clip',
  options: { max: setting(positive, 0.1) },
  transform(gradients, { op, metric }, { max }) {
    const norm = op.globalNorm(gradients);
    metric('norm', norm);
    return gradients.map((g) => op.Mul(g, op.Min(op.Div(max, norm), 1)));
  },
});

/** Adds a part of the last gradient: state for each parameter. */
export const echo = definePlugin({
  name: 'echo',
  options: {},
  transform: (gradients, { op, state }) =>
    gradients.map((g) => {
      const last = state('last', { like: g });
      const result = op.Add(g, op.Mul(last.value, 0.25));
      last.set(g);
      return result;
    }),
});

export const noise = definePlugin({
  name: 'noise',
  options: {},
  transform: (gradients, { op, random }) =>
    gradients.map((g) => op.Add(g, op.Mul(random({ like: g }), 0.01))),
});

export const scale: GradientPlugin = {
  name: 'scale',
  seed: (dLoss, { op }) => op.Mul(dLoss, 2),
  transform: (gradients, { op }) => gradients.map((g) => op.Div(g, 2)),
};

/** Drops every second step. */
export const dropOdd: GradientPlugin = {
  name: 'drop-odd',
  transform(gradients, { op, step, drop }) {
    drop(op.Equal(op.Mod(step, 2), 1));
    return gradients;
  },
};

export const onHost = definePlugin({
  name: 'on-host',
  options: { factor: setting(positive, 0.5) },
  transformHost: (gradients, { setting: read, learningRate, metric }) => {
    metric('rate', learningRate);
    return gradients.map((g) => ({ ...g, data: g.data.map((x) => x * read('factor')) }));
  },
});
