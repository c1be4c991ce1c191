import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { elementCount } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, type LoweringCase, like, map } from '../../support/compare.js';

const random = generator(15);
const epsilon = 1e-5;

/** Mean and inverse standard deviation of every group of elements, a group being named by a number. */
function statistics(
  x: TensorData,
  dims: readonly number[],
  groupOf: (i: number) => number,
): readonly [TensorData, TensorData] {
  const values = Array.from(x.data as Float32Array);
  const groups = Array.from({ length: elementCount(dims) }, (_, group) => {
    const own = values.filter((_, i) => groupOf(i) === group);
    const mean = own.reduce((sum, v) => sum + v, 0) / own.length;
    const variance = own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length;
    return [mean, 1 / Math.sqrt(variance + epsilon)] as const;
  });
  return [
    tensorOf(
      'float32',
      groups.map(([mean]) => mean),
      dims,
    ),
    tensorOf(
      'float32',
      groups.map(([, invStd]) => invStd),
      dims,
    ),
  ];
}

const layers: readonly (readonly [readonly number[], number])[] = [
  [[4, 6], -1],
  [[2, 3, 4], -1],
  [[2, 3, 4], 1],
  [[2, 3, 4, 5], 2],
  [[2, 3, 4], 0],
];

const layerNorms = layers.flatMap(([shape, axis]): readonly LoweringCase[] => {
  const from = axis < 0 ? axis + shape.length : axis;
  const inner = elementCount(shape.slice(from));
  const x = map(random(...shape), (v) => v * 2 + 0.5);
  const dy = random(...shape);
  const [scale, bias] = [random(...shape.slice(from)), random(...shape.slice(from))];
  const [mean, invStd] = statistics(
    x,
    shape.map((dim, a) => (a < from ? dim : 1)),
    (i) => Math.floor(i / inner),
  );
  const groups = (i: number) => Math.floor(i / inner);
  const y = map(x, (v, i) => {
    const normalized = (v - Number(mean.data[groups(i)])) * Number(invStd.data[groups(i)]);
    return normalized * Number(scale.data[i % inner]) + Number(bias.data[i % inner]);
  });
  const shared = { attributes: { axis }, tolerance: 5e-6 };
  const outputs = [like(x), like(scale), like(scale)];
  return [
    {
      ...shared,
      opType: 'LayerNormalizationGrad',
      inputs: [dy, x, scale, mean, invStd],
      outputs,
    },
    {
      ...shared,
      opType: 'SimplifiedLayerNormalizationGrad',
      inputs: [dy, x, scale, invStd],
      outputs: outputs.slice(0, 2),
    },
    {
      ...shared,
      opType: 'InvertibleLayerNormalizationGrad',
      inputs: [dy, y, scale, bias, invStd],
      outputs,
      // Dividing by the scale magnifies the rounding of y, in the kernel as here.
      tolerance: 1e-4,
    },
  ];
});

const batches: readonly (readonly number[])[] = [
  [6, 3],
  [4, 3, 5],
  [2, 3, 4, 5],
  [2, 2, 3, 2, 4],
];

const batchNorms = batches.flatMap((shape): readonly LoweringCase[] => {
  const channels = shape[1] ?? 0;
  const inner = elementCount(shape.slice(2));
  const x = map(random(...shape), (v) => v * 2 + 0.5);
  const [scale, bias, mean] = [random(channels), random(channels), random(channels)];
  const variance = map(random(channels), (v) => v + 1.5);
  const one = like(scale);
  const inputs = [x, scale, bias, mean, variance];
  const [saved, invStd] = statistics(x, [channels], (i) => Math.floor(i / inner) % channels);
  const tolerance = 5e-6;
  return [
    ...[{}, { momentum: 0.75, epsilon: 1e-3 }].map((settings) => ({
      opType: 'BatchNormInternal',
      inputs,
      attributes: { ...settings, training_mode: 1 },
      outputs: [like(x), one, one, one, one],
      tolerance,
    })),
    {
      opType: 'BatchNormalization',
      inputs,
      attributes: { training_mode: 1 },
      outputs: [like(x), one, one],
      tolerance,
    },
    {
      opType: 'BatchNormalizationGrad',
      inputs: [random(...shape), x, scale, saved, invStd],
      attributes: { epsilon },
      outputs: [like(x), one, one],
      tolerance,
    },
  ];
});

const mask = tensorOf('bool', [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1], [3, 4]);
const number = (value: number) => tensorOf('float32', [value], []);
const truth = (value: boolean) => tensorOf('bool', [value ? 1 : 0], []);

/** The mask says it all: which numbers are drawn is another test. */
const dropouts = [
  { more: [], constants: [] },
  ...[0, 0.1, 0.5, 0.9].flatMap((ratio) =>
    [true, false].flatMap((training) =>
      [[2, 3], []].map((constants) => ({ more: [number(ratio), truth(training)], constants })),
    ),
  ),
].map(
  ({ more, constants }): LoweringCase => ({
    opType: 'DropoutGrad',
    inputs: [random(3, 4), mask, ...more],
    constants,
    outputs: [{ type: 'float32', shape: [3, 4] }],
    note: more.map(({ data }) => `${data}`).join(', '),
  }),
);

export const normalization: readonly LoweringCase[] = [...layerNorms, ...batchNorms, ...dropouts];
