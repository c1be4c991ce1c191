import { expect, test } from 'vitest';
import type { Value } from '../graph/value.js';
import { defineOptimizer } from '../optimizers/optimizer.js';
import { constant, integer } from '../options/options.js';
import {
  type CommonOptions,
  definePlugin,
  type GradientPlugin,
  type PluginDefinition,
} from '../plugins/plugin.js';
import { type PluginMaker, testOptimizer, testPlugin } from '../testing.js';

const declare = (hooks: Partial<PluginDefinition<Record<never, never>>>) =>
  definePlugin({ name: 'sample', description: 'A sample.', options: {}, ...hooks });

/** Plugins that break the contract in one way each, and what the suite says of them. */
const broken: Record<string, readonly [PluginMaker<object>, RegExp]> = {
  'leaves a gradient out': [
    declare({ transform: (gradients) => gradients.slice(1) }),
    /keeps shapes and types.*one result for each/,
  ],
  'changes a shape': [
    declare({
      transform: (gradients, { op }) => gradients.map((g) => op.reshape(g, [...g.shape, 1])),
    }),
    /keeps shapes and types.*A plugin returned float32/,
  ],
  'divides zero by zero': [
    declare({
      transform: (gradients, { op }) =>
        gradients.map((g) => op.Div(g, op.globalNorm(gradients)) as Value),
    }),
    /gives finite results for gradients of size 0/,
  ],
  'hides NaN': [
    declare({
      transform: (gradients, { op }) =>
        gradients.map((g) => op.Where(op.Equal(g, g), g, op.filled(g, 0))),
    }),
    /does not hide NaN/,
  ],
  'forgets what its state held': [
    (() => {
      let made = 0;
      const factory = declare({
        transform: (gradients, { op }) => {
          made += 1;
          return gradients.map((g) => op.Mul(g, made));
        },
      });
      return factory;
    })(),
    /is a function of the seed/,
  ],
  'sends something else than it applies': [
    declare({
      transform: (gradients) => gradients,
      encode: (gradient, { op }) => ({ half: op.Mul(gradient, 0.5) }),
      decode: ({ half }) => half as Value,
    }),
    /gives by transform the numbers of decode after encode/,
  ],
  'does something else where it is told what to work on': [
    (given: CommonOptions = {}): GradientPlugin => ({
      ...given,
      name: 'fickle',
      transform: (gradients, { op }) =>
        gradients.map((g) => op.Mul(g, given.include === undefined ? 1 : 2)),
    }),
    /leaves excluded parameters alone/,
  ],
};

test.each(Object.entries(broken))('finds a plugin that %s', async (_, [plugin, says]) => {
  await expect(testPlugin(plugin)).rejects.toThrow(
    expect.objectContaining({
      code: 'PLUGIN_CONTRACT',
      message: expect.stringMatching(new RegExp(says.source, 's')),
    }),
  );
});

test('finds a plugin that does not remove what it says it removes', async () => {
  await expect(testPlugin(declare({}), { nonFinite: 'removes' })).rejects.toThrow('removes NaN');
});

test('finds options without a help text', async () => {
  const silent = definePlugin({ name: 'silent', options: { n: constant(integer(1), 1) } });
  await expect(testPlugin(silent)).rejects.toThrow('it has no description');
});

test('is content with a plugin that does nothing', () =>
  testPlugin(declare({ transform: (gradients) => gradients })));

test('is content with one that removes what is not finite', () =>
  testPlugin(
    declare({
      transform: (gradients, { op }) =>
        gradients.map((g) => op.Where(op.Equal(op.Sub(g, g), 0), g, op.filled(g, 0))),
    }),
    { nonFinite: 'removes' },
  ));

test('is content with one that drops the step', () =>
  testPlugin(
    declare({
      transform: (gradients, { op, drop }) => {
        drop(op.Not(op.isFinite(...gradients)));
        return gradients;
      },
    }),
  ));

test('is content with one that works on the host', () =>
  testPlugin(
    declare({
      transformHost: (gradients, { state }) => {
        const count = state('count', { length: 1 });
        count[0] = (count[0] ?? 0) + 1;
        for (const { data } of gradients)
          data.forEach((x, i) => {
            data[i] = x * (count[0] as number);
          });
        return gradients;
      },
    }),
  ));

const optimizers = {
  climbs: [
    defineOptimizer({
      ...{ name: 'climber', options: {}, defaultLearningRate: 0.1 },
      update: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0.1)),
    }),
    'leads to the minimum',
  ],
  stays: [
    defineOptimizer({
      ...{ name: 'stayer', options: {}, defaultLearningRate: 0.1 },
      update: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0)),
    }),
    'moves the weights',
  ],
} as const;

test.each(Object.entries(optimizers))('finds an optimizer that %s', async (_, [make, says]) => {
  await expect(testOptimizer(make)).rejects.toThrow(says);
});
