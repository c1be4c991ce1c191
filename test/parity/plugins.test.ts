import { l2 } from '@gradware/plugin-l2';
import { normClip } from '@gradware/plugin-norm-clip';
import { quantize } from '@gradware/plugin-quantize';
import { valueClip } from '@gradware/plugin-value-clip';
import { expect, test } from 'vitest';
import { below, differences, golden, levelDifferences, transformed } from './golden.js';

// Recorded gradients, and what PyTorch makes of them: ../golden/make_chain.py says how.
const all = golden('chain.npz');
const sets = [
  { set: 'digits', maxNorm: 0.5 },
  { set: 'extreme', maxNorm: 1e3 },
].map(({ set, maxNorm }) => ({ set, maxNorm, tensors: below(all, set) }));

const chain = (maxNorm: number) => [
  normClip({ maxNorm }),
  valueClip({ max: 0.01 }),
  quantize({ bits: 8 }),
  l2({ lambda: 0.01 }),
];

/** At most one element in 10,000 may lie one level away from PyTorch's, none further. */
function expectLevels(...compared: Parameters<typeof levelDifferences>): void {
  const { neighbours, others, count } = levelDifferences(...compared);
  expect(others).toEqual([]);
  expect(neighbours.length, `of ${count}`).toBeLessThanOrEqual(count / 10_000);
}

const exact = {
  'norm-clip': (maxNorm: number) => normClip({ maxNorm }),
  'norm-clip-tensor': (maxNorm: number) => normClip({ maxNorm, per: 'tensor' }),
  'value-clip': () => valueClip({ max: 0.01 }),
  'value-clip-range': () => valueClip({ low: -0.02, high: 0.005 }),
  l2: () => l2({ lambda: 0.01 }),
  'l2-exclude': () => l2({ lambda: 0.01, exclude: '*.bias' }),
};

for (const { set, maxNorm, tensors } of sets) {
  const [gradients, weights] = [below(tensors, 'gradients'), below(tensors, 'weights')];

  test(`there is something to compare in ${set}`, () => {
    expect(gradients.size).toBeGreaterThan(3);
    expect([...weights.keys()]).toEqual([...gradients.keys()]);
  });

  test.each(Object.entries(exact))(`${set}: %s gives PyTorch's numbers`, async (name, make) => {
    const found = await transformed([make(maxNorm)], gradients, weights);
    expect(differences(found, below(tensors, name))).toEqual([]);
  });

  test.each([8, 4])(`${set}: %i bits give PyTorch's levels`, async (bits) => {
    const found = await transformed([quantize({ bits })], gradients, weights);
    const name = `quantize-${bits}`;
    expectLevels(found, below(tensors, name), below(tensors, `${name}-scale`));
  });

  test(`${set}: the chain of four gives PyTorch's numbers`, async () => {
    const found = await transformed(chain(maxNorm), gradients, weights);
    expectLevels(found, below(tensors, 'chain'), below(tensors, 'chain-scale'));
  });
}
