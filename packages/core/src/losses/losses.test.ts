import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { createBuilder } from '../graph/builder.js';
import { tensorOf } from '../graph/constants.js';
import { modelOf } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import { encodeModel } from '../onnx/model.js';
import {
  bceWithLogits,
  crossEntropy,
  huber,
  l1,
  lossByName,
  losses,
  mse,
  nll,
  output,
} from './index.js';
import type { Loss } from './loss.js';

type Numbers = readonly number[];

interface Given {
  readonly prediction: Numbers;
  readonly shape: readonly number[];
  readonly target?: Numbers;
}

const value = (name: string, type: Value['type'], shape: readonly number[]): Value => ({
  name,
  type,
  shape,
});

/** What the graph of a loss gives for a prediction and a target. */
async function evaluate(loss: Loss, { prediction, shape, target = [] }: Given) {
  const builder = createBuilder();
  const predicted = builder.declare(value('prediction', 'float32', shape));
  const targets: Value[] = [];
  const result = loss.build({
    op: builder.op,
    builder,
    predictions: [predicted],
    target(name, type, dims) {
      const declared = builder.declare(value(name, type, dims));
      targets.push(declared);
      return declared;
    },
  });
  const inputs = [predicted, ...targets];
  const model = encodeModel(
    modelOf({
      name: 'loss',
      nodes: builder.nodes,
      inputs,
      outputs: [result],
      initializers: builder.initializers,
      valueInfo: new Map(),
    }),
  );
  const session = await InferenceSession.create(model, { logSeverityLevel: 4 });
  const feeds = Object.fromEntries(
    inputs.map(({ name, type, shape: dims }, i) => {
      const { data } = tensorOf(type, i === 0 ? prediction : target);
      return [name, new Tensor(type as 'float32', data as Float32Array, dims)];
    }),
  );
  const { [result.name]: got } = await session.run(feeds);
  await session.release();
  return { targets, dims: got?.dims, number: Number(got?.data[0]), result };
}

