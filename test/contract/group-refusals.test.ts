import { expect, test } from 'vitest';
import type { GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import type { GroupOptions, TrainingOptions } from '../../packages/core/src/training/api.js';
import { batch, clip, echo, open, scale } from '../support/small-groups.js';
import { accumulate } from '../support/small-plugins.js';

test('orders are judged over the chain of all and the chain of the group', async () => {
  const { warnings } = await open({
    plugins: [clip()],
    groups: [
      { name: 'a', match: 'conv.*', plugins: [accumulate()] },
      { name: 'b', match: 'head.*', plugins: [clip()] },
    ],
  });
  expect(warnings).toEqual([expect.stringMatching(/^clip stands before a\/accumulate: /)]);
});

const keeping: GradientPlugin = {
  name: 'scale',
  single: true,
  transform: (gradients) => gradients,
};

const refused: readonly (readonly [string, TrainingOptions, RegExp])[] = [
  [
    'a pattern that matches nothing',
    { groups: [{ name: 'a', match: 'covn.weight' }] },
    /group a: "covn.weight" matches no parameter.*Did you mean conv.weight/s,
  ],
  [
    'a filter that leaves nothing',
    { groups: [{ name: 'a', match: '*', minRank: 5 }] },
    /group a: no parameter is left.*conv.weight \[3,4\]/s,
  ],
  [
    'a group that earlier groups leave nothing',
    {
      groups: [
        { name: 'a', match: 'conv.*' },
        { name: 'b', match: 'conv.bias' },
      ],
    },
    /matches is in earlier groups: a \(group b\).*put special groups first/s,
  ],
  [
    'two groups of one name',
    {
      groups: [
        { name: 'a', match: 'conv.*' },
        { name: 'a', match: 'head.*' },
      ],
    },
    /Two groups have the name "a" \(groups, number 2\)/,
  ],
  [
    'a name that is none',
    { groups: [{ name: 'a/b', match: '*' }] },
    /not "a\/b" \(groups, number 1\)/,
  ],
  [
    'the name of a plugin',
    { plugins: [clip()], groups: [{ name: 'clip', match: '*' }] },
    /both are called "clip"/,
  ],
  ['no match', { groups: [{ name: 'a' }] }, /does not say which parameters.*group a/s],
  [
    'a key that groups do not have',
    { groups: [{ name: 'a', match: '*', lr: 1 } as GroupOptions] },
    /A group has no "lr" \(group a\)/,
  ],
  [
    'a rate that is none',
    { groups: [{ name: 'a', match: '*', learningRate: -1 }] },
    /must be a number >= 0 or a schedule, not -1 \(group a\)/,
  ],
  [
    'a plugin that replaces the gradient of the loss',
    { groups: [{ name: 'a', match: '*', plugins: [scale] }] },
    /all groups share \(group a\).*session's own `plugins`/s,
  ],
  [
    'a second plugin of which there may be one',
    {
      plugins: [{ ...scale, single: true }],
      groups: [{ name: 'a', match: '*', plugins: [keeping] }],
    },
    /one scale only.*\(group a\)/s,
  ],
  [
    "a plugin's pattern that matches nothing in its group",
    { groups: [{ name: 'a', match: 'conv.*', plugins: [clip({ include: 'head.bias' })] }] },
    /plugin clip, number 1 in the chain of group a: "head.bias" matches no parameter/,
  ],
  [
    'two plugins of one id in a group',
    {
      groups: [{ name: 'a', match: '*', plugins: [clip({ id: 'x' }), echo({ id: 'x' })] }],
    },
    /Two plugins have the id "x"/,
  ],
];

for (const [title, options, message] of refused)
  test(`refused before training: ${title}`, async () => {
    await expect(open(options)).rejects.toThrow(message);
  });

test('a broken plugin of a group is named with its place and its group', async () => {
  const bad: GradientPlugin = { name: 'bad', transform: (g) => g.slice(1) };
  const session = await open({ groups: [{ name: 'a', match: 'conv.*', plugins: [echo(), bad] }] });
  await expect(session.step(batch(0))).rejects.toThrow(
    /one result for each of 2 gradients.*plugin bad, number 2 in the chain of group a/s,
  );
});
