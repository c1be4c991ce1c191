import { testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { noise } from './noise.js';

test('keeps to the plugin contract', () => testPlugin(noise));

const zeros = { dims: [40_000], data: new Float32Array(40_000) };

async function drawn(options: Parameters<typeof noise>[0], steps: number, seed = 1) {
  const given = Array.from({ length: steps }, () => ({ w: zeros }));
  const results = await tryChain([noise(options)], given, { seed });
  return results.map(({ gradients }) => gradients.w as readonly number[]);
}

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
const moment = (values: readonly number[], power: number) => mean(values.map((x) => x ** power));

test('is normally distributed: moments and tails', async () => {
  const [values = []] = await drawn({ eta: 1 }, 1);
  expect(Math.abs(mean(values))).toBeLessThan(0.02);
  expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(0.03);
  expect(Math.abs(moment(values, 3))).toBeLessThan(0.06);
  expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(0.2);
  const within = (limit: number) => values.filter((x) => Math.abs(x) < limit).length / 40_000;
  expect(within(1)).toBeCloseTo(0.6827, 2);
  expect(within(2)).toBeCloseTo(0.9545, 2);
  expect(1 - within(3)).toBeGreaterThan(0.0015);
  expect(Math.max(...values)).toBeLessThan(6);
});

test('is independent from element to element, and from step to step', async () => {
  const [first = [], second = []] = await drawn({ eta: 1, gamma: 0 }, 2);
  const product = (a: readonly number[], b: readonly number[]) =>
    mean(a.map((x, i) => x * (b[i] ?? 0)));
  // A correlation of 40,000 pairs has a deviation of 0.005.
  for (const lag of [1, 2, 255, 256, 20_000])
    expect(Math.abs(product(first, first.slice(lag))), `lag ${lag}`).toBeLessThan(0.02);
  expect(Math.abs(product(first, second))).toBeLessThan(0.02);
});

test('becomes less by (1 + t)^gamma, as in Optax', async () => {
  const steps = await drawn({ eta: 0.25, gamma: 0.55 }, 4);
  steps.forEach((values, t) => {
    const wanted = 0.25 / (1 + t) ** 0.55;
    expect(Math.abs(moment(values, 2) / wanted - 1), `step ${t}`).toBeLessThan(0.03);
  });
});

test('is added to the gradient, and reported', async () => {
  const [step] = await tryChain([noise({ eta: 1e-8 })], [{ w: [1, 2, 3] }]);
  step?.gradients.w?.forEach((x, i) => {
    expect(x).not.toBe(i + 1);
    expect(Math.abs(x - i - 1)).toBeLessThan(1e-3);
  });
  expect(step?.metrics['noise.deviation']).toBeCloseTo(1e-4, 8);
});

test('differs with the seed and from parameter to parameter', async () => {
  const [one, two] = [await drawn({}, 1, 1), await drawn({}, 1, 2)];
  expect(one).not.toEqual(two);
  const [step] = await tryChain([noise()], [{ a: [0, 0], b: [0, 0] }]);
  expect(step?.gradients.a).not.toEqual(step?.gradients.b);
});

test('refuses a negative variance', () => {
  expect(() => noise({ eta: -1 })).toThrow('noise.eta must be a number >= 0, not -1');
});
