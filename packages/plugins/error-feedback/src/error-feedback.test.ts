import {
  constant,
  definePlugin,
  type GradientPlugin,
  integer,
  positive,
  setting,
  type Value,
} from '@gradware/core';
import { createBench, float32, floats, type Tensors, testPlugin } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { errorFeedback } from './error-feedback.js';

/** Sends multiples of a unit. */
const round = definePlugin({
  name: 'round',
  options: { unit: setting(positive, 1), offset: constant(integer(0), 0) },
  encode: (g, { op }, { unit }) => ({ codes: op.cast(op.Round(op.Div(g, unit)), 'int8') }),
  decode: ({ codes }, { op }, { unit }) => op.Mul(op.cast(codes as Value, 'float32'), unit),
});

/** mean |g| · sgn(g): the compressor of the paper. */
const scaledSign: GradientPlugin = {
  name: 'scaled-sign',
  transform: (gradients, { op }) => gradients.map((g) => op.Mul(op.Sign(g), op.mean(op.Abs(g)))),
};

const onlyFirst: GradientPlugin = {
  name: 'only-first',
  transform: (gradients, { op }) =>
    gradients.map((g) => {
      const data = Float32Array.from({ length: g.shape[0] ?? 0 }, (_, i) => (i === 0 ? 1 : 0));
      return op.Mul(g, op.constant({ type: 'float32', dims: [data.length], data }));
    }),
};

const half: GradientPlugin = {
  name: 'half',
  transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0.5)),
};

const around = (inside: GradientPlugin): GradientPlugin => ({
  name: 'around',
  transform: (gradients, { apply }) => apply(inside, gradients),
});

test.each([
  ['a compressor', half, undefined],
  ['a decay', half, 0.5],
  ['a compressor inside another plugin', around(scaledSign), undefined],
] as const)('keeps to the plugin contract with %s', (_, compressor, decay) =>
  testPlugin(errorFeedback, { options: { compressor, decay } }),
);

interface Run {
  readonly sent: readonly (readonly number[])[];
  readonly metrics: readonly Readonly<Record<string, number>>[];
  readonly residual: readonly number[];
  readonly keys: readonly string[];
}

async function run(
  plugin: GradientPlugin,
  steps: readonly (readonly number[])[],
  name = 'w',
): Promise<Run> {
  const weights: Tensors = new Map([[name, float32(steps[0] ?? [])]]);
  const bench = await createBench({ plugins: [plugin], weights });
  const [sent, metrics] = [[] as number[][], [] as Run['metrics'][number][]];
  for (const step of steps) {
    const result = await bench.step(new Map([[name, float32(step)]]));
    sent.push([...floats(result.gradients.get(name) as never)]);
    metrics.push(result.metrics);
  }
  const keys = [...bench.state().keys()];
  const residual = keys.find((key) => key.endsWith(`residual/${name}`)) ?? '';
  const tensor = bench.state().get(residual);
  await bench.release();
  return { sent, metrics, keys, residual: tensor ? [...floats(tensor)] : [] };
}

const noise = (steps: number, length: number) =>
  Array.from({ length: steps }, (_, t) =>
    Array.from({ length }, (_, i) => Math.fround(Math.sin((t * 31 + i * 17) ** 2))),
  );
const sumOf = (all: readonly (readonly number[])[], i: number) =>
  all.reduce((sum, one) => sum + (one[i] as number), 0);

test('telescopes: what was sent and what is left are the sum of all gradients', async () => {
  const steps = noise(40, 6);
  for (const compressor of [round(), scaledSign, onlyFirst]) {
    const { sent, residual } = await run(errorFeedback({ compressor }), steps);
    for (let i = 0; i < 6; i++)
      expect(Math.abs(sumOf(sent, i) + (residual[i] as number) - sumOf(steps, i))).toBeLessThan(
        1e-4,
      );
    expect(sent).not.toEqual(steps);
  }
});

