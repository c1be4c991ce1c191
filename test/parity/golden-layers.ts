import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import type { Loss } from '../../packages/core/src/losses/loss.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { modelWriter } from '../support/forward-models.js';
import type { Tensors } from '../support/model-gradients.js';
import { below, golden } from './golden.js';

/** One op, and how inputs and constants come from a golden case of a function of PyTorch. */
export interface Layer {
  readonly opType: string;
  readonly opset: number;
  readonly inputs: readonly string[];
  readonly attributes?: Attributes;
  /** Beside what PyTorch's function takes. */
  readonly constants?: Tensors;
}

export interface GoldenLayer extends Layer {
  readonly name: string;
  readonly given: Tensors;
}

export function modelOf(layer: Layer, given: Tensors): Model {
  const { opType, opset, inputs, attributes, constants = new Map() } = layer;
  const { add, model } = modelWriter();
  add(opType, inputs, attributes, 'logits');
  const { graph, ...rest } = model([], given.get('output')?.dims ?? [], 'logits');
  const declared = inputs.flatMap((name) => {
    const tensor = constants.has(name) ? undefined : given.get(name);
    return tensor ? [{ name, type: 'float32' as const, shape: tensor.dims }] : [];
  });
  return {
    ...rest,
    opsets: new Map([['', opset]]),
    graph: { ...graph, inputs: declared, initializers: constants },
  };
}

/** Σ output · weights. */
export const weighed: Loss = {
  name: 'weighed',
  build: ({ op, predictions, target }) =>
    op.sum(op.Mul(predictions[0], target('weights', 'float32', predictions[0]?.shape ?? []))),
};

const [spatial, rare] = ['spatial.npz', 'rare.npz'].map(golden) as [Tensors, Tensors];

const casesOf = (arrays: Tensors, prefix: RegExp) =>
  [...new Set([...arrays.keys()].map((key) => key.split('/')[0] as string))]
    .filter((name) => prefix.test(name))
    .map((name) => ({ name, given: below(arrays, name), parts: name.split('-') }));

const counts = (...numbers: readonly number[]) => tensorOf('int64', numbers);
const number = (value: number) => tensorOf('int64', [value], []);
const constants = (named: Readonly<Record<string, TensorData>>) => new Map(Object.entries(named));

/** What PyTorch gives as whole numbers. */
function whole(given: Tensors, name: string): TensorData {
  const { dims, data } = given.get(name) as TensorData;
  return tensorOf('int64', Array.from(data as Float32Array), dims);
}

/** The modes as opset 16 names them, and as opset 20 does. */
const samples = casesOf(spatial, /^(plane|volume|pixels)-/).flatMap(({ name, given, parts }) => {
  const [, mode = '', padding_mode, corners] = parts;
  const settings = { padding_mode, align_corners: corners === 'corners' ? 1 : 0 };
  const later = { nearest: 'nearest', bilinear: 'linear', bicubic: 'cubic' }[mode];
  const sample = (opset: number, mode: string | undefined): GoldenLayer => {
    const attributes = { ...settings, mode };
    return { name, given, opType: 'GridSample', opset, inputs: ['image', 'grid'], attributes };
  };
  return [...(name.startsWith('volume') ? [] : [sample(16, mode)]), sample(20, later)];
});

const affine = casesOf(spatial, /^affine-/).map(({ name, given }): GoldenLayer => {
  const output = given.get('output')?.dims ?? [];
  return {
    ...{ name, given, opType: 'AffineGrid', opset: 20, inputs: ['theta', 'size'] },
    attributes: { align_corners: name.endsWith('corners') ? 1 : 0 },
    constants: constants({ size: counts(output[0] ?? 0, 1, ...output.slice(1, -1)) }),
  };
});

const folds = casesOf(spatial, /^fold$/).map(
  (each): GoldenLayer => ({
    ...each,
    ...{ opType: 'Col2Im', opset: 18, inputs: ['x', 'image', 'block'] },
    attributes: { dilations: [2, 1], pads: [1, 2, 1, 2], strides: [1, 2] },
    constants: constants({ image: counts(6, 7), block: counts(2, 3) }),
  }),
);

const unpools = casesOf(spatial, /^unpool$/).map(
  ({ name, given }): GoldenLayer => ({
    ...{ name, given, opType: 'MaxUnpool', opset: 11, inputs: ['x', 'places'] },
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    constants: constants({ places: whole(given, 'indices') }),
  }),
);

