import { expect, test } from 'vitest';
import { definePlugin, type GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import { accumulate, freeze, skipNonfinite, stopAt } from '../support/small-plugins.js';
import { batch, batches, open, trained, weights } from '../support/small-session.js';

test('a step that is not finite is undone, counted, and does not stop the run', async () => {
  const poisoned = [batch(0), batch(1, Number.POSITIVE_INFINITY), batch(2)];
  const clean = await trained({}, [batch(0), batch(2)]);
  const session = await open({ plugins: [skipNonfinite()] });
  const { dropped, metrics } = await session.steps(poisoned);
  expect(dropped).toEqual([false, true, false]);
  expect([...(metrics['skip-nonfinite.skipped'] ?? [])]).toEqual([0, 1, 1]);
  expect(await weights(session)).toEqual(clean);
});

test('a plugin ends training after the step that it asks for, in one run and in many', async () => {
  const plugins = () => [stopAt(2)];
  const wanted = await trained({}, batches(3));
  const reason = /Training ends after step 2: it is time \(plugin stop-at\)/;
  const looped = await open({ plugins: plugins() });
  await expect(looped.steps(batches(6))).rejects.toThrow(reason);
  const single = await open({ plugins: plugins() });
  await single.steps(batches(2));
  await expect(single.step(batch(2))).rejects.toMatchObject({ code: 'STOPPED' });
  const apart = await open({ plugins: plugins() });
  for (const each of batches(2)) await apart.step(each);
  await apart.runTrainStep(batch(2));
  await expect(apart.runOptimizerStep()).rejects.toThrow(reason);
  for (const session of [looped, single, apart]) {
    expect(session.stepCount).toBe(3);
    expect(await weights(session)).toEqual(wanted);
    // It goes on where it is asked to.
    await session.step(batch(3));
    await session.release();
  }
});

test('a plugin that is held or rests ends nothing', async () => {
  const plugins = [accumulate({ n: 4 }), stopAt(2), { ...stopAt(3), until: 3 }];
  const session = await open({ plugins });
  await session.steps(batches(5));
  expect(session.stepCount).toBe(5);
});

test('state that survives later drops does not keep what an earlier plugin dropped', async () => {
  const careful = definePlugin({
    name: 'sum',
    options: {},
    transform(gradients, { op, state, metric }) {
      const seen = state('seen', { survives: 'later' });
      metric('seen', seen.set(op.Add(seen.value, op.globalNorm(gradients))));
      return gradients;
    },
  });
  const dropSecond: GradientPlugin = {
    name: 'drop-second',
    transform(gradients, { op, step, drop }) {
      drop(op.Equal(step, 1));
      return gradients;
    },
  };
  const seen = async (plugins: readonly GradientPlugin[]) => {
    const session = await open({ plugins, learningRate: 0 });
    const { metrics } = await session.steps([batch(0), batch(0), batch(0)]);
    await session.release();
    const sums = metrics['sum.seen'] ?? [];
    return [...sums].map((sum) => Math.round(sum / (sums[0] ?? 0)));
  };
  expect(await seen([dropSecond, careful()])).toEqual([1, 2, 2]);
  expect(await seen([careful(), dropSecond])).toEqual([1, 2, 3]);
});

test('a loss that is not finite stops the run with the last good weights', async () => {
  const session = await open();
  const poisoned = [batch(0), batch(1, Number.NaN), batch(2)];
  await expect(session.steps(poisoned)).rejects.toMatchObject({ code: 'NONFINITE_LOSS' });
  expect(session.stepCount).toBe(1);
  expect(await weights(session)).toEqual(await trained({}, [batch(0)]));
  await expect(session.step(batch(1, Number.NaN))).rejects.toThrow(/at step 1/);
  expect(await weights(session)).toEqual(await trained({}, [batch(0)]));
});

test('a frozen layer stays until its time comes', async () => {
  const session = await open({ plugins: [freeze({ include: 'w1', steps: 3 })] });
  const before = (await session.getParameter('w1')).data;
  await session.steps(batches(3));
  expect((await session.getParameter('w1')).data).toEqual(before);
  expect((await session.getParameter('w2')).data).not.toEqual(before);
  await session.step(batch(3));
  expect((await session.getParameter('w1')).data).not.toEqual(before);
});
