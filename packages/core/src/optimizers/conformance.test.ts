import { test } from 'vitest';
import { testOptimizer } from '../testing.js';
import { adam, adamw } from './adamw.js';
import { sgd } from './sgd.js';

test('adamw keeps to the contract', () => testOptimizer(adamw));
test("adamw in Hugging Face's form keeps to the contract", () =>
  testOptimizer(adamw, { options: { form: 'huggingface', epsilon: 1e-6 } }));
test('adam keeps to the contract', () => testOptimizer(adam));
test('sgd keeps to the contract', () => testOptimizer(sgd));
test('sgd with everything keeps to the contract', () =>
  testOptimizer(sgd, { options: { momentum: 0.9, nesterov: true, weightDecay: 0.01 } }));
