import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { stateByGroup } from './groups.js';

test('state that one optimizer kept for all goes to the groups of its parameters', () => {
  const one = tensorOf('float32', [1], [1]);
  const found = stateByGroup(
    new Map([
      ['optimizer/count', one],
      ['optimizer/momentum0/a/w', one],
      ['optimizer/momentum0/w', one],
    ]),
    [
      { name: 'x', parameters: ['a/w'] },
      { name: '', parameters: ['w'] },
    ],
  );
  expect([...found.keys()].sort()).toEqual([
    'optimizer/@x/count',
    'optimizer/@x/momentum0/a/w',
    'optimizer/count',
    'optimizer/momentum0/w',
  ]);
});
