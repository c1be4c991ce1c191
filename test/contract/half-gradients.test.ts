import { valueClip } from '@gradware/plugin-value-clip';
import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import type { GradientPlugin } from '../../packages/core/src/index.js';
import { TrainingSession } from '../../packages/core/src/node.js';
import { fromFloat16, toFloat16 } from '../../packages/core/src/onnx/float16.js';
import type { Model } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { tensorOf } from '../../packages/core/src/testing.js';
import { loadPlugins } from '../support/plugins.js';

// Weights, and so gradients, of a model that was exported in float16. It ends in float32, as such models do.

const wave = (length: number, scale = 1) =>
  Array.from({ length }, (_, i) => Math.sin(i * 1.7) * scale);

function halfModel(): Uint8Array {
  const node = (opType: string, inputs: string[], outputs: string[], attributes = {}) => ({
    ...{ name: opType, opType, domain: '', inputs, outputs, attributes },
  });
  const model: Model = {
    graph: {
      name: 'half',
      nodes: [
        node('MatMul', ['x', 'w'], ['h']),
        node('Add', ['h', 'b'], ['s']),
        node('Cast', ['s'], ['y'], { to: { type: 'int', value: 1 } }),
      ],
      inputs: [{ name: 'x', type: 'float16', shape: ['n', 6] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', 10] }],
      initializers: new Map([
        ['w', tensorOf('float16', wave(60, 0.5), [6, 10])],
        ['b', tensorOf('float16', wave(10, 0.5))],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
  return encodeModel(model);
}

async function trained(plugins: readonly GradientPlugin[], scale = 1): Promise<readonly number[]> {
  const options = { loss: 'mse', learningRate: 0.1, seed: 1 } as const;
  const session = await TrainingSession.create(halfModel(), { ...options, plugins });
  for (let k = 0; k < 3; k++)
    await session.step({
      x: new Tensor('float16', Uint16Array.from(wave(24, k + 1), toFloat16), [4, 6]),
      target: new Tensor('float32', Float32Array.from(wave(40, 2 * scale)), [4, 10]),
    });
  const { data } = await session.getParameter('w');
  await session.release();
  return Array.from(data as ArrayLike<number>, fromFloat16);
}

function expectNear(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  const apart = found.map((w, i) => Math.abs(w - (wanted[i] as number)));
  expect(Math.max(...apart)).toBeLessThan(2e-3);
}

const needed: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'error-feedback': { compressor: valueClip({ max: 0.01 }) },
  freeze: { include: 'b' },
  'skip-nonfinite': { stopAfter: 1 },
  'top-k': { ratio: 0.5, exactUpTo: 0 },
  'value-clip': { ofLargest: 0.5 },
};

const plugins = await loadPlugins();
const before = await trained([]);

test.each(plugins)('$name takes gradients in float16', async ({ name, make }) => {
  const found = await trained([make(needed[name])]);
  expect(found.length).toBe(60);
  expect(found.every(Number.isFinite)).toBe(true);
  expect(found).not.toEqual(wave(60, 0.5).map((w) => fromFloat16(toFloat16(w))));
});

test('a host plugin sees gradients in float16 as float32', async () => {
  const seen = new Set<string>();
  const half: GradientPlugin = {
    name: 'half',
    transformHost: (gradients) =>
      gradients.map((gradient) => {
        seen.add(gradient.data.constructor.name);
        return { ...gradient, data: gradient.data.map((x) => x / 2) };
      }),
  };
  const same: GradientPlugin = {
    name: 'same',
    transform: (gradients, { op }) =>
      gradients.map((g) => op.Mul(g, op.cast(op.scalar(0.5), g.type))),
  };
  // Without the cut, ONNX Runtime rounds less often.
  expectNear(await trained([half]), await trained([same]));
  expect([...seen]).toEqual(['Float32Array']);
});

test('a scale beyond float16 does not turn gradients into zeros', async () => {
  const lossScale = plugins.find(({ name }) => name === 'loss-scale');
  // 65536 is infinite in float16.
  const found = await trained([lossScale?.make({ initialScale: 65536 }) as GradientPlugin]);
  expectNear(found, before);
});
