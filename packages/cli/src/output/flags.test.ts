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
  ['Say which column it is: x=<column>.', 'Say which column it is: --input x=<column>.'],
  [
    'Say which columns it is made of, as in x=a,b, or only what belongs elsewhere, as in y=c: then the rest is x.',
    'Say which columns it is made of, as in --input x=a,b, or only what belongs elsewhere, as in --input y=c: then the rest is x.',
  ],
  ['Choose the columns: x=<columns>.', 'Choose the columns: --input x=<columns>.'],
  [
    'if these are the names of classes, say so (option classes).',
    'if these are the names of classes, name it with --label.',
  ],
  ['Say which it is (option format): npz.', 'The ending of its name tells which it is: npz.'],
  ['fix some (dimensions: { <name>: <size> }).', 'fix some (--dim <name>=<size>).'],
  [
    'Name it checkpoint, or name the files: { checkpointState, trainModel, evalModel, optimizerModel }.',
    'Name it checkpoint.',
  ],
  ['(additionalOutputNames)', '(--output)'],
  ['The file frozen.npz', 'The file frozen.npz'],
])('%s', (given, wanted) => {
  expect(inFlags(given)).toBe(wanted);
});