test('follows the recursion with a decay, in double precision', async () => {
  const steps = noise(10, 5);
  const plugin = errorFeedback({ compressor: half, decay: (step) => (step < 5 ? 0.9 : 0.2) });
  const { sent, residual } = await run(plugin, steps);
  let e = [0, 0, 0, 0, 0];
  steps.forEach((g, t) => {
    const v = g.map((x, i) => x + (t < 5 ? 0.9 : 0.2) * (e[i] as number));
    e = v.map((x) => x - 0.5 * x);
    v.forEach((x, i) => {
      expect(Math.abs((sent[t]?.[i] as number) - 0.5 * x)).toBeLessThan(1e-6);
    });
  });
  residual.forEach((x, i) => {
    expect(Math.abs(x - (e[i] as number))).toBeLessThan(1e-6);
  });
});

test('nests ids: state by parameter, metrics and bytes of what is inside', async () => {
  const plugin = errorFeedback({ compressor: round({ id: 'inner' }), id: 'outer' });
  const { metrics, keys, residual } = await run(plugin, [[1.25, -0.5, 3]], 'fc.weight');
  expect(keys).toContain('plugin/outer.residual/fc.weight');
  expect(residual).toEqual([0.25, -0.5, 0]);
  expect(metrics[0]).toEqual({
    'outer.residual-norm': Math.fround(Math.hypot(0.25, 0.5)),
    'outer/inner.bytes': 3,
    'outer/inner.bits-per-element': 8,
  });
});

test('leaves the settings of what is inside live', async () => {
  const compressor = round({ unit: (step) => (step === 0 ? 10 : 0.5) });
  const { sent } = await run(errorFeedback({ compressor }), [
    [1.25, 2],
    [0, 0],
  ]);
  expect(sent).toEqual([
    [0, 0],
    [1, 2],
  ]);
});

test('remembers nothing of parameters that are not for what is inside', async () => {
  const compressor: GradientPlugin = { ...onlyFirst, include: '*.weight' };
  const weights: Tensors = new Map([
    ['fc.weight', float32([1, 2])],
    ['fc.bias', float32([3, 4])],
  ]);
  const bench = await createBench({ plugins: [errorFeedback({ compressor })], weights });
  const { gradients } = await bench.step(weights);
  const residual = (name: string) => [
    ...floats(bench.state().get(`plugin/error-feedback.residual/${name}`) as never),
  ];
  expect([...floats(gradients.get('fc.bias') as never)]).toEqual([3, 4]);
  expect([...floats(gradients.get('fc.weight') as never)]).toEqual([1, 0]);
  expect([residual('fc.bias'), residual('fc.weight')]).toEqual([
    [0, 0],
    [0, 2],
  ]);
  await bench.release();
});

test.each(['compress', undefined, 'clip', 'shape'] as const)(
  'takes a plugin of role %s',
  (role) => {
    const inside: GradientPlugin = { ...half, ...(role && { role }) };
    expect(errorFeedback({ compressor: inside }).inside).toEqual([inside]);
  },
);

test('a misspelt parameter of the plugin inside is found before anything runs', async () => {
  const weights: Tensors = new Map([
    ['fc.weight', float32([1, 2])],
    ['fc.bias', float32([3, 4])],
  ]);
  const open = (outer: object, inner: object) =>
    createBench({
      plugins: [errorFeedback({ compressor: { ...half, ...inner }, ...outer })],
      weights,
    });
  await expect(open({}, { include: 'fc.wieght' })).rejects.toThrow(
    /plugin half inside plugin error-feedback, number 1 in the chain: "fc.wieght" matches no parameter.*Did you mean fc.weight/s,
  );
  // It chooses among what the one around it leaves.
  await expect(open({ include: 'fc.bias' }, { include: 'fc.weight' })).rejects.toThrow(
    /half inside plugin error-feedback.*"fc.weight" matches no parameter/,
  );
  await expect(open({}, { from: 3, until: 3 })).rejects.toThrow(/on none.*half inside/);
});

test('works around a plugin on the host', async () => {
  const compressor: GradientPlugin = {
    name: 'on-host',
    transformHost: async (gradients) =>
      gradients.map((g) => ({ ...g, data: g.data.map(Math.trunc) })),
  };
  const { sent } = await run(errorFeedback({ compressor }), Array(4).fill([0.5, 1.25]));
  expect(sent).toEqual([
    [0, 1],
    [1, 1],
    [0, 1],
    [1, 2],
  ]);
});

