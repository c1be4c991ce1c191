import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { windowOf } from '../../packages/core/src/graph/shapes/compute.js';
import { type Attributes, toAttribute } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { compare, generator, like } from '../support/compare.js';
import { convGradient } from '../support/conv-gradient.js';
import { runLowered } from '../support/lowering.js';
import { runOracleNode } from '../support/ort-training.js';

const random = generator(13);

interface Geometry {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Attributes;
}

const geometries: readonly Geometry[] = [
  { x: [2, 3, 6, 6], w: [4, 3, 3, 3] },
  { x: [2, 3, 6, 7], w: [4, 3, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { x: [2, 3, 6, 7], w: [4, 3, 2, 3], attributes: { pads: [0, 1, 2, 1] } },
  { x: [2, 3, 8, 9], w: [4, 3, 3, 3], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
  { x: [2, 3, 8, 9], w: [4, 3, 3, 2], attributes: { strides: [3, 2], pads: [0, 1, 1, 0] } },
  { x: [2, 3, 9, 9], w: [4, 3, 3, 3], attributes: { dilations: [2, 2], pads: [2, 1, 0, 1] } },
  { x: [2, 3, 9, 9], w: [4, 3, 3, 3], attributes: { dilations: [2, 1], strides: [2, 3] } },
  { x: [2, 3, 7, 7], w: [4, 3, 5, 5], attributes: { pads: [2, 2, 2, 2] } },
  { x: [3, 4, 5, 5], w: [6, 4, 1, 1] },
  { x: [3, 4, 5, 5], w: [6, 4, 1, 1], attributes: { strides: [2, 2] } },
  { x: [2, 4, 6, 6], w: [6, 2, 3, 3], attributes: { group: 2, pads: [1, 1, 1, 1] } },
  {
    x: [2, 4, 7, 6],
    w: [6, 2, 3, 3],
    attributes: { group: 2, strides: [2, 2], dilations: [1, 2] },
  },
  { x: [2, 4, 6, 6], w: [4, 1, 3, 3], attributes: { group: 4, pads: [1, 1, 1, 1] } },
  {
    x: [2, 4, 7, 8],
    w: [4, 1, 3, 3],
    attributes: { group: 4, strides: [2, 2], pads: [1, 0, 0, 1] },
  },
  { x: [2, 4, 6, 6], w: [8, 1, 3, 3], attributes: { group: 4 } },
  { x: [2, 3, 10], w: [4, 3, 3] },
  { x: [2, 3, 10], w: [4, 3, 3], attributes: { strides: [2], pads: [2, 1], dilations: [2] } },
  { x: [2, 4, 10], w: [4, 1, 4], attributes: { group: 4, pads: [1, 2] } },
  { x: [2, 2, 5, 4, 6], w: [3, 2, 2, 2, 2], attributes: { pads: [1, 0, 0, 0, 1, 1] } },
  { x: [1, 2, 5, 5, 6], w: [3, 2, 3, 2, 2], attributes: { strides: [2, 1, 2] } },
  // Many channels: both gradients take other forms.
  { x: [2, 32, 6, 7], w: [33, 32, 3, 3], attributes: { pads: [1, 2, 0, 1] } },
  { x: [2, 33, 7, 7], w: [32, 33, 3, 2], attributes: { dilations: [2, 1], pads: [2, 1, 1, 0] } },
  { x: [2, 32, 9], w: [32, 32, 3], attributes: { pads: [4, 1] } },
  { x: [2, 16, 6, 7], w: [4, 16, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { x: [2, 17, 8, 9], w: [4, 17, 3, 2], attributes: { strides: [3, 2], pads: [0, 1, 1, 0] } },
  { x: [2, 16, 9, 9], w: [4, 16, 3, 3], attributes: { dilations: [2, 1], pads: [2, 1, 0, 1] } },
  { x: [3, 16, 5, 5], w: [6, 16, 1, 1], attributes: { strides: [2, 2] } },
  { x: [2, 16, 10], w: [4, 16, 3], attributes: { strides: [2], pads: [2, 1] } },
  { x: [1, 16, 4, 3, 4], w: [3, 16, 2, 2, 2], attributes: { strides: [2, 1, 1] } },
];

function windowAt({ x, w, attributes = {} }: Geometry) {
  const plain = Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, toAttribute(name, value)] as const],
  );
  return windowOf(Object.fromEntries(plain), x.slice(2), w.slice(2));
}

function inputsFor(geometry: Geometry): readonly [TensorData, TensorData, TensorData] {
  const { output } = windowAt(geometry);
  const dy = random(geometry.x[0] ?? 0, geometry.w[0] ?? 0, ...output);
  return [dy, random(...geometry.x), random(...geometry.w)];
}

describe('ConvGrad', () => {
  test.each(geometries)('x $x, w $w, $attributes', (geometry) => {
    const inputs = inputsFor(geometry);
    const window = windowAt(geometry);
    const { pads, strides, dilations } = window;
    const attributes = {
      kernel_shape: geometry.w.slice(2),
      pads,
      strides,
      dilations,
      group: 1,
      ...geometry.attributes,
    };
    const bias = { type: 'float32', shape: [geometry.w[0] ?? 0] } as const;
    const outputs = [like(inputs[1]), like(inputs[2]), bias];
    // Where there are not two spatial axes, ORT's kernel reads memory that is not its own, and hangs now and then.
    const reference = geometry.x.length !== 4 && {
      reference: convGradient(inputs, window, attributes.group as number),
    };
    const node = { opType: 'ConvGrad', inputs, attributes, outputs, tolerance: 3e-6 };
    return compare({ ...node, ...reference });
  });

  test('the definition agrees with ORT where its kernel can be trusted', async () => {
    const geometry = geometries.find(({ attributes }) => attributes?.group === 2) as Geometry;
    const inputs = inputsFor(geometry);
    const window = windowAt(geometry);
    const outputs = [like(inputs[1]), like(inputs[2]), { type: 'float32', shape: [6] } as const];
    const { pads, strides, dilations } = window;
    const attributes = { kernel_shape: [3, 3], pads, strides, dilations, group: 2 };
    const found = await runOracleNode({ opType: 'ConvGrad', inputs, attributes, outputs });
    convGradient(inputs, window, 2).forEach((wanted, i) => {
      const own = found[i]?.data as Float32Array;
      (wanted.data as Float32Array).forEach((value, at) => {
        expect(own[at]).toBeCloseTo(value, 4);
      });
    });
  });

  // ORT's kernel takes auto_pad for no padding: its explicit twin says what is right.
  test.each(['SAME_UPPER', 'SAME_LOWER', 'VALID'])('auto_pad %s', async (auto_pad) => {
    const strides = [2, 1];
    const geometry = { x: [2, 3, 7, 6], w: [4, 3, 3, 4], attributes: { auto_pad, strides } };
    const inputs = inputsFor(geometry);
    const { pads } = windowAt(geometry);
    const kernel_shape = [3, 4];
    const bias = { type: 'float32', shape: [4] } as const;
    const outputs = [like(inputs[1]), like(inputs[2]), bias];
    const explicit = { kernel_shape, strides, pads, dilations: [1, 1], group: 1 };
    const node = { opType: 'ConvGrad', inputs, outputs };
    const reference = await runOracleNode({ ...node, attributes: explicit });
    await compare({ ...node, attributes: { kernel_shape, strides, auto_pad }, reference });
  });

  test('groups in 3-D', async () => {
    const attributes = {
      kernel_shape: [2, 2, 2],
      strides: [2, 1, 2],
      pads: [0, 1, 0, 0, 0, 1],
      group: 2,
    };
    const geometry = { x: [1, 4, 5, 4, 5], w: [4, 2, 2, 2, 2], attributes };
    const inputs = inputsFor(geometry);
    await compare({
      opType: 'ConvGrad',
      inputs,
      attributes,
      outputs: [like(inputs[1]), like(inputs[2]), { type: 'float32', shape: [4] }],
      reference: convGradient(inputs, windowAt(geometry), 2),
    });
  });

  test('makes only what is asked for', async () => {
    const inputs = inputsFor({ x: [2, 3, 6, 6], w: [4, 3, 3, 3] });
    const { nodes } = await runLowered({
      opType: 'ConvGrad',
      inputs,
      outputs: [undefined, undefined, { type: 'float32', shape: [4] }],
    });
    expect(nodes.map((node) => node.opType)).toEqual(['ReduceSum']);
  });
});

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

function pooled({ x, attributes }: Pooling): readonly number[] {
  const w = [x[1] ?? 0, 1, ...attributes.kernel_shape];
  return [...x.slice(0, 2), ...windowAt({ x, w, attributes }).output];
}

describe('MaxPoolGrad', () => {
  // Few different values, so that windows have ties: the first one gets the gradient.
  test.each([...poolings, ...withExtras])('x $x, $attributes', async (pooling) => {
    const x = tensorOf(
      'float32',
      Array.from(random(...pooling.x).data as Float32Array, (v) => Math.round(v * 2)),
      pooling.x,
    );
    const shape = pooled(pooling);
    const [, indices] = await runOracleNode({
      opType: 'MaxPool',
      inputs: [x],
      attributes: pooling.attributes,
      outputs: [{ type: 'float32' }, { type: 'int64' }],
    });
    const dy = random(...shape);
    const outputs = [like(x)];
    const reference = await runOracleNode({
      opType: 'MaxPoolGrad',
      inputs: [dy, indices],
      outputs,
    });
    const plain = Object.entries(pooling.attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, toAttribute(name, value)] as const],
    );
    await compare({
      opType: 'MaxPoolGrad',
      inputs: [dy, x],
      outputs,
      reference,
      before: (builder, [gradient, image]) => {
        const made = builder.emit('MaxPool', [image], Object.fromEntries(plain));
        return [gradient, made[1]].filter((value) => value !== undefined);
      },
    });
  });
});

