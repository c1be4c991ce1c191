import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '@gradware/core';
import { createBench, float32, floats, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { cast } from './cast.js';

const types = ['float16', 'bfloat16'] as const;
const reference = {
  float16: (x: number) => fromFloat16(toFloat16(x)),
  bfloat16: (x: number) => fromBfloat16(toBfloat16(x)),
};

test.each(types)('keeps to the plugin contract with %s', (to) =>
  testPlugin(cast, { options: { to } }),
);

async function run(to: (typeof types)[number], gradient: readonly number[]) {
  const weights = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [cast({ to })], weights });
  const { gradients, metrics } = await bench.step(weights);
  await bench.release();
  return { gradient: [...floats(gradients.get('w') as never)], metrics };
}

test.each(types)('rounds to the nearest %s', async (to) => {
  const signs = Array.from({ length: 4000 }, (_, i) => Math.sin(i * i) * 10 ** ((i % 12) - 7));
  // Halfway between two numbers of 11 and of 8 bits.
  const ties = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8];
  const given = [...signs, ...ties].map(Math.fround);
  const { gradient, metrics } = await run(to, given);
  expect(gradient).toEqual(given.map(reference[to]));
  expect(gradient).not.toEqual(given);
  expect(metrics['cast.bits-per-element']).toBe(16);
});

test('keeps to the range of float16', async () => {
  const { gradient } = await run('float16', [1e6, -1e30, 65504]);
  expect(gradient).toEqual([65504, -65504, 65504]);
});

test('keeps the range of float32 in bfloat16', async () => {
  const { gradient } = await run('bfloat16', [3.4e38, -1e30]);
  expect(gradient.every(Number.isFinite)).toBe(true);
  expect(Math.abs((gradient[1] as number) / -1e30 - 1)).toBeLessThan(2 ** -8);
});

test('refuses other types', () => {
  expect(() => cast({ to: 'int8' as never })).toThrow('cast.to must be one of float16, bfloat16');
});
