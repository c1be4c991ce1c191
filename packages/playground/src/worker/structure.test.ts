import { expect, test } from 'vitest';
import type { RunConfig } from '../shared/protocol.js';
import { catalogue, optimizerFactories, pluginFactories } from './catalogue.js';
import { idsOf, makeChain, makeOptimizer, readSetting } from './parts.js';
import { decideProvider } from './runtime-choice.js';
import { liveValues, staleState, structureOf } from './structure.js';

const config: RunConfig = {
  model: 'cnn',
  data: 'digits',
  provider: 'auto',
  optimizer: { name: 'adamw', options: {} },
  learningRate: 0.005,
  chain: [
    { key: 'a', name: 'norm-clip', options: { maxNorm: 1 } },
    { key: 'b', name: 'top-k', options: { ratio: 0.1 } },
    { key: 'c', name: 'norm-clip', options: {} },
  ],
  batchSize: 32,
  epochs: 10,
  seed: 0,
  watch: true,
};
const withChain = (chain: RunConfig['chain']): RunConfig => ({ ...config, chain });
const [a, b, c] = config.chain as [
  RunConfig['chain'][0],
  RunConfig['chain'][0],
  RunConfig['chain'][0],
];

test('a live setting changes no structure, all else does', () => {
  const of = structureOf(config);
  expect(structureOf({ ...config, learningRate: 1, batchSize: 8 })).toBe(of);
  expect(structureOf(withChain([{ ...a, options: { maxNorm: 9 } }, b, c]))).toBe(of);
  for (const other of [
    withChain([b, a, c]),
    withChain([a, b]),
    withChain([{ ...a, options: { per: 'tensor' } }, b, c]),
    withChain([a, { ...b, options: { ratio: 0.2 } }, c]),
    { ...config, optimizer: { name: 'sgd', options: {} } },
    { ...config, optimizer: { name: 'adamw', options: { beta1: 0.5 } } },
    { ...config, watch: false },
  ])
    expect(structureOf(other)).not.toBe(of);
  // A setting without a default is there only because it was given.
  const sgd = (options: RunConfig['optimizer']['options']) =>
    structureOf({ ...config, optimizer: { name: 'sgd', options } });
  expect(sgd({ momentum: 0.9 })).toBe(sgd({ momentum: 0.5 }));
  expect(sgd({ momentum: 0.9 })).not.toBe(sgd({}));
});

test('live values are named as the session names its settings', () => {
  expect([...liveValues(config)]).toEqual([
    ['learningRate', 0.005],
    ['adamw.weightDecay', 0.01],
    ['norm-clip.maxNorm', 1],
    ['norm-clip#2.maxNorm', 1],
  ]);
  expect(idsOf(config.chain)).toEqual({ a: 'norm-clip', b: 'top-k', c: 'norm-clip#2' });
});

test('state goes along where its owner is still the same', () => {
  const stale = staleState(config, withChain([b, { ...a, options: { maxNorm: 2 } }]));
  expect(stale('optimizer/momentum0/fc.weight')).toBe(false);
  expect(stale('parameter/fc.weight')).toBe(false);
  expect(stale('plugin/top-k.residual/fc.weight')).toBe(false);
  expect(stale('plugin/norm-clip#2.x')).toBe(true);
  const other = staleState(config, { ...config, optimizer: { name: 'sgd', options: {} } });
  expect(other('optimizer/momentum0/fc.weight')).toBe(true);
});

test('everything in the catalogue can be made with its defaults, or says what it wants', () => {
  for (const { name, options } of catalogue().plugins) {
    expect(pluginFactories.has(name)).toBe(true);
    for (const { kind, choices } of options) expect(kind === 'choice').toBe(choices.length > 0);
    const inner = options.some(({ kind }) => kind === 'plugin');
    const needs: Record<string, object> = { 'value-clip': { max: 1 }, normalize: { norm: 1 } };
    const choice = { key: name, name, options: (needs[name] ?? {}) as Record<string, number> };
    const made = makeChain(
      [inner ? { ...choice, inner: { name: 'top-k', options: {} } } : choice],
      false,
    );
    expect(made.map((plugin) => plugin.name)).toEqual(['probe', name, 'probe']);
  }
  for (const { name } of catalogue().optimizers) {
    expect(optimizerFactories.has(name)).toBe(true);
    expect(makeOptimizer({ name, options: {} }).name).toBe(name);
  }
});

test('settings are numbers or schedules', () => {
  expect(readSetting(0.5)).toBe(0.5);
  expect(readSetting('Infinity')).toBe(Number.POSITIVE_INFINITY);
  const schedule = readSetting('linear(1, 0, 10)');
  expect(typeof schedule === 'function' && schedule(5)).toBeCloseTo(0.5);
  expect(() => readSetting('wobble(1)')).toThrow(/wobble/);
});

test('a GPU is taken where it is real', () => {
  const real = { usable: true, name: 'nvidia', software: false } as const;
  expect(decideProvider('auto', real).provider).toBe('webgpu');
  expect(decideProvider('auto', { ...real, software: true }).provider).toBe('wasm');
  expect(decideProvider('auto', { usable: false, reason: 'none' })).toEqual({
    provider: 'wasm',
    why: 'none',
  });
  expect(decideProvider('webgpu', { ...real, software: true }).provider).toBe('webgpu');
});
