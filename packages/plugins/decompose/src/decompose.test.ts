import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { decompose } from './decompose.js';

test('keeps to the plugin contract', () => testPlugin(decompose));
test('keeps to it with both parts', () =>
  testPlugin(decompose, { options: { along: 0.5, across: -2 } }));

const numbers = (count: number, by: number) =>
  Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * by) + 0.2));
const gradients = { w: numbers(50, 1.3), v: numbers(7, 0.4) };
const weights = { w: numbers(50, 0.7), v: numbers(7, 2.1) };
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);

test.each([
  [0, 1],
  [1, 1],
  [1, 0],
  [0.3, -2],
])('scales the part along by %f and the part across by %f', async (along, across) => {
  const [step] = await tryChain([decompose({ along, across })], [gradients], { weights });
  const wanted = Object.entries(gradients).map(([name, g]) => {
    const w = weights[name as 'w' | 'v'];
    const coefficient = dot(g, w) / dot(w, w);
    return [
      name,
      g.map((x, i) => {
        const own = coefficient * (w[i] as number);
        return along * own + across * (x - own);
      }),
    ];
  });
  expectNumbers(step?.gradients ?? {}, Object.fromEntries(wanted));
});

test('leaves nothing along the weight by default, and says how much there was', async () => {
  const [step] = await tryChain([decompose()], [{ w: [3, 5] }], { weights: { w: [0, 2] } });
  expect(step?.gradients.w).toEqual([3, 0]);
  expect(step?.metrics['decompose.along-norm']).toBe(5);
});

test('changes nothing where the weight is zero', async () => {
  const [step] = await tryChain([decompose()], [{ w: [3, 5] }], { weights: { w: [0, 0] } });
  expect(step?.gradients.w).toEqual([3, 5]);
});

test('refuses a factor that is not finite', () => {
  expect(() => decompose({ along: Number.POSITIVE_INFINITY })).toThrow(
    'decompose.along must be a finite number, not Infinity',
  );
});
