import { expect, test } from 'vitest';
import { decodeTrainingState } from '../../packages/core/src/artifacts/training-state.js';
import { adamw } from '../../packages/core/src/optimizers/adamw.js';
import { sgd } from '../../packages/core/src/optimizers/sgd.js';
import {
  type CommonOptions,
  definePlugin,
  type GradientPlugin,
} from '../../packages/core/src/plugins/plugin.js';
import type { TrainingOptions } from '../../packages/core/src/training/api.js';
import {
  all,
  batch,
  batches,
  clip,
  conv,
  dropOdd,
  echo,
  head,
  noise,
  numbers,
  open,
  parameters,
  scale,
} from '../support/small-groups.js';
import { accumulate } from '../support/small-plugins.js';

test('each group is trained as a session of its own chain, optimizer and rate would train it', async () => {
  const optimizers = { conv: sgd({ momentum: 0.8 }), rest: adamw({ weightDecay: 0.1 }) };
  const session = await open({
    plugins: [echo()],
    optimizer: optimizers.rest,
    learningRate: 0.02,
    groups: [
      {
        name: 'conv',
        match: 'conv.*',
        plugins: [clip()],
        optimizer: optimizers.conv,
        learningRate: 0.3,
      },
    ],
  });
  const own = { include: 'conv.*' };
  const alone = await open({
    plugins: [echo(), clip(own)],
    optimizer: optimizers.conv,
    learningRate: 0.3,
  });
  const others = await open({
    plugins: [echo()],
    optimizer: optimizers.rest,
    learningRate: 0.02,
  });
  for (const each of batches(5)) {
    for (const referee of [alone, others])
      for (const name of parameters)
        await referee.setParameter(name, await session.getParameter(name));
    const { metrics } = await session.step(each);
    const { metrics: wanted } = await alone.step(each);
    await others.step(each);
    expect(metrics['conv/clip.norm']).toBe(wanted['clip.norm']);
    for (const name of conv)
      expect(await numbers(session, name)).toEqual(await numbers(alone, name));
    for (const name of head)
      expect(await numbers(session, name)).toEqual(await numbers(others, name));
  }
});

const rich = (): TrainingOptions => ({
  plugins: [scale, echo()],
  seed: 5,
  groups: [
    {
      name: 'conv',
      match: 'conv.*',
      plugins: [accumulate({ n: 2 }), noise(), clip({ max: (step) => 0.1 + step / 100 })],
      optimizer: adamw(),
      learningRate: (step) => 0.01 / (step + 1),
    },
    { name: 'vectors', match: '*', maxRank: 1, plugins: [dropOdd, noise()] },
  ],
});

test('many steps in one run, one by one, and in two halves give the same bits', async () => {
  const [one, many, split] = [await open(rich()), await open(rich()), await open(rich())];
  for (const each of batches(6)) await one.step(each);
  const wanted = await all(one);
  const { metrics, dropped } = await many.steps(batches(6));
  expect(await all(many)).toEqual(wanted);
  expect(Object.keys(metrics)).toEqual(['conv/clip.norm']);
  expect(dropped).toEqual([false, true, false, true, false, true]);
  for (const each of batches(6)) {
    await split.runTrainStep(each);
    await split.runOptimizerStep();
    await split.lazyResetGrad();
  }
  expect(await all(split)).toEqual(wanted);
});

test('resuming with groups equals not stopping, and every group keeps its own count', async () => {
  const [whole, first, second] = [await open(rich()), await open(rich()), await open(rich())];
  await whole.steps(batches(6));
  await first.steps(batches(6).slice(0, 3));
  await second.loadCheckpoint(await first.checkpoint());
  await second.steps(batches(6).slice(3));
  expect(await all(second)).toEqual(await all(whole));
  const { tensors } = decodeTrainingState(await whole.checkpoint(), 'saved');
  const count = (key: string) => Number(tensors.get(key)?.data[0]);
  expect(count('optimizer/count')).toBe(6);
  expect(count('optimizer/@conv/count')).toBe(3);
  expect(count('optimizer/@vectors/count')).toBe(3);
  expect([...tensors.keys()].filter((key) => key.startsWith('plugin/')).sort()).toEqual([
    'plugin/conv/accumulate.count',
    ...['conv.bias', 'conv.weight'].map((name) => `plugin/conv/accumulate.sum/${name}`),
    ...[...parameters].sort().map((name) => `plugin/echo.last/${name}`),
  ]);
});

test('what waits or drops in a group is the group alone', async () => {
  const session = await open({
    groups: [
      { name: 'waits', match: 'conv.*', plugins: [accumulate({ n: 3 })] },
      { name: 'drops', match: 'head.bias', plugins: [dropOdd] },
    ],
  });
  const moved: string[] = [];
  let before = await all(session);
  for (const each of batches(3)) {
    await session.step(each);
    const after = await all(session);
    moved.push(parameters.filter((name) => `${after[name]}` !== `${before[name]}`).join(' '));
    before = after;
  }
  expect(moved).toEqual([
    'head.weight head.bias',
    'head.weight',
    'conv.weight conv.bias head.weight head.bias',
  ]);
});

test('a plugin of all that holds every parameter of a group holds its count, too', async () => {
  const freeze = (common: CommonOptions) =>
    definePlugin({
      name: 'freeze',
      options: {},
      transform(gradients, { op, step, wait }) {
        wait(op.Less(step, 2), gradients);
        return gradients;
      },
    })(common);
  const session = await open({
    plugins: [freeze({ include: 'conv.*' })],
    optimizer: adamw(),
    groups: [{ name: 'conv', match: 'conv.*' }],
  });
  await session.steps(batches(5));
  const { tensors } = decodeTrainingState(await session.checkpoint(), 'saved');
  expect(Number(tensors.get('optimizer/@conv/count')?.data[0])).toBe(3);
  expect(Number(tensors.get('optimizer/count')?.data[0])).toBe(5);
});

test('parameters are chosen by shape, too, for groups and plugins', async () => {
  const spied: string[][] = [];
  const spy = (common: CommonOptions): GradientPlugin => ({
    ...{ name: 'spy', ...common },
    transform(gradients) {
      spied.push(gradients.map((g) => g.parameter ?? ''));
      return gradients;
    },
  });
  const wide = ({ shape }: { readonly shape: readonly number[] }) => shape.at(-1) === 4;
  const session = await open({
    plugins: [
      spy({ minRank: 2 }),
      spy({ maxRank: 1, exclude: 'head.*' }),
      spy({ include: [wide, 'head.bias'] }),
    ],
    groups: [{ name: 'matrices', minRank: 2, plugins: [spy({ exclude: wide })] }],
  });
  await session.step(batch(0));
  expect(spied).toEqual([
    ['conv.weight', 'head.weight'],
    ['conv.bias'],
    ['conv.weight', 'conv.bias', 'head.bias'],
    ['head.weight'],
  ]);
});

test("ONNX Runtime's checkpoint holds no optimizer state of groups", async () => {
  const session = await open({ groups: [{ name: 'a', match: 'conv.*' }] });
  await session.step(batch(0));
  await expect(session.checkpoint({ format: 'ort' })).rejects.toThrow(
    /room for one optimizer.*groups a, \(the rest\).*includeOptimizerState: false/s,
  );
  const bare = await session.checkpoint({ format: 'ort', includeOptimizerState: false });
  const other = await open({});
  await other.loadCheckpoint(bare);
  expect(await all(other)).toEqual(await all(session));
});
