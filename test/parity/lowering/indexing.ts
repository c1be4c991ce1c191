import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { elementCount, normalizeAxis } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, int64, type LoweringCase, type Reference } from '../../support/compare.js';

const random = generator(14);
const float = (shape: readonly number[]) => ({ type: 'float32', shape }) as const;
type Dims = readonly number[];

function indicesFor(dims: Dims, length: number, type: 'int32' | 'int64' = 'int64') {
  // Negative ones count from the end.
  const values = Array.from(random(...dims).data as Float32Array, (v) => Math.floor(v * length));
  return tensorOf(type, values, dims);
}

const gathered: readonly (readonly [Dims, Dims, number])[] = [
  [[5, 3], [4], 0],
  [[5, 3], [2, 3], 0],
  [[5, 3], [4], 1],
  [[2, 3, 4], [2, 2], 1],
  [[2, 3, 4], [5], -1],
  [[6], [3], 0],
  [[3, 4], [], 1],
];

const gather = gathered.flatMap(([shape, dims, axis]) =>
  (['int32', 'int64'] as const).flatMap((type): readonly LoweringCase[] => {
    const at = normalizeAxis(axis, shape.length);
    const indices = indicesFor(dims, shape[at] ?? 1, type);
    const picked = [...shape.slice(0, at), ...dims, ...shape.slice(at + 1)];
    return [
      {
        opType: 'GatherGrad',
        inputs: [int64(shape), indices, random(...picked)],
        attributes: { axis },
        constants: [0],
        outputs: [float(shape)],
      },
    ];
  }),
);

// By its schema it takes fewer than there are, along one axis.
const shrunken = (
  [
    [[5, 3], 4, 0],
    [[2, 3, 4], 2, 1],
    [[2, 3, 4], 3, -1],
  ] as const
).map(([shape, count, axis]): LoweringCase => {
  const at = normalizeAxis(axis, shape.length);
  const indices = int64(Array.from({ length: count }, (_, i) => count - 1 - i));
  return {
    opType: 'ShrunkenGather',
    inputs: [random(...shape), indices],
    attributes: { axis },
    outputs: [float(shape.map((dim, a) => (a === at ? count : dim)))],
  };
});

const manyEqual: LoweringCase = {
  opType: 'GatherGrad',
  inputs: [int64([3, 8]), int64(Array.from({ length: 2000 }, (_, i) => i % 3)), random(2000, 8)],
  constants: [0],
  outputs: [float([3, 8])],
  tolerance: 1e-5,
  note: 'many equal indices',
};

const elements = (
  [
    [[5, 3], [2, 3], 0],
    [[5, 3], [5, 6], 1],
    [[2, 3, 4], [2, 5, 4], -2],
  ] as const
).map(([shape, dims, axis]): LoweringCase => {
  const indices = indicesFor(dims, shape[normalizeAxis(axis, shape.length)] ?? 1);
  return {
    opType: 'GatherElementsGrad',
    inputs: [random(...dims), int64(shape), indices],
    attributes: { axis },
    constants: [1],
    outputs: [float(shape)],
  };
});

/** Adds each slice of dY where its index says. */
function gatherNDGrad(shape: Dims, indices: TensorData, dy: TensorData, batch: number): TensorData {
  const depth = indices.dims.at(-1) ?? 1;
  const slice = elementCount(shape.slice(batch + depth));
  const perBatch = elementCount(indices.dims.slice(batch, -1));
  const dx = Array<number>(elementCount(shape)).fill(0);
  for (let n = 0; n < elementCount(indices.dims.slice(0, -1)); n++) {
    let at = batch === 0 ? 0 : Math.floor(n / perBatch);
    for (let d = 0; d < depth; d++) {
      const size = shape[batch + d] ?? 1;
      at = at * size + ((Number(indices.data[n * depth + d]) + size) % size);
    }
    for (let i = 0; i < slice; i++)
      dx[at * slice + i] = (dx[at * slice + i] ?? 0) + Number(dy.data[n * slice + i]);
  }
  return tensorOf('float32', dx, shape);
}

const gatheredND: readonly (readonly [Dims, Dims, number])[] = [
  [[4, 3, 2], [5, 1], 0],
  [[4, 3, 2], [2, 2, 2], 0],
  [[4, 3, 2], [5, 3], 0],
  [[4, 3, 2], [4, 2, 1], 1],
  [[4, 3, 2], [4, 2, 2], 1],
  [[2, 3, 4, 2], [2, 3, 2, 1], 2],
  [[2, 3, 4, 2], [2, 3, 1], 2],
  [[2, 3, 4, 2, 2], [2, 3, 5, 2], 2],
];

const nd = gatheredND.map(([shape, dims, batch_dims]): LoweringCase => {
  const depth = dims.at(-1) ?? 1;
  const values = Array.from(random(...dims).data as Float32Array, (v, i) =>
    Math.floor(v * (shape[batch_dims + (i % depth)] ?? 1)),
  );
  const dy = random(...dims.slice(0, -1), ...shape.slice(batch_dims + depth));
  const indices = int64(values, dims);
  return {
    opType: 'GatherNDGrad',
    inputs: [int64(shape), indices, dy],
    attributes: { batch_dims },
    constants: [0],
    outputs: [float(shape)],
    reference: {
      by: 'definition',
      because: 'its kernel misreads the shape in wasm, where size_t has 4 bytes',
      outputs: [gatherNDGrad(shape, indices, dy, batch_dims)],
    },
  };
});

