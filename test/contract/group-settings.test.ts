import { expect, test } from 'vitest';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import type { GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import type { GroupOptions } from '../../packages/core/src/training/api.js';
import { all, batch, batches, clip, echo, onHost, open } from '../support/small-groups.js';

test('settings and rates of groups change while training; without its own a group follows the session', async () => {
  const session = await open({
    groups: [
      { name: 'a', match: 'conv.*', plugins: [clip()], learningRate: 0.1 },
      { name: 'b', match: 'head.bias', optimizer: sgd({ momentum: 0.5 }) },
    ],
  });
  expect(session.settings.names).toEqual([
    'learningRate',
    'a/clip.max',
    'a/learningRate',
    'a/sgd.momentum',
    'b/sgd.momentum',
    'sgd.momentum',
  ]);
  await session.step(batch(0));
  session.learningRate = 0;
  const before = await all(session);
  await session.step(batch(1));
  const middle = await all(session);
  expect(middle['head.bias']).toEqual(before['head.bias']);
  expect(middle['conv.bias']).not.toEqual(before['conv.bias']);
  session.settings.set('a/learningRate', 0);
  await session.step(batch(2));
  expect(await all(session)).toEqual(middle);
  expect(() => session.settings.set('a/clip.max', -1)).toThrow('a/clip.max must be a number > 0');
  expect(() => session.settings.get('a/clip.maximum')).toThrow('a/clip.max');
});

test('a host plugin of a group sees its gradients, its settings and its rate', async () => {
  const groups = (plugins: readonly GradientPlugin[]): readonly GroupOptions[] => [
    { name: 'a', match: 'conv.*', plugins, learningRate: 0.25 },
  ];
  const halve: GradientPlugin = {
    name: 'halve',
    transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0.5)),
  };
  const [host, graph] = [
    await open({ groups: groups([onHost(), echo()]) }),
    await open({ groups: groups([halve, echo()]) }),
  ];
  const { metrics } = await host.step(batch(0));
  expect(metrics).toEqual({ 'a/on-host.rate': 0.25 });
  await host.steps(batches(4).slice(1));
  await graph.steps(batches(4));
  expect(await all(host)).toEqual(await all(graph));
});

test('a plugin of all knows the rate of every group', async () => {
  const decay: GradientPlugin = {
    name: 'decay',
    transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0)),
    transformUpdates: (updates, { op, parameter, learningRateOf }) =>
      updates.map((u) => op.Sub(u, op.Mul(parameter(u), learningRateOf(u)))),
  };
  const session = await open({
    plugins: [decay],
    optimizer: sgd(),
    learningRate: 0.5,
    groups: [{ name: 'a', match: 'conv.bias', learningRate: 0.25 }],
  });
  const before = await all(session);
  await session.step(batch(0));
  const after = await all(session);
  const times = (name: string, factor: number) =>
    before[name]?.map((x) => expect.closeTo(x * factor, 6));
  expect(after['conv.bias']).toEqual(times('conv.bias', 0.75));
  expect(after['head.bias']).toEqual(times('head.bias', 0.5));
});
