import { expect, test } from 'vitest';
import { sgd } from '../optimizers/sgd.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import { createBench, float32, tryChain } from '../testing.js';

/** Divides gradients by their common norm. */
const unit = (own: Partial<GradientPlugin> = {}): GradientPlugin => ({
  name: 'unit',
  transform: (gradients, { op, metric }) => {
    const norm = op.globalNorm(gradients);
    metric('norm', norm);
    return gradients.map((g) => op.Div(g, norm));
  },
  ...own,
});

const gradients = { 'a.weight': [3, 4], 'b.weight': [6, 8], bias: [5] };
const groups = [{ name: 'a', match: 'a.*', plugins: [unit()] }];

test('a group has a chain of its own, behind that of all', async () => {
  const [step] = await tryChain([], [gradients], { groups });
  expect(step?.gradients).toEqual({
    'a.weight': [expect.closeTo(0.6), expect.closeTo(0.8)],
    'b.weight': [6, 8],
    bias: [5],
  });
  expect(step?.metrics).toEqual({ 'a/unit.norm': 5 });
  expect(step?.applied).toBe(true);
});

test('a group has its own optimizer and learning rate, many steps in one run too', async () => {
  const own = groups.map((group) => ({ ...group, optimizer: sgd(), learningRate: 10 }));
  const weights = new Map(Object.entries(gradients).map(([name, w]) => [name, float32(w)]));
  const bench = await createBench({ plugins: [], weights, groups: own });
  await bench.steps([weights, weights]);
  const after = [...(bench.state().get('parameter/a.weight')?.data ?? [])];
  await bench.release();
  expect(after).toEqual([expect.closeTo(3 - 12), expect.closeTo(4 - 16)]);
});

test('a plugin that works on the host is told the learning rate and settings of its group', async () => {
  const seen: unknown[] = [];
  const spy: GradientPlugin = {
    name: 'spy',
    settings: { strength: (step) => step + 7 },
    transformHost(given, { learningRate, setting }) {
      seen.push([given.map(({ parameter }) => parameter), learningRate, setting('strength')]);
      return given;
    },
  };
  const own = [{ name: 'a', match: 'a.*', plugins: [spy], learningRate: 0.5 }];
  await tryChain([], [gradients, gradients], { groups: own, learningRate: 0.1 });
  expect(seen).toEqual([
    [['a.weight'], 0.5, 7],
    [['a.weight'], 0.5, 8],
  ]);
});

test('a chain is refused where a session would refuse it, before any step', async () => {
  const open = (plugins: readonly GradientPlugin[]) =>
    createBench({ plugins, weights: new Map([['w', float32([1])]]) });
  const seed: GradientPlugin['seed'] = (dLoss) => dLoss;
  for (const filter of [{ include: 'w' }, { exclude: 'w' }, { minRank: 1 }, { maxRank: 1 }])
    await expect(open([unit({ seed, ...filter })])).rejects.toThrow('works on all parameters');
  await expect(open([unit({ include: 'v' })])).rejects.toThrow('"v" matches no parameter');
  await expect(open([unit({ single: true }), unit({ single: true })])).rejects.toThrow('one unit');
});

test('it warns as a session would', async () => {
  const bench = await createBench({
    plugins: [unit({ role: 'clip' }), unit({ role: 'accumulate' })],
    weights: new Map([['w', float32([1])]]),
  });
  await bench.release();
  expect(bench.warnings).toEqual([expect.stringMatching(/^unit stands before unit#2: /)]);
});
