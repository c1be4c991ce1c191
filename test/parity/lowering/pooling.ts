import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { windowOf } from '../../../packages/core/src/graph/shapes/compute.js';
import { type Attributes, toAttributes } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, type LoweringCase, like, map } from '../../support/compare.js';
import { runOracleNode } from '../../support/ort-training.js';

const random = generator(18);

interface Pooling {
  readonly x: readonly number[];
  readonly attributes: Attributes & { readonly kernel_shape: readonly number[] };
}

const poolings: readonly Pooling[] = [
  { x: [2, 3, 6, 8], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { x: [2, 3, 7, 5], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { x: [2, 3, 9, 9], attributes: { kernel_shape: [3, 3], strides: [3, 3] } },
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [3, 3], strides: [2, 2] } },
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [3, 2] } },
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
  { x: [2, 3, 6, 6], attributes: { kernel_shape: [2, 3], strides: [2, 1], pads: [0, 1, 1, 2] } },
  { x: [2, 3, 9], attributes: { kernel_shape: [2], strides: [2] } },
  { x: [2, 3, 9], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
  { x: [2, 2, 4, 4, 6], attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] } },
  { x: [2, 3, 7, 9], attributes: { kernel_shape: [2, 2], strides: [3, 2], pads: [1, 0, 0, 1] } },
];

const withExtras: readonly Pooling[] = [
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 } },
  { x: [2, 3, 7, 7], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [2, 2], strides: [1, 2], dilations: [2, 3] } },
  {
    x: [2, 3, 7, 8],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_LOWER' },
  },
];

function windowAt({ x, attributes }: Pooling) {
  return windowOf(toAttributes(attributes), x.slice(2), attributes.kernel_shape);
}

function pooled(pooling: Pooling): readonly number[] {
  return [...pooling.x.slice(0, 2), ...windowAt(pooling).output];
}

/** What ORT's kernel makes of the indices of its own pooling, which are flat over the whole tensor. */
async function maxPoolGrad(
  dy: TensorData,
  x: TensorData,
  attributes: Attributes,
): Promise<readonly (TensorData | undefined)[]> {
  const [, indices] = await runOracleNode({
    opType: 'MaxPool',
    inputs: [x],
    attributes,
    outputs: [{ type: 'float32' }, { type: 'int64' }],
  });
  return runOracleNode({ opType: 'MaxPoolGrad', inputs: [dy, indices], outputs: [like(x)] });
}

function maxPool(pooling: Pooling): LoweringCase {
  // Few different values, so that windows have ties: the first one gets the gradient.
  const x = map(random(...pooling.x), (v) => Math.round(v * 2));
  const dy = random(...pooled(pooling));
  const { storage_order, ...rowMajor } = pooling.attributes;
  const ask = () => maxPoolGrad(dy, x, rowMajor);
  const twin = { by: 'its kernel with row-major indices', because: 'it takes all for such' };
  return {
    opType: 'MaxPoolGrad',
    inputs: [dy, x],
    outputs: [like(x)],
    ...(storage_order === 1 ? { reference: { ...twin, outputs: ask } } : { oracle: ask }),
    note: JSON.stringify(pooling.attributes),
    before: (builder, [gradient, image]) => {
      const made = builder.emit('MaxPool', [image], toAttributes(pooling.attributes));
      return [gradient, made[1]].filter((value) => value !== undefined);
    },
  };
}

const columnMajor: readonly Pooling[] = [
  { x: [2, 3, 6, 8], attributes: { kernel_shape: [2, 2], strides: [2, 2], storage_order: 1 } },
  { x: [2, 3, 7, 8], attributes: { kernel_shape: [3, 3], strides: [2, 2], storage_order: 1 } },
];

const maxima = [...poolings, ...withExtras, ...columnMajor].map(maxPool);

/** dX of an average pooling from its definition. */
function averagePoolGrad(dy: TensorData, pooling: Pooling): TensorData {
  const { x, attributes } = pooling;
  const { kernel, strides, dilations, pads, output } = windowAt(pooling);
  const spatial = x.slice(2);
  const strideOf = (dims: readonly number[], i: number) =>
    dims.slice(i + 1).reduce((product, dim) => product * dim, 1);
  const all = (dims: readonly number[]): number[][] =>
    dims.reduce<number[][]>(
      (list, dim) => list.flatMap((at) => Array.from({ length: dim }, (_, i) => [...at, i])),
      [[]],
    );
  const dx = new Float64Array(x.reduce((product, dim) => product * dim, 1));
  const [planes, size] = [(x[0] ?? 1) * (x[1] ?? 1), spatial.reduce((a, b) => a * b, 1)];
  const include = attributes.count_include_pad === 1;
  for (const at of all(output)) {
    const inside = all(kernel)
      .map((k) =>
        k.map(
          (o, i) => (at[i] ?? 0) * (strides[i] ?? 1) + o * (dilations[i] ?? 1) - (pads[i] ?? 0),
        ),
      )
      .filter((p) =>
        p.every((v, i) => {
          const end = (spatial[i] ?? 0) + (include ? (pads[i + kernel.length] ?? 0) : 0);
          return v < end && (include || v >= 0);
        }),
      );
    const from = at.reduce((sum, v, i) => sum + v * strideOf(output, i), 0);
    for (const p of inside) {
      if (!p.every((v, i) => v >= 0 && v < (spatial[i] ?? 0))) continue;
      const to = p.reduce((sum, v, i) => sum + v * strideOf(spatial, i), 0);
      for (let plane = 0; plane < planes; plane++) {
        const places = output.reduce((a, b) => a * b, 1);
        dx[plane * size + to] =
          (dx[plane * size + to] ?? 0) + Number(dy.data[plane * places + from]) / inside.length;
      }
    }
  }
  return tensorOf('float32', Array.from(dx), x);
}

const averages = [0, 1].flatMap((count_include_pad) =>
  poolings
    .filter(({ x }) => x.length < 5)
    .map(({ x, attributes }): LoweringCase => {
      const pooling = { x, attributes: { ...attributes, count_include_pad } };
      const { pads, strides } = windowAt(pooling);
      return {
        opType: 'AveragePoolGrad',
        inputs: [random(...pooled(pooling))],
        // The kernel reads pads and strides without their defaults.
        attributes: { ...pooling.attributes, pads, strides },
        outputs: [{ type: 'float32', shape: x }],
      };
    }),
);

const cubes: readonly Pooling[] = [
  { x: [1, 2, 4, 5, 4], attributes: { kernel_shape: [2, 3, 2] } },
  { x: [2, 2, 4, 4, 6], attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] } },
];

const byDefinition = [...withExtras, ...cubes].map((pooling): LoweringCase => {
  const dy = random(...pooled(pooling));
  return {
    opType: 'AveragePoolGrad',
    inputs: [dy],
    attributes: pooling.attributes,
    outputs: [{ type: 'float32', shape: pooling.x }],
    reference: {
      by: 'definition',
      because: 'its kernel ignores ceil_mode, dilations and auto_pad, and is wrong in 3-D',
      outputs: () => [averagePoolGrad(dy, pooling)],
    },
  };
});

export const pooling: readonly LoweringCase[] = [...maxima, ...averages, ...byDefinition];
