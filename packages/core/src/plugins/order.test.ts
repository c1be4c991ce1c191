import { expect, test } from 'vitest';
import { optimizerWarnings, orderWarnings } from './order.js';
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
