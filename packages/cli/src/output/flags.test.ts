import { expect, test } from 'vitest';
import { inFlags } from './flags.js';

test.each([
  ['frozenParams: "a*" matches no parameter', '--freeze: "a*" matches no parameter'],
  ["Give it lossInputNames: ['/3/Gemm:0'].", 'Give it --loss-input /3/Gemm:0.'],
  [
    'say so, crossEntropy({ axis: -1 }) or --loss cross-entropy:axis=-1.',
    'say so, --loss cross-entropy:axis=-1.',
  ],
  ['cross-entropy with ignoreIndex -1.', '--loss cross-entropy:ignore-index=-1.'],
  ["Say batchNorm: 'train' to train them", 'Say --batch-norm train to train them'],
  ['no header line (option header: false)', 'no header line (--no-header)'],
  ['The file frozen.npz', 'The file frozen.npz'],
])('%s', (given, wanted) => {
  expect(inFlags(given)).toBe(wanted);
});
