import { expect, test } from 'vitest';
import { chooseBatchSize } from './batch-size.js';

const session = (batch: number | string, provider: 'cpu' | 'webgpu' = 'cpu') => ({
  provider,
  trainingInputs: [
    { name: 'x', type: 'float32' as const, shape: [batch, 64] },
    { name: 'labels', type: 'int64' as const, shape: [null] },
  ],
});

test('what is asked for, else 32, where the model is open', () => {
  expect(chooseBatchSize(64, session('batch'))).toEqual({
    batchSize: 64,
    dropLast: false,
    evaluation: {},
  });
  expect(chooseBatchSize(undefined, session('batch')).batchSize).toBe(32);
  expect(chooseBatchSize(64, session('batch', 'webgpu')).dropLast).toBe(true);
});

test('a model that is made for one size decides', () => {
  const three = { batchSize: 3, dropLast: true };
  const fixed = { ...three, evaluation: three };
  expect(chooseBatchSize(undefined, session(3))).toEqual(fixed);
  expect(chooseBatchSize(3, session(3))).toEqual(fixed);
  expect(() => chooseBatchSize(4, session(3))).toThrow(/made for batches of 3 \(--batch-size 4\)/);
});
