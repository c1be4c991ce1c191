import { expect, test } from 'vitest';
import { feedbackWarnings, holdWarnings, optimizerWarnings, orderWarnings } from './order.js';
import type { GradientPlugin, PluginRole } from './plugin.js';

const chain = (...roles: readonly PluginRole[]): readonly GradientPlugin[] =>
  roles.map((role) => ({ name: role, role }));
const warnings = (...roles: readonly PluginRole[]) => orderWarnings(chain(...roles), roles);

test('the usual order gives no warning', () => {
  expect(
    warnings(
      ...(['unscale', 'guard', 'accumulate', 'reduce', 'compress', 'regularise'] as const),
      ...(['shape', 'clip', 'noise'] as const),
    ),
  ).toEqual([]);
});

test('clipping before accumulating is named, with the reason', () => {
  expect(warnings('guard', 'clip', 'accumulate')).toEqual([
    'clip stands before accumulate: micro-batches are clipped one by one, and their sum is not: clip what the optimizer sees.',
  ]);
});

test('noise that a clip would cut down is named', () => {
  expect(warnings('noise', 'clip')).toEqual([expect.stringMatching(/^noise stands before clip: /)]);
});

test.each([
  ['clip', 'accumulate', 'clip what the optimizer sees'],
  ['clip', 'reduce', 'clip after the all-reduce'],
  ['clip', 'unscale', 'unscale before clipping'],
  ['clip', 'guard', 'guard before clipping'],
  ['compress', 'guard', 'guard before compressing'],
  ['compress', 'accumulate', 'accumulate before compressing'],
  ['compress', 'unscale', 'unscale before compressing'],
  ['regularise', 'accumulate', 'regularise after accumulating'],
  ['regularise', 'unscale', 'unscale before regularising'],
  ['accumulate', 'unscale', 'unscale before accumulating'],
  ['accumulate', 'guard', 'guard before accumulating'],
  ['shape', 'accumulate', 'accumulate before it'],
  ['shape', 'unscale', 'unscale first'],
  ['shape', 'guard', 'guard first'],
  ['shape', 'reduce', 'after the all-reduce'],
  ['reduce', 'accumulate', 'accumulate before the all-reduce'],
  ['noise', 'accumulate', 'add it after accumulating'],
  ['noise', 'unscale', 'unscale before adding it'],
  ['noise', 'clip', 'clip before adding it'],
] as const)('%s before %s is warned about, the other way round is not', (first, later, remedy) => {
  const [only, ...more] = warnings(first, 'decay', later);
  expect(only).toMatch(new RegExp(`^${first} stands before ${later}: .*${remedy}\\.$`));
  expect(more).toEqual([]);
  expect(warnings(later, first)).toEqual([]);
});

test('every plugin that stands wrong is named by its id', () => {
  const plugins = chain('clip', 'clip', 'guard');
  expect(orderWarnings(plugins, ['norm-clip', 'norm-clip#2', 'skip'])).toEqual([
    expect.stringMatching(/^norm-clip stands before skip: /),
    expect.stringMatching(/^norm-clip#2 stands before skip: /),
  ]);
});

test('decay that the optimizer does already is named', () => {
  const own = (weightDecay: number) =>
    optimizerWarnings(chain('clip', 'decay'), ['clip', 'decay'], {
      name: 'adamw',
      settings: { weightDecay },
    });
  expect(own(0.01)).toEqual([
    expect.stringMatching(/^decay decays the weights, and so does adamw/),
  ]);
  expect(own(0)).toEqual([]);
});

test('what error feedback would give back is named, however deep it stands', () => {
  const [clip, shape, compress] = chain('clip', 'shape', 'compress') as [
    GradientPlugin,
    GradientPlugin,
    GradientPlugin,
  ];
  const around = (...inside: readonly GradientPlugin[]): GradientPlugin => ({
    ...{ name: 'feedback', hasFeedback: true, inside },
  });
  expect(
    feedbackWarnings([around(clip), around({ ...compress, inside: [shape] })], ['a', 'b']),
  ).toEqual([
    expect.stringMatching(/^clip stands inside a: .*: clip before\.$/),
    expect.stringMatching(/^shape stands inside b: .*: do it before\.$/),
  ]);
  expect(feedbackWarnings([around({ ...compress, expands: true })], ['a'])).toEqual([
    expect.stringMatching(/^compress stands inside a: .* grows from step to step: leave out/),
  ]);
  expect(
    feedbackWarnings([around(compress), { name: 'plain', inside: [clip] }], ['a', 'b']),
  ).toEqual([]);
});

test('what holds everything still for good is named', () => {
  const hold: GradientPlugin = { name: 'freeze', role: 'hold' };
  expect(holdWarnings([hold, { name: 'clip', role: 'clip' }], ['freeze', 'clip'])).toEqual([
    expect.stringMatching(/^freeze holds all parameters at every step/),
  ]);
  const some = [{ until: 3 }, { from: 3 }, { every: 2 }, { include: 'w' }, { maxRank: 1 }];
  expect(
    holdWarnings(
      some.map((common) => ({ ...hold, ...common })),
      ['a'],
    ),
  ).toEqual([]);
});
