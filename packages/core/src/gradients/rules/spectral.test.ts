import { expect, test } from 'vitest';
import { createBuilder } from '../../graph/builder.js';
import { differentiate } from '../differentiate.js';

test('half a spectrum of another length is refused', () => {
  const builder = createBuilder();
  const { op } = builder;
  const x = builder.declare({ name: 'x', type: 'float32', shape: [1, 3, 2] });
  const y = op.DFT(x, op.scalar(8, 'int64'), null, { inverse: 1, onesided: 1 });
  expect(y.shape).toEqual([1, 8, 1]);
  expect(() => differentiate(builder, op.sum(y), ['x'])).toThrow(/3 bins of 8 numbers/);
});
