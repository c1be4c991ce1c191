import { Tensor } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import type { Feeds } from '../api.js';
import { evaluate } from './evaluation.js';

/** A "model" whose scores are its input, and whose loss is the mean of the first score. */
function session(scoresOf: (feeds: Feeds) => Tensor) {
  const sizes: number[] = [];
  return {
    sizes,
    evalInputNames: ['x', 'labels'],
    evalOutputNames: ['loss', 'scores'],
    async runEvalStep(feeds: Feeds): Promise<Feeds> {
      const scores = scoresOf(feeds);
      const [batch = 0] = scores.dims;
      sizes.push(batch);
      const first = Array.from({ length: batch }, (_, i) =>
        Number(scores.data[(i * scores.size) / batch]),
      );
      const loss = first.reduce((sum, value) => sum + value, 0) / batch;
      return { loss: new Tensor('float32', Float32Array.of(loss), []), scores };
    },
  };
}

const x = new Tensor('float32', Float32Array.of(1, 9, 5, 0, 3, 4, 6, 2, 7, 7), [5, 2]);
const int64 = (...values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [5]);

test('the last, smaller batch counts by its examples', async () => {
  const model = session(({ x: scores }) => scores as Tensor);
  const labels = int64(1, 0, 0, 0, 0);
  const found = await evaluate(model, { x, labels }, { batchSize: 2 });
  expect(model.sizes).toEqual([2, 2, 1]);
  expect(found.examples).toBe(5);
  expect(found.loss).toBeCloseTo((1 + 5 + 3 + 6 + 7) / 5, 6);
  // Row 2 is wrong, and of the equal scores of row 4 the first wins.
  expect(found.accuracy).toBe(4 / 5);
});

test('labels that are no class are not judged', async () => {
  const model = session(({ x: scores }) => scores as Tensor);
  const found = await evaluate(model, { x, labels: int64(1, -100, 0, 7, 0) });
  expect(found.accuracy).toBe(2 / 3);
});

test('of outputs in the shape of scores, those count that the loss judges', async () => {
  const model = session(({ x: scores }) => scores as Tensor);
  const labels = int64(1, 0, 0, 0, 0);
  const other = { ...model, scoreNames: [] };
  expect(await evaluate(other, { x, labels })).not.toHaveProperty('accuracy');
  const two = {
    ...model,
    evalOutputNames: ['loss', 'scores', 'offsets'],
    runEvalStep: async (feeds: Feeds) => ({ ...(await model.runEvalStep(feeds)), offsets: x }),
  };
  expect(await evaluate(two, { x, labels })).not.toHaveProperty('accuracy');
  const found = await evaluate({ ...two, scoreNames: ['scores'] }, { x, labels });
  expect(found.accuracy).toBe(4 / 5);
});

test('labels that are no integers have no accuracy', async () => {
  const model = session(({ x: scores }) => scores as Tensor);
  const labels = new Tensor('float32', new Float32Array(5), [5]);
  expect(await evaluate(model, { x, labels })).not.toHaveProperty('accuracy');
});

test('scores of many places have their classes on axis 1', async () => {
  const scores = new Tensor('float32', Float32Array.of(1, 5, 3, 4, 2, 9), [1, 3, 2]);
  const model = session(() => scores);
  const labels = new Tensor('int64', BigInt64Array.of(1n, 0n), [1, 2]);
  const feeds = { x: new Tensor('float32', new Float32Array(2), [1, 2]), labels };
  expect((await evaluate(model, feeds, { labels: 'labels' })).accuracy).toBe(1 / 2);
});

test('scores of tokens have their classes on the last axis', async () => {
  const scores = new Tensor('float32', Float32Array.of(1, 5, 3, 4, 2, 9), [1, 2, 3]);
  const model = session(() => scores);
  const labels = new Tensor('int64', BigInt64Array.of(1n, 0n), [1, 2]);
  const feeds = { x: new Tensor('float32', new Float32Array(2), [1, 2]), labels };
  expect((await evaluate(model, feeds, { labels: 'labels' })).accuracy).toBe(1 / 2);
});

test('where the classes may be on either axis, nothing is claimed', async () => {
  const scores = new Tensor('float32', Float32Array.of(1, 5, 3, 4), [1, 2, 2]);
  const labels = new Tensor('int64', BigInt64Array.of(1n, 0n), [1, 2]);
  const feeds = { x: new Tensor('float32', new Float32Array(2), [1, 2]), labels };
  const found = await evaluate(
    session(() => scores),
    feeds,
    { labels: 'labels' },
  );
  expect(found).not.toHaveProperty('accuracy');
});

test('answers of yes or no are right on their side of the threshold', async () => {
  const logits = new Tensor('float32', Float32Array.of(-1, 2, 0.4, -3), [2, 2]);
  const target = new Tensor('float32', Float32Array.of(0, 1, 0, 1), [2, 2]);
  const model = session(() => logits);
  const feeds = { x: new Tensor('float32', new Float32Array(2), [2, 1]), labels: target };
  const right = async (threshold: number) =>
    (await evaluate(model, feeds, { labels: 'labels', threshold })).accuracy;
  expect(await right(0)).toBe(2 / 4);
  expect(await right(0.5)).toBe(3 / 4);
});