const aligned = casesOf(rare, /^align-/).map(
  ({ name, given, parts }): GoldenLayer => ({
    ...{ name, given, opType: 'RoiAlign', opset: 16, inputs: ['image', 'rois', 'owners'] },
    attributes: {
      ...{ output_height: 2, output_width: 3, spatial_scale: 0.75 },
      coordinate_transformation_mode: parts[1] === 'half' ? 'half_pixel' : 'output_half_pixel',
      sampling_ratio: Number(parts[2]),
    },
    constants: constants({ owners: whole(given, 'owners') }),
  }),
);

const pooled = casesOf(rare, /^pool-/).map(
  (each): GoldenLayer => ({
    ...each,
    ...{ opType: 'MaxRoiPool', opset: 11, inputs: ['image', 'rois'] },
    attributes: { pooled_shape: each.given.get('output')?.dims.slice(2) ?? [], spatial_scale: 0.8 },
  }),
);

const deformed = casesOf(rare, /^deform-/).map((each): GoldenLayer => {
  const plain = each.name === 'deform-plain';
  const optional = plain ? [] : ['bias', 'mask'];
  const attributes = {
    group: 2,
    offset_group: 2,
    strides: [2, 1],
    pads: [1, 2, 1, 2],
    dilations: [1, 2],
  };
  return {
    ...each,
    ...{ opType: 'DeformConv', opset: 19, inputs: ['image', 'filters', 'offset', ...optional] },
    attributes: plain ? {} : attributes,
  };
});

const framed = casesOf(rare, /^stft-/).map((each): GoldenLayer => {
  const plain = each.parts[1] === 'plain';
  return {
    ...each,
    ...{ opType: 'STFT', opset: 17 },
    inputs: plain ? ['signal', 'step', '', 'length'] : ['signal', 'step', 'window'],
    attributes: { onesided: each.parts.at(-1) === 'half' ? 1 : 0 },
    constants: constants({ step: number(plain ? 2 : 3), length: number(6) }),
  };
});

const transformed = casesOf(rare, /^dft-/).map((each): GoldenLayer => {
  const inverse = each.parts.includes('inverse');
  const real = each.parts.includes('real');
  return {
    ...each,
    ...{ opType: 'DFT', opset: 20, inputs: ['x', 'length'] },
    attributes: { inverse: inverse ? 1 : 0, onesided: real ? 1 : 0 },
    constants: constants({ length: number(real ? (inverse ? 7 : 8) : 5) }),
  };
});

const determinants = casesOf(rare, /^det/).map(
  (each): GoldenLayer => ({
    ...each,
    ...{ opType: 'Det', opset: 11, inputs: ['x'] },
  }),
);

const compressed = casesOf(rare, /^compress$/).map(
  (each): GoldenLayer => ({
    ...each,
    ...{ opType: 'Compress', opset: 11, inputs: ['x', 'chosen'], attributes: { axis: 1 } },
    constants: constants({ chosen: tensorOf('bool', [1, 0, 1, 1]) }),
  }),
);

const resizeForms: Readonly<Record<string, Attributes>> = {
  nearest: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  nearest_exact: { mode: 'nearest', nearest_mode: 'round_prefer_ceil' },
  bilinear: { mode: 'linear' },
  bicubic: { mode: 'cubic' },
  corners: { coordinate_transformation_mode: 'align_corners' },
  // As PIL: pixels outside do not count, and bicubic filters are flatter.
  antialias: { antialias: 1, exclude_outside: 1, cubic_coeff_a: -0.5 },
};

const resized = casesOf(rare, /^resize-/).map((each): GoldenLayer => {
  const [, mode = '', , form = ''] = each.parts;
  return {
    ...each,
    ...{ opType: 'Resize', opset: 18, inputs: ['x', '', '', 'sizes'] },
    attributes: { ...resizeForms[mode], ...resizeForms[form] },
    constants: constants({ sizes: counts(...(each.given.get('output')?.dims ?? [])) }),
  };
});

/** Single ops whose gradients are compared with PyTorch's; they make docs/OPERATORS.md. */
export const goldenLayers: readonly GoldenLayer[] = [
  ...samples,
  ...affine,
  ...folds,
  ...unpools,
  ...aligned,
  ...pooled,
  ...deformed,
  ...framed,
  ...transformed,
  ...determinants,
  ...compressed,
  ...resized,
];
