import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { compare, generator, int64 } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

const random = generator(14);

function indicesFor(dims: readonly number[], length: number, type: 'int32' | 'int64' = 'int64') {
  const values = Array.from(random(...dims).data as Float32Array, (v) => Math.floor(v * length));
  return tensorOf(type, values, dims);
}

describe('GatherGrad', () => {
  test.each([
    [[5, 3], [4], 0],
    [[5, 3], [2, 3], 0],
    [[5, 3], [4], 1],
    [[2, 3, 4], [2, 2], 1],
    [[2, 3, 4], [5], -1],
    [[6], [3], 0],
    [[3, 4], [], 1],
  ])('shape %j, indices %j, axis %i', async (shape, dims, axis) => {
    const at = axis < 0 ? axis + shape.length : axis;
    const dy = random(...shape.slice(0, at), ...dims, ...shape.slice(at + 1));
    for (const type of ['int32', 'int64'] as const) {
      // Negative ones count from the end.
      const indices = indicesFor(dims, shape[at] ?? 1, type);
      await compare({
        opType: 'GatherGrad',
        inputs: [int64(shape), indices, dy],
        attributes: { axis },
        constants: [0],
        outputs: [{ type: 'float32', shape }],
      });
    }
  });

  test('adds up many equal indices', () => {
    const dy = random(2000, 8);
    const indices = int64(Array.from({ length: 2000 }, (_, i) => i % 3));
    const outputs = [{ type: 'float32' as const, shape: [3, 8] }];
    return compare({
      opType: 'GatherGrad',
      inputs: [int64([3, 8]), indices, dy],
      constants: [0],
      outputs,
      tolerance: 1e-5,
    });
  });
});

describe('GatherElementsGrad', () => {
  test.each([
    [[5, 3], [2, 3], 0],
    [[5, 3], [5, 6], 1],
    [[2, 3, 4], [2, 5, 4], -2],
  ])('shape %j, indices %j, axis %i', (shape, dims, axis) => {
    const at = axis < 0 ? axis + shape.length : axis;
    const indices = indicesFor(dims, shape[at] ?? 1);
    return compare({
      opType: 'GatherElementsGrad',
      inputs: [random(...dims), int64(shape), indices],
      attributes: { axis },
      constants: [1],
      outputs: [{ type: 'float32', shape }],
    });
  });
});

/** Adds each slice of dY where its index says. */
function gatherNDGrad(
  shape: readonly number[],
  indices: TensorData,
  dy: TensorData,
  batch: number,
): TensorData {
  const depth = indices.dims.at(-1) ?? 1;
  const slice = elementCount(shape.slice(batch + depth));
  const perBatch = elementCount(indices.dims.slice(batch, -1));
  const dx = Array<number>(elementCount(shape)).fill(0);
  for (let n = 0; n < elementCount(indices.dims.slice(0, -1)); n++) {
    let at = batch === 0 ? 0 : Math.floor(n / perBatch);
    for (let d = 0; d < depth; d++)
      at = at * (shape[batch + d] ?? 1) + Number(indices.data[n * depth + d]);
    for (let i = 0; i < slice; i++)
      dx[at * slice + i] = (dx[at * slice + i] ?? 0) + Number(dy.data[n * slice + i]);
  }
  return tensorOf('float32', dx, shape);
}

// ORT's kernel measures the shape in units of size_t, which has half the length in wasm: by definition then.
describe('GatherNDGrad', () => {
  test.each([
    [[4, 3, 2], [5, 1], 0],
    [[4, 3, 2], [2, 2, 2], 0],
    [[4, 3, 2], [5, 3], 0],
    [[4, 3, 2], [4, 2, 1], 1],
    [[2, 3, 4, 2], [2, 3, 2, 1], 2],
  ])('shape %j, indices %j, batch_dims %i', (shape, dims, batch_dims) => {
    const depth = dims.at(-1) ?? 1;
    const values = Array.from(random(...dims).data as Float32Array, (v, i) =>
      Math.floor(((v + 1) / 2) * (shape[batch_dims + (i % depth)] ?? 1)),
    );
    const dy = random(...dims.slice(0, -1), ...shape.slice(batch_dims + depth));
    const indices = int64(values, dims);
    return compare({
      opType: 'GatherNDGrad',
      inputs: [int64(shape), indices, dy],
      reference: [gatherNDGrad(shape, indices, dy, batch_dims)],
      attributes: { batch_dims },
      constants: [0],
      outputs: [{ type: 'float32', shape }],
    });
  });
});

describe('SliceGrad', () => {
  const shape = [5, 6, 7];
  const far = 2 ** 40;
  test.each([
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
  ])('dy %j, starts %j, ends %j, axes %j, steps %j', (dims, starts, ends, axes, steps) =>
    compare({
      opType: 'SliceGrad',
      inputs: [
        random(...dims),
        int64(shape),
        int64(starts),
        int64(ends),
        axes && int64(axes),
        steps && int64(steps),
      ],
      constants: [1, 2, 3, 4, 5],
      outputs: [{ type: 'float32', shape }],
    }),
  );
});

// ORT's kernel refuses steps below -1: every second row, and every second column from the last.
test('SliceGrad with a step of -2', () => {
  const [dy, shape] = [random(3, 4), [5, 7]];
  const dx = Array<number>(35).fill(0);
  for (let i = 0; i < 12; i++) dx[Math.floor(i / 4) * 14 + 6 - (i % 4) * 2] = Number(dy.data[i]);
  return compare({
    opType: 'SliceGrad',
    inputs: [dy, int64(shape), int64([0, 6]), int64([5, -8]), int64([0, -1]), int64([2, -2])],
    constants: [1, 2, 3, 4, 5],
    outputs: [{ type: 'float32', shape }],
    reference: [tensorOf('float32', dx, shape)],
  });
});

test.each([
  [[2, 3], -1, [1, 2]],
  [[6, 2], 0, [1, 2, 3]],
  [[9, 2], 0, Array(9).fill(1) as number[]],
])('SplitTraining of %j along %i', (shape, axis, sizes) =>
  compare({
    opType: 'SplitTraining',
    inputs: [random(...shape), int64(sizes)],
    attributes: { axis },
    constants: [1],
    outputs: sizes.map((size) => ({
      type: 'float32' as const,
      shape: axis === 0 ? [size, ...shape.slice(1)] : [...shape.slice(0, -1), size],
    })),
  }),
);

test.each([0, 1, -1])('ConcatTraining along %i', (axis) => {
  const parts = [random(2, 3), axis === 0 ? random(4, 3) : random(2, 5), random(2, 3)];
  const at = axis === 0 ? 0 : 1;
  const length = parts.reduce((sum, part) => sum + (part.dims[at] ?? 0), 0);
  return compare({
    opType: 'ConcatTraining',
    inputs: parts,
    attributes: { axis },
    outputs: [
      { type: 'float32', shape: at === 0 ? [length, 3] : [2, length] },
      { type: 'int64', shape: [3] },
    ],
  });
});

test('the bounds of a differentiated Slice must be known', async () => {
  const dy = random(2);
  const node = runLowered({
    opType: 'SliceGrad',
    inputs: [dy, int64([elementCount([4])]), int64([1]), int64([3])],
    constants: [1],
    outputs: [{ type: 'float32', shape: [4] }],
  });
  await expect(node).rejects.toThrow('depend on data');
});