/** dX of an average pooling from its definition. */
function averagePoolGrad(dy: TensorData, { x, attributes }: Pooling): TensorData {
  const w = [x[1] ?? 0, 1, ...attributes.kernel_shape];
  const { kernel, strides, dilations, pads, output } = windowAt({ x, w, attributes });
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

describe('AveragePoolGrad', () => {
  const grid = [0, 1].flatMap((count_include_pad) =>
    poolings
      .filter(({ x }) => x.length < 5)
      .map(({ x, attributes }) => ({ x, attributes: { ...attributes, count_include_pad } })),
  );
  test.each(grid)('x $x, $attributes', (pooling) => {
    const dy = random(...pooled(pooling));
    const { pads, strides } = windowAt({
      x: pooling.x,
      w: [1, 1, ...pooling.attributes.kernel_shape],
      attributes: pooling.attributes,
    });
    // The kernel reads pads and strides without their defaults.
    const attributes = { ...pooling.attributes, pads, strides };
    const outputs = [{ type: 'float32' as const, shape: pooling.x }];
    return compare({ opType: 'AveragePoolGrad', inputs: [dy], attributes, outputs });
  });

  // ORT's kernel ignores ceil_mode, dilations and auto_pad, and is wrong in 3-D.
  const cubes: readonly Pooling[] = [
    { x: [1, 2, 4, 5, 4], attributes: { kernel_shape: [2, 3, 2] } },
    { x: [2, 2, 4, 4, 6], attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] } },
  ];
  test.each([...withExtras, ...cubes])('by definition: x $x, $attributes', (pooling) => {
    const dy = random(...pooled(pooling));
    const outputs = [{ type: 'float32' as const, shape: pooling.x }];
    const reference = [averagePoolGrad(dy, pooling)];
    const { attributes } = pooling;
    return compare({ opType: 'AveragePoolGrad', inputs: [dy], attributes, outputs, reference });
  });
});
