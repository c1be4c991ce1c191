import { createBench, float32, floats, type TensorLike, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { sign } from './sign.js';

test('keeps to the plugin contract', () => testPlugin(sign));
test('keeps to it unscaled', () => testPlugin(sign, { options: { scale: 'none' } }));

async function run(plugin: ReturnType<typeof sign>, gradient: TensorLike) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [plugin], weights });
  const { gradients, metrics } = await bench.step(weights);
  await bench.release();
  return { gradient: [...floats(gradients.get('w') as never)], metrics };
}

test('gives every element the mean absolute value, with its sign', async () => {
  const { gradient } = await run(sign(), [3, -1, 0.5, 0, -0.5]);
  expect(gradient).toEqual([1, -1, 1, 1, -1]);
});

test('gives signs as they are', async () => {
  const { gradient } = await run(sign({ scale: 'none' }), [3, -1e-9, 0, -0]);
  expect(gradient).toEqual([1, -1, 1, 1]);
});

test('is a contraction: it keeps at least the share of EF-SGD, Lemma 8, of every gradient', async () => {
  for (const power of [1, 3, 9]) {
    const data = Array.from({ length: 300 }, (_, i) => Math.sin(i * 12.9898) ** power);
    const { gradient } = await run(sign(), data);
    const squares = data.reduce((sum, x) => sum + x * x, 0);
    const density = data.reduce((sum, x) => sum + Math.abs(x), 0) ** 2 / (data.length * squares);
    const error = data.reduce((sum, x, i) => sum + (x - (gradient[i] as number)) ** 2, 0);
    // ‖C(g) - g‖² = (1 - ‖g‖₁² / (d ‖g‖₂²)) ‖g‖²
    expect(error / squares).toBeCloseTo(1 - density, 5);
  }
});

test('reports a bit for every element, and a scale', async () => {
  const { metrics } = await run(sign(), Array(20).fill(1));
  expect(metrics['sign.bytes']).toBe(3 + 4);
});

test('refuses another scale', () => {
  expect(() => sign({ scale: 'max' as never })).toThrow('sign.scale must be one of mean, none');
});
