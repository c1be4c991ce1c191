import type { GradientPlugin, Optimizer } from '@gradware/core';
import { createBench, type Tensors } from '@gradware/core/testing';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { sample } from '../../packages/core/src/testing/tensors.js';
import { loadPlugins } from '../support/plugins.js';
import { expectSameSteps } from './compare-steps.js';
import { type Piece, record } from './piece.js';

type Given = Readonly<Record<string, unknown>>;

/** Options beside the defaults: another form of each plugin's graph. */
const forms: Readonly<Record<string, readonly Given[]>> = {
  accumulate: [{ n: 3, reduction: 'sum' }],
  'adaptive-clip': [{ lambda: 0.5, axis: -1 }],
  'auto-clip': [{ history: 2, percentile: 60 }],
  cast: [{ to: 'bfloat16' }],
  centralize: [{ axis: -1 }],
  decompose: [{ along: 0.5, across: -2 }],
  ema: [{ debias: false }],
  'loss-scale': [{ initialScale: 4, growthInterval: 2 }],
  'low-rank': [{ rank: 1 }, { rank: 1, warmStart: false }],
  'norm-clip': [
    { normType: 1, maxNorm: 0.1 },
    { normType: Number.POSITIVE_INFINITY, maxNorm: 0.1 },
    { per: 'tensor', maxNorm: 0.1 },
  ],
  normalize: [
    { max: 2, per: 'tensor' },
    { low: -1, high: 0.5 },
  ],
  qsgd: [
    { levels: 127, norm: 'max' },
    { levels: 32767, bucket: 4 },
  ],
  quantize: [
    { bits: 2, rounding: 'stochastic' },
    { bits: 11, errorFeedback: true },
    { bits: 5, per: 'channel', axis: 1 },
  ],
  'random-k': [{ ratio: 0.4 }, { k: 3, unbiased: false }],
  sign: [{ scale: 'none' }],
  terngrad: [{ clip: Number.POSITIVE_INFINITY }],
  threshold: [
    { threshold: 0.5, relativeTo: 'max' },
    { threshold: 1, relativeTo: 'rms' },
  ],
  'top-k': [{ ratio: 0.5 }, { k: 4, exactUpTo: 0 }],
  'value-clip': [{ low: -0.1, high: 0.7, reportFraction: true }, { ofLargest: 0.5 }],
  'weight-decay': [{ scaled: false }],
  'z-clip': [
    { warmup: 2, zMax: 0.5 },
    { warmup: 2, zMax: 0.5, to: 'mean' },
  ],
};

/** Instead of the defaults, where there are none. */
const needed: Readonly<Record<string, Given>> = {
  'error-feedback': {
    compressor: {
      name: 'half',
      transform: (gradients, { op }) => gradients.map((g) => op.Mul(g, 0.5)),
    } satisfies GradientPlugin,
  },
  'value-clip': { max: 0.5 },
};

const shapes = {
  'layer.weight': [4, 3],
  'layer.bias': [5],
  'conv.weight': [2, 1, 3, 3],
  scale: [],
};

function tensors(salt: number): Tensors {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [name, sample(shape, salt + 31 * i)]),
  );
}

/** The last of three steps of a chain and an optimizer, and that the three give what they give on the CPU. */
export async function benchPieces(
  provider: Provider,
  name: string,
  plugins: readonly GradientPlugin[],
  { optimizer, tolerance = 1e-5 }: { optimizer?: Optimizer; tolerance?: number } = {},
): Promise<readonly Piece[]> {
  const { runtime, pieces } = record(provider);
  const options = { plugins, weights: tensors(7), seed: 1, learningRate: 0.1, optimizer };
  const there = await createBench({ ...options, provider, runtime });
  const here = await createBench(options);
  for (const salt of [100, 200, 300]) {
    const gradients = tensors(salt);
    expectSameSteps(name, await there.step(gradients), await here.step(gradients));
  }
  await there.release();
  await here.release();
  return pieces(name, tolerance);
}

/** Every plugin package, in the forms that its options give it. */
export async function pluginPieces(provider: Provider): Promise<readonly Piece[]> {
  const plugins = await loadPlugins();
  const all: Piece[] = [];
  for (const { name, make } of plugins)
    for (const options of [needed[name] ?? {}, ...(forms[name] ?? [])])
      all.push(
        ...(await benchPieces(provider, `${name} ${JSON.stringify(options)}`, [make(options)])),
      );
  return all;
}