/** f(x, y) = ε |x + y| + |x - y| from (1, 1): the second counter-example of Karimireddy et al. 2019, where the sign
 *  of every gradient lies along (1, -1) and so never leaves x + y = 2. */
async function descend(plugins: readonly GradientPlugin[], steps: number): Promise<number> {
  const epsilon = 0.5;
  const bench = await createBench({ plugins, weights: new Map([['w', float32([1, 1])]]) });
  let point = [1, 1];
  for (let t = 0; t < steps; t++) {
    const [x = 0, y = 0] = point;
    const [along, across] = [epsilon * Math.sign(x + y), x - y >= 0 ? 1 : -1];
    const rate = 0.3 / Math.sqrt(t + 1);
    await bench.step(
      new Map([['w', float32([along + across, along - across].map((g) => g * rate))]]),
    );
    point = [...floats(bench.state().get('parameter/w') as never)];
  }
  await bench.release();
  const [x = 0, y = 0] = point;
  return epsilon * Math.abs(x + y) + Math.abs(x - y);
}

test('lets the sign converge on a problem where it cannot alone', async () => {
  const alone = await descend([scaledSign], 400);
  const helped = await descend([errorFeedback({ compressor: scaledSign })], 400);
  expect(alone).toBeGreaterThanOrEqual(1 - 1e-5);
  expect(helped).toBeLessThan(0.1);
});

test('lets a stochastic sign descend where it climbs alone', async () => {
  // E g = 1/4, but the sign is negative in three steps of four: the first counter-example.
  const steps = Array.from({ length: 400 }, (_, t) => [t % 4 === 0 ? 4 : -1]);
  const compressor: GradientPlugin = {
    name: 'sign',
    transform: (gradients, { op }) => gradients.map((g) => op.Sign(g)),
  };
  expect(sumOf((await run(compressor, steps)).sent, 0)).toBe(-200);
  const { sent, residual } = await run(errorFeedback({ compressor }), steps);
  expect(sumOf(sent, 0) + (residual[0] as number)).toBe(100);
  expect(Math.abs(residual[0] as number)).toBeLessThan(5);
});

test.each([
  [() => errorFeedback(), 'error-feedback has no plugin inside'],
  [() => errorFeedback({ compressor: {} as never }), 'error-feedback.compressor must be a plugin'],
  [
    () => errorFeedback({ compressor: { ...half, seed: (dLoss) => dLoss } }),
    'error-feedback cannot work around half',
  ],
  [
    () => errorFeedback({ compressor: { name: 'nothing' } }),
    'error-feedback cannot work around nothing',
  ],
  ...(
    [
      ['unscale', 'scales the loss'],
      ['guard', 'decides about whole steps'],
      ['accumulate', 'keeps gradients back itself'],
      ['reduce', 'put error feedback around what compresses'],
      ['regularise', 'taken away again'],
      ['noise', 'taken away again'],
      ['decay', 'changes weights'],
      ['hold', 'at once when it lets go'],
    ] as const
  ).map(
    ([role, because]) =>
      [
        () => errorFeedback({ compressor: { ...half, role } }),
        new RegExp(
          `error-feedback cannot work around half: .*${because}.*Give half a place of its`,
          's',
        ),
      ] as const,
  ),
  [
    () =>
      errorFeedback({
        compressor: { ...half, inside: [{ ...half, name: 'l2', role: 'regularise' }] },
      }),
    'error-feedback cannot work around l2: the penalty',
  ],
  [
    () => errorFeedback({ compressor: errorFeedback({ compressor: half }) }),
    'which has error feedback itself, would add what was lost twice',
  ],
  [
    () => errorFeedback({ compressor: half, decay: 2 }),
    'error-feedback.decay must be a number > 0',
  ],
] as const)('refuses what cannot work: %#', (make, problem) => {
  expect(make).toThrow(problem);
});
