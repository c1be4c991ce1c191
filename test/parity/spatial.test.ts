import { expect, test } from 'vitest';
import { GradwareError } from '../../packages/core/src/errors.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import type { Loss } from '../../packages/core/src/losses/loss.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { relativeDistance } from '../support/check-gradients.js';
import { modelWriter } from '../support/forward-models.js';
import { modelGradients, type Tensors } from '../support/model-gradients.js';
import { below, golden } from './golden.js';

const arrays = golden('spatial.npz');

interface Layer {
  readonly opType: string;
  readonly opset: number;
  readonly inputs: readonly string[];
  readonly attributes?: Attributes;
  /** Beside what PyTorch's function takes. */
  readonly constants?: Tensors;
}

function modelOf({ opType, opset, inputs, attributes, constants }: Layer, given: Tensors): Model {
  const { add, model } = modelWriter();
  add(opType, inputs, attributes, 'logits');
  const { graph, ...rest } = model([], given.get('output')?.dims ?? [], 'logits');
  const declared = inputs.flatMap((name) => {
    const tensor = given.get(name);
    return tensor ? [{ name, type: 'float32' as const, shape: tensor.dims }] : [];
  });
  return {
    ...rest,
    opsets: new Map([['', opset]]),
    graph: { ...graph, inputs: declared, initializers: constants ?? new Map() },
  };
}

/** Σ output · weights. */
const weighed: Loss = {
  name: 'weighed',
  build: ({ op, predictions, target }) =>
    op.sum(op.Mul(predictions[0], target('weights', 'float32', predictions[0]?.shape ?? []))),
};

async function expectGradients(name: string, layer: Layer): Promise<void> {
  const own = below(arrays, name);
  const wanted = [...own].filter(([key]) => key.endsWith('_grad'));
  expect(wanted.length).toBeGreaterThan(0);
  const leaves = wanted.map(([key]) => key.slice(0, -'_grad'.length));
  const { loss, gradients } = await modelGradients(modelOf(layer, own), own, weighed, leaves);
  const [output, weights] = ['output', 'weights'].map((key) => own.get(key)?.data as Float32Array);
  const exact = output?.reduce((sum, y, i) => sum + y * (weights?.[i] ?? 0), 0) ?? 0;
  expect(loss).toBeCloseTo(exact, 4);
  for (const [key, gradient] of wanted) {
    const ours = gradients.get(key.slice(0, -'_grad'.length)) as TensorData;
    expect(ours.dims).toEqual(gradient.dims);
    expect(relativeDistance(ours, gradient), key).toBeLessThan(1e-5);
  }
}

const names = [...new Set([...arrays.keys()].map((key) => key.split('/')[0] as string))];
const sampledNames = names.filter((name) => /^(plane|volume|pixels)-/.test(name));
const affine = names.filter((name) => name.startsWith('affine-'));

test('there are goldens for every mode', () => {
  expect([sampledNames.length, affine.length]).toEqual([36, 4]);
});

/** The modes as opset 16 names them, and as opset 20 does. */
const forms = sampledNames.flatMap((name) => {
  const [, mode = '', padding_mode, corners] = name.split('-');
  const attributes = { padding_mode, align_corners: corners === 'corners' ? 1 : 0 };
  const later = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic' }[mode];
  return [
    ...(name.startsWith('volume')
      ? []
      : [{ name, opset: 16, attributes: { ...attributes, mode } }]),
    { name, opset: 20, attributes: { ...attributes, mode: later } },
  ];
});

test.each(forms)('GridSample of opset $opset has the gradients of $name', async (form) => {
  const { name, opset, attributes } = form;
  await expectGradients(name, {
    opType: 'GridSample',
    opset,
    inputs: ['image', 'grid'],
    attributes,
  });
});

test.each(affine)('AffineGrid has the gradients of %s', async (name) => {
  const output = below(arrays, name).get('output')?.dims ?? [];
  const size = [output[0] ?? 0, 1, ...output.slice(1, -1)];
  await expectGradients(name, {
    opType: 'AffineGrid',
    opset: 20,
    inputs: ['theta', 'size'],
    attributes: { align_corners: name.endsWith('corners') ? 1 : 0 },
    constants: new Map([['size', tensorOf('int64', size)]]),
  });
});

test('Col2Im has the gradients of fold', async () => {
  const sizes = { image: tensorOf('int64', [6, 7]), block: tensorOf('int64', [2, 3]) };
  await expectGradients('fold', {
    opType: 'Col2Im',
    opset: 18,
    inputs: ['x', 'image', 'block'],
    attributes: { dilations: [2, 1], pads: [1, 2, 1, 2], strides: [1, 2] },
    constants: new Map(Object.entries(sizes)),
  });
});

test('MaxUnpool has the gradients of max_unpool2d', async () => {
  const { dims, data } = below(arrays, 'unpool').get('indices') as TensorData;
  const indices = tensorOf('int64', Array.from(data as Float32Array), dims);
  await expectGradients('unpool', {
    opType: 'MaxUnpool',
    opset: 11,
    inputs: ['x', 'places'],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    constants: new Map([['places', indices]]),
  });
});

const image = { type: 'float32', dims: [1, 1, 3, 3], data: new Float32Array(9).fill(1) } as const;

function gridOf(...numbers: readonly number[]): TensorData {
  return { type: 'float32', dims: [1, 1, numbers.length / 2, 2], data: Float32Array.from(numbers) };
}

function sampled(attributes: Attributes, grid: TensorData) {
  const [, height = 0, width = 0] = grid.dims;
  const output = tensorOf('float32', Array(height * width).fill(1), [1, 1, height, width]);
  const given = new Map<string, TensorData>([
    ['image', image],
    ['grid', grid],
    ['output', output],
  ]);
  const layer = { opType: 'GridSample', opset: 20, inputs: ['image', 'grid'], attributes };
  const data = new Map([...given, ['weights', output]] as const);
  return modelGradients(modelOf(layer, given), data, weighed, ['image', 'grid']);
}

test.each([
  [{ mode: 'bilinear' }, /mode "bilinear"/],
  [{ padding_mode: 'wrap' }, /padding.mode "wrap"/],
])('GridSample with %o is refused', async (attributes, message) => {
  await expect(sampled(attributes, gridOf(0, 0))).rejects.toThrow(message);
  await expect(sampled(attributes, gridOf(0, 0))).rejects.toBeInstanceOf(GradwareError);
});

test.each(['zeros', 'border', 'reflection'])(
  'places that are no numbers give none, with %s',
  async (padding_mode) => {
    for (const mode of ['linear', 'cubic']) {
      const { loss, gradients } = await sampled({ mode, padding_mode }, gridOf(Number.NaN, 0));
      expect(loss).toBeNaN();
      const found = Array.from(gradients.get('image')?.data as Float32Array);
      expect(found.some(Number.isNaN)).toBe(true);
      const far = await sampled({ mode, padding_mode }, gridOf(1e30, -1e30, 0, 0));
      expect(far.loss).toBeCloseTo(padding_mode === 'zeros' ? 1 : 2, 5);
    }
  },
);
