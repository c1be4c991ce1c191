import { expect, test } from 'vitest';
import type { OpenDimension, Sizes } from './dimensions.js';
import { evaluate, findFormula } from './formula.js';

const n: OpenDimension = { name: 'n', input: 'x', axis: 0 };
const t: OpenDimension = { name: 't', input: 'x', axis: 1 };
const at = (...[a, b]: readonly [number, number]): Sizes =>
  new Map([
    ['n', a],
    ['t', b],
  ]);
const sizes = [at(5, 23), at(7, 23), at(5, 29), at(7, 29)];

test.each<[string, (n: number, t: number) => number]>([
  ['a product', (n, t) => 6 * n * t],
  ['a share', (n, t) => Math.fround(0.25 / (n * t))],
  ['powers', (n, t) => (n * n) / t],
  ['a sum', (n, t) => 3 * t - 2 * n + 1],
  ['a negative', (n) => -n],
])('%s is found and goes on', (_, f) => {
  const found = findFormula(
    sizes.map((each) => f(each.get('n') as number, each.get('t') as number)),
    [n, t],
    sizes,
  );
  if (found === undefined) throw new Error('no formula');
  const wanted = f(101, 12);
  expect(evaluate(found, at(101, 12)) / wanted).toBeCloseTo(1, 4);
});

test('what the last trial contradicts is no formula', () => {
  expect(findFormula([2, 3, 23, 29 + 1], [n, t], sizes)).toBeUndefined();
  const halves = sizes.map((each) => Math.floor((each.get('t') as number) / 2) * 3 + 1);
  const odd = [...halves.slice(0, -1), (halves.at(-1) as number) + 3];
  expect(findFormula(odd, [n, t], sizes)).toBeUndefined();
});