const mean = (numbers: Numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const sum = (numbers: Numbers) => numbers.reduce((a, b) => a + b, 0);

/** -log softmax, of rows of `classes` scores. */
function negativeLogs(scores: Numbers, classes: number): number[][] {
  return Array.from({ length: scores.length / classes }, (_, n) => {
    const row = scores.slice(n * classes, (n + 1) * classes);
    const total = Math.log(sum(row.map(Math.exp)));
    return row.map((score) => total - score);
  });
}

const scores = [1, -2, 0.5, 3, 0.1, -1, 0.7, 0.2, -0.4, 2, 1, 0];
const labels = [2, 0, 1, 0];
const logs = negativeLogs(scores, 3);
const smoothed = (epsilon: number) =>
  logs.map((row, n) => (1 - epsilon) * (row[labels[n] ?? 0] ?? 0) + epsilon * mean(row));
const counted = smoothed(0.1).filter((_, n) => labels[n] !== 0);

const prediction = [0.5, -2, 3, 0.1];
const target = [0, 1, 2.5, 0.2];
const errors = prediction.map((p, i) => p - (target[i] ?? 0));
const hubers = (delta: number) =>
  errors.map(Math.abs).map((d) => (d <= delta ? (d * d) / 2 : delta * (d - delta / 2)));
const chances = [0, 1, 1, 0.3];
const binary = (weight: number) =>
  prediction.map((x, i) => {
    const t = chances[i] ?? 0;
    const p = 1 / (1 + Math.exp(-x));
    return -weight * t * Math.log(p) - (1 - t) * Math.log(1 - p);
  });

const classes = { prediction: scores, shape: [4, 3], target: labels };
const ignored = { ...classes, target: [0, 0, 0, 0] };
const numbers = { prediction, shape: [2, 2], target };
const logits = { prediction, shape: [4], target: chances };

describe('a loss is one number', () => {
  test.each<[string, Loss, Given, number]>([
    ['cross entropy', crossEntropy(), classes, mean(smoothed(0))],
    ['its sum', crossEntropy({ reduction: 'sum' }), classes, sum(smoothed(0))],
    ['smoothed', crossEntropy({ labelSmoothing: 0.1 }), classes, mean(smoothed(0.1))],
    [
      'smoothed, without a label',
      crossEntropy({ labelSmoothing: 0.1, ignoreIndex: 0 }),
      classes,
      mean(counted),
    ],
    [
      'their sum',
      crossEntropy({ labelSmoothing: 0.1, ignoreIndex: 0, reduction: 'sum' }),
      classes,
      sum(counted),
    ],
    ['smoothed all over', crossEntropy({ labelSmoothing: 1 }), classes, mean(smoothed(1))],
    ['no label that counts', crossEntropy({ ignoreIndex: 0 }), ignored, 0],
    ['smoothed', crossEntropy({ ignoreIndex: 0, labelSmoothing: 0.1 }), ignored, 0],
    ['weighted', crossEntropy({ classWeights: [0, 1, 1], labelSmoothing: 1e-9 }), ignored, 0],
    ['of log-probabilities', nll({ ignoreIndex: 0 }), ignored, 0],
    ['weighted', nll({ classWeights: [0, 1, 1] }), ignored, 0],
    [
      'scores of what does not count',
      crossEntropy({ ignoreIndex: 0, labelSmoothing: 0.1 }),
      { ...classes, prediction: scores.map((s, i) => (i === 3 ? Number.NEGATIVE_INFINITY : s)) },
      mean(counted),
    ],
    ['mse', mse(), numbers, mean(errors.map((e) => e * e))],
    ['mse, summed', mse({ reduction: 'sum' }), numbers, sum(errors.map((e) => e * e))],
    ['l1', l1(), numbers, mean(errors.map(Math.abs))],
    ['huber', huber(), numbers, mean(hubers(1))],
    ['huber with its own bound', huber({ delta: 0.4 }), numbers, mean(hubers(0.4))],
    ['binary cross entropy', bceWithLogits(), logits, mean(binary(1))],
    ['weighted', bceWithLogits({ posWeight: 3 }), logits, mean(binary(3))],
    ['huge logits', bceWithLogits(), { prediction: [800, -800], shape: [2], target: [0, 0] }, 400],
    ["the model's own", output(), { prediction: [4.5], shape: [1, 1] }, 4.5],
  ])('%s', async (_, loss, given, expected) => {
    const { dims, number, result } = await evaluate(loss, given);
    expect(dims).toEqual([]);
    expect(result.shape).toEqual([]);
    expect(number).toBeCloseTo(expected, 5);
  });
});

test('labels have the shape of the scores without the class axis', async () => {
  const given = { prediction: scores, shape: [2, 3, 2], target: labels };
  const { targets } = await evaluate(crossEntropy(), given);
  expect(targets).toMatchObject([{ name: 'labels', type: 'int64', shape: [2, 2] }]);
});

function build(loss: Loss, shapes: readonly (readonly number[])[], own?: Value) {
  const builder = createBuilder();
  const predictions = shapes.map((shape, i) => builder.declare(value(`y${i}`, 'float32', shape)));
  const target = (name: string, type: Value['type'], shape: readonly number[]) =>
    own ?? builder.declare(value(name, type, shape));
  return () => loss.build({ op: builder.op, builder, predictions, target });
}

test('what does not fit is refused', () => {
  expect(build(crossEntropy(), [[4]])).toThrow(/scores \[N, classes, ...\].*prediction y0/s);
  expect(build(mse(), [[4], [2]])).toThrow(/y0 \(float32\), y1 \(float32\).*lossInputNames/s);
  expect(build(mse(), [])).toThrow(/gives none/);
  expect(build(mse(), [[4]], value('target', 'int64', [4]))).toThrow(/int64\[4\]/);
  expect(build(crossEntropy(), [[4, 2]], value('labels', 'int64', [4, 1]))).toThrow(/labels/);
  expect(build(output(), [[4]])).toThrow(/one number/);
  expect(() => crossEntropy({ labelSmoothing: 2 })).toThrow(/labelSmoothing/);
  expect(() => lossByName('mze')).toThrow(/mse/);
  expect(() => lossByName('huber', { delat: 1 })).toThrow(/delta/);
});

test('every loss has its name and a description', () => {
  for (const [name, { definition }] of losses) {
    expect(definition.name).toBe(name);
    expect(definition.description).not.toBe('');
  }
});
