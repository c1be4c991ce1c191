import { expect, test } from 'vitest';
import type { Op } from '../../packages/core/src/graph/builder.js';
import type { Value } from '../../packages/core/src/graph/value.js';
import { container, GRADIENT_PLUGIN, TrainingSession } from '../../packages/core/src/node.js';
import { constant } from '../../packages/core/src/options/options.js';
import {
  definePlugin,
  type GradientPlugin,
  gradientPlugin,
} from '../../packages/core/src/plugins/plugin.js';
import { halveOnHost, lossScale, round, scaleBy } from '../support/small-plugins.js';
import {
  batch,
  batches,
  close,
  open,
  smallModel,
  trained,
  weights,
} from '../support/small-session.js';

test('loss scaling changes nothing but the size of what is in between', async () => {
  close(await trained({ plugins: [lossScale()] }), await trained({}));
});

test('a plugin inside another keeps to its own parameters and steps', async () => {
  const inner = (): GradientPlugin => ({ ...scaleBy(0), include: 'w*', from: 2, until: 4 });
  const wrapped: GradientPlugin = {
    name: 'outer',
    transform: (gradients, { apply }) => apply(inner(), gradients),
  };
  expect(await trained({ plugins: [wrapped] })).toEqual(await trained({ plugins: [inner()] }));
});

test('random numbers with a key are the same whenever they are asked for', async () => {
  const noise = (draw: (random: (key?: string) => Value, op: Op) => Value): GradientPlugin => ({
    name: 'noise',
    transform: (gradients, { op, random }) =>
      gradients.map((g) => draw((key) => random({ like: g, ...(key && { key }) }), op)),
  });
  const twice = noise((random, op) => op.Sub(random('a'), random('a')));
  const none = await trained({ plugins: [scaleBy(0)] });
  expect(await trained({ plugins: [twice] })).toEqual(none);
  for (const draw of [
    noise((random, op) => op.Sub(random(), random())),
    noise((random, op) => op.Sub(random('a'), random('b'))),
  ])
    expect(await trained({ plugins: [draw] })).not.toEqual(none);
});

test('settings and learning rate change while training, without recompiling', async () => {
  const session = await open({ plugins: [halveOnHost(), round({ unit: 0.25 })] });
  expect(session.settings.names).toContain('round.unit');
  session.settings.set('round.unit', (step) => (step < 2 ? 0.25 : 1e9));
  session.learningRate = (step) => 0.1 / (step + 1);
  await session.steps(batches(2));
  const frozen = await weights(session);
  await session.steps(batches(2));
  const momentumOnly = await weights(session);
  expect(momentumOnly).not.toEqual(frozen);
  expect(() => session.settings.set('round.unit', -1)).toThrow(/round.unit must be a number > 0/);
  expect(() => session.settings.set('round.unti', 1)).toThrow(/Did you mean round.unit/);
});

test('settings of a plugin inside another are known, and change, before the first step', async () => {
  const twice = definePlugin({
    name: 'twice',
    options: { inner: constant(gradientPlugin) },
    transform: (gradients, { apply, op }, { inner }) =>
      apply(inner as GradientPlugin, gradients).map((g) => op.Mul(g, 2)),
  });
  const nested = () => twice({ id: 'a', inner: twice({ inner: round({ unit: 0.5 }) }) });
  const session = await open({ plugins: [nested()] });
  expect(session.settings.get('a/twice/round.unit')).toBe(0.5);
  session.settings.set('a/twice/round.unit', 1e9);
  const before = await weights(session);
  await session.step(batch(0));
  expect(await weights(session)).toEqual(before);
  expect(() => session.settings.set('a/twice/round.unit', -1)).toThrow(/must be a number > 0/);
});

test('what is registered comes first, in order, classes with injected services too', async () => {
  const child = container.createChildContainer();
  const seen: string[] = [];
  const named = (name: string): GradientPlugin => ({
    name,
    transform(gradients) {
      seen.push(name);
      return gradients;
    },
  });
  class Injected implements GradientPlugin {
    readonly name: string;
    constructor(service: { readonly title: string }) {
      this.name = service.title;
    }
    transform(gradients: Parameters<NonNullable<GradientPlugin['transform']>>[0]) {
      seen.push(this.name);
      return gradients;
    }
  }
  child.register('service', { useValue: { title: 'second' } });
  child.register(GRADIENT_PLUGIN, { useValue: named('first') });
  child.register(GRADIENT_PLUGIN, { useFactory: (c) => new Injected(c.resolve('service')) });
  const session = await TrainingSession.create(smallModel(), {
    loss: 'mse',
    container: child,
    plugins: [named('third')],
  });
  await session.step(batch(0));
  expect(seen).toEqual(['first', 'second', 'third']);
  await session.release();
});