const far = 2 ** 40;
const sliced: readonly (readonly [Dims, Dims, Dims, Dims | undefined, Dims | undefined])[] = [
  [[2, 6, 7], [1], [3], [0], undefined],
  [[5, 4, 7], [-5], [-1], [1], undefined],
  [[5, 6, 3], [1], [far], [2], [2]],
  [
    [3, 6, 3],
    [0, 1],
    [far, far],
    [0, 2],
    [2, 2],
  ],
  [[5, 6, 7], [4], [-far], [0], [-1]],
  [[2, 3, 7], [3, 2], [far, 5], undefined, undefined],
  [[0, 6, 7], [3], [3], [0], undefined],
];

const slices = sliced.map(
  ([dims, starts, ends, axes, steps]): LoweringCase => ({
    opType: 'SliceGrad',
    inputs: [
      random(...dims),
      int64([5, 6, 7]),
      int64(starts),
      int64(ends),
      axes && int64(axes),
      steps && int64(steps),
    ],
    constants: [1, 2, 3, 4, 5],
    outputs: [float([5, 6, 7])],
    note: `${starts} to ${ends} by ${steps} along ${axes}`,
  }),
);

/** Every second row, and every second column from the last. */
function backwardSlice(): LoweringCase {
  const [dy, shape] = [random(3, 4), [5, 7]];
  const dx = Array<number>(35).fill(0);
  for (let i = 0; i < 12; i++) dx[Math.floor(i / 4) * 14 + 6 - (i % 4) * 2] = Number(dy.data[i]);
  return {
    opType: 'SliceGrad',
    inputs: [dy, int64(shape), int64([0, 6]), int64([5, -8]), int64([0, -1]), int64([2, -2])],
    constants: [1, 2, 3, 4, 5],
    outputs: [float(shape)],
    reference: {
      by: 'definition',
      because: 'its kernel refuses steps below -1',
      outputs: [tensorOf('float32', dx, shape)],
    },
  };
}

const splits = (
  [
    [[2, 3], -1, [1, 2]],
    [[6, 2], 0, [1, 2, 3]],
    [[9, 2], 0, Array<number>(9).fill(1)],
  ] as const
).map(
  ([shape, axis, sizes]): LoweringCase => ({
    opType: 'SplitTraining',
    inputs: [random(...shape), int64(sizes)],
    attributes: { axis },
    constants: [1],
    outputs: sizes.map((size) =>
      float(axis === 0 ? [size, ...shape.slice(1)] : [...shape.slice(0, -1), size]),
    ),
  }),
);

const concats = [0, 1, -1].map((axis): LoweringCase => {
  const parts = [random(2, 3), axis === 0 ? random(4, 3) : random(2, 5), random(2, 3)];
  const at = axis === 0 ? 0 : 1;
  const length = parts.reduce((sum, part) => sum + (part.dims[at] ?? 0), 0);
  return {
    opType: 'ConcatTraining',
    inputs: parts,
    attributes: { axis },
    outputs: [float(at === 0 ? [length, 3] : [2, length]), { type: 'int64', shape: [3] }],
  };
});

const noKernel = (...outputs: readonly TensorData[]): Reference => ({
  by: 'definition',
  because: 'its kernel is on CUDA only',
  outputs,
});

/** Rows without padding, and back. */
const padding = [
  [2, 3, 4],
  [3, 2, 2, 2],
  [2, 4],
].flatMap((shape): readonly LoweringCase[] => {
  const [first = 1, second = 1, ...rest] = shape;
  const width = elementCount(rest);
  const kept = [0, 2, 3, first * second - 1].filter((n, i, all) => all.indexOf(n) === i);
  const data = random(...shape);
  const rows = random(kept.length, ...rest);
  const taken = kept.flatMap((n) => [...data.data].slice(n * width, (n + 1) * width).map(Number));
  const padded = Array<number>(elementCount(shape)).fill(0);
  kept.forEach((n, i) => {
    for (let j = 0; j < width; j++) padded[n * width + j] = Number(rows.data[i * width + j]);
  });
  return [
    {
      opType: 'FlattenAndUnpad',
      inputs: [data, int64(kept)],
      outputs: [float(rows.dims), { type: 'int64', shape: [2] }],
      reference: noKernel(tensorOf('float32', taken, rows.dims), int64([first, second])),
    },
    {
      opType: 'PadAndUnflatten',
      inputs: [rows, int64(kept), int64([first, second])],
      constants: [2],
      outputs: [float(shape)],
      reference: noKernel(tensorOf('float32', padded, shape)),
    },
  ];
});

export const indexing: readonly LoweringCase[] = [
  ...gather,
  ...shrunken,
  manyEqual,
  ...elements,
  ...nd,
  ...slices,
  backwardSlice(),
  ...splits,
  ...concats,
  ...padding,
];
