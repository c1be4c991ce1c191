import { readFileSync } from 'node:fs';
import { expectNumbers, testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { normalize } from './normalize.js';

const forms = [{}, { max: 2 }, { low: -1, high: 0.5 }];
test.each(forms.flatMap((form) => [form, { ...form, per: 'tensor' as const }]))(
  'keeps to the plugin contract with %o',
  (options) => testPlugin(normalize, { options }),
);

// What Optax gives: ../golden/make_golden.py says how.
const golden = JSON.parse(
  readFileSync(new URL('../golden/normalize.golden.json', import.meta.url), 'utf8'),
);

test('gives the numbers of Optax', async () => {
  const [step] = await tryChain([normalize({ norm: 2.5 })], [golden.gradients]);
  expectNumbers(step?.gradients ?? {}, golden.updates);
});

const given = { a: [3, -4, 0], b: [12] };

test.each<[Parameters<typeof normalize>[0], object]>([
  [{ norm: 26 }, { a: [6, -8, 0], b: [24] }],
  [
    { norm: 10, per: 'tensor' },
    { a: [6, -8, 0], b: [10] },
  ],
  [{ max: 6 }, { a: [1.5, -2, 0], b: [6] }],
  [
    { max: 6, per: 'tensor' },
    { a: [4.5, -6, 0], b: [6] },
  ],
  [
    { low: -1, high: 3 },
    { a: [0.75, -1, 0], b: [3] },
  ],
  [
    { low: 0, high: 7, per: 'tensor' },
    { a: [7, 0, 4], b: [7] },
  ],
  [
    { low: 13, high: 14, per: 'tensor' },
    { a: [14, 13, 13 + 4 / 7], b: [13] },
  ],
])('%o brings gradients to it', async (options, wanted) => {
  const [step] = await tryChain([normalize(options)], [given]);
  expectNumbers(step?.gradients ?? {}, wanted as typeof given);
});

test('reports the size before', async () => {
  const metrics = async (options: Parameters<typeof normalize>[0]) =>
    (await tryChain([normalize(options)], [given]))[0]?.metrics;
  expect(await metrics({ per: 'tensor' })).toEqual({ 'normalize.norm': 13 });
  expect(await metrics({ max: 1 })).toEqual({ 'normalize.largest': 12 });
});

test('leaves zero at zero', async () => {
  const zero = { a: [0, 0] };
  for (const options of [{}, { max: 1 }, { low: -1, high: 1 }]) {
    const [step] = await tryChain([normalize(options)], [zero]);
    expect(step?.gradients).toEqual(zero);
  }
});

test.each<[Parameters<typeof normalize>[0], string]>([
  [{ norm: 1, max: 1 }, 'takes one of norm, max, and low with high'],
  [{ low: 1 }, 'go together'],
  [{ low: 1, high: 1 }, 'must be below'],
  [{ norm: -1 }, 'normalize.norm must be a finite number > 0, not -1'],
  [{ max: Number.POSITIVE_INFINITY }, 'normalize.max must be a finite number > 0, not Infinity'],
])('refuses %o', (options, problem) => {
  expect(() => normalize(options)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(problem) }),
  );
});
