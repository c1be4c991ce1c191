import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../graph/constants.js';
import { TrainingSession } from '../node.js';
import { encodeModel } from '../onnx/model.js';
import { adamw } from '../optimizers/adamw.js';
import type { Feeds } from './api.js';

// From 32,768 elements on, weights and state are moved on in other kernels than below.
const [rows, inputs, outputs] = [4, 256, 161];
const [rate, weightDecay, beta1, beta2, epsilon] = [1e-2, 0.1, 0.9, 0.999, 1e-8];
const steps = 5;

const wave = (length: number, step: number, phase: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * step + phase));
const start = wave(inputs * outputs, 0.37, 1);
const batches = Array.from({ length: steps }, (_, k): Feeds => {
  return {
    x: new Tensor('float32', wave(rows * inputs, 0.71, k), [rows, inputs]),
    target: new Tensor('float32', wave(rows * outputs, 1.3, k), [rows, outputs]),
  };
});

function linear(): Uint8Array {
  return encodeModel({
    graph: {
      name: 'linear',
      nodes: [
        {
          name: 'product',
          opType: 'MatMul',
          domain: '',
          inputs: ['x', 'w'],
          outputs: ['y'],
          attributes: {},
        },
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['n', inputs] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', outputs] }],
      initializers: new Map([['w', tensorOf('float32', [...start], [inputs, outputs])]]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  });
}

function open(intraOpNumThreads: number): Promise<TrainingSession> {
  return TrainingSession.create(linear(), {
    loss: 'mse',
    optimizer: adamw({ weightDecay, beta1, beta2, epsilon }),
    learningRate: rate,
    session: { intraOpNumThreads },
  });
}

async function weights(session: TrainingSession): Promise<Float32Array> {
  const { data } = await session.getContiguousParameters();
  return new Float32Array(data as Float32Array);
}

/** The gradient of the mean squared error, in doubles. */
function gradientAt(w: Float64Array, { x, target }: Feeds): Float64Array {
  const [given, wanted] = [x?.data as Float32Array, target?.data as Float32Array];
  const gradient = new Float64Array(w.length);
  for (let row = 0; row < rows; row++)
    for (let to = 0; to < outputs; to++) {
      let y = -(wanted[row * outputs + to] ?? 0);
      for (let from = 0; from < inputs; from++)
        y += (given[row * inputs + from] ?? 0) * (w[from * outputs + to] ?? 0);
      const slope = (2 * y) / (rows * outputs);
      for (let from = 0; from < inputs; from++)
        gradient[from * outputs + to] =
          (gradient[from * outputs + to] ?? 0) + slope * (given[row * inputs + from] ?? 0);
    }
  return gradient;
}

/** AdamW as torch.optim.AdamW, in doubles. */
function reference(): Float64Array {
  const w = Float64Array.from(start);
  const [m, v] = [new Float64Array(w.length), new Float64Array(w.length)];
  batches.forEach((batch, k) => {
    gradientAt(w, batch).forEach((g, i) => {
      m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
      v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
      const root = Math.sqrt((v[i] ?? 0) / (1 - beta2 ** (k + 1))) + epsilon;
      const step = (m[i] ?? 0) / (1 - beta1 ** (k + 1)) / root;
      w[i] = (w[i] ?? 0) * (1 - rate * weightDecay) - rate * step;
    });
  });
  return w;
}

test('large weights follow AdamW', async () => {
  const session = await open(1);
  await session.steps(batches);
  const found = await weights(session);
  await session.release();
  const wanted = reference();
  const squares = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
  const off = squares(wanted.map((value, i) => value - (found[i] ?? Number.NaN)));
  expect(Math.sqrt(off / squares(wanted))).toBeLessThan(1e-5);
});

test.each([1, 2, 3])(
  'large weights get the same bits in one run and in many, %i threads',
  async (threads) => {
    const [many, one] = [await open(threads), await open(threads)];
    await many.steps(batches);
    for (const batch of batches) await one.step(batch);
    expect(await weights(many)).toEqual(await weights(one));
    await many.release();
    await one.release();
  },
);
