import { expect, test } from 'vitest';
import { createBuilder } from '../../packages/core/src/graph/builder.js';
import { uniform, uniformReference } from '../../packages/core/src/graph/random.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { run } from '../support/lowering.js';

test.each([
  [[]],
  [[1]],
  [[0, 3]],
  [[7]],
  [[101]],
  [[64, 10]],
  [[3, 5, 7]],
  [[10007]],
  [[128, 300]],
])('a graph of shape %j gives the bits of the reference', async (shape) => {
  for (const [seed, step, key] of [
    [1, 0, 'a'],
    [0xffffffff, 2 ** 31 - 1, 'norm/weight:0'],
    [123456789, 42, ''],
  ] as const) {
    const builder = createBuilder();
    const seedValue = builder.declare({ name: 'seed', type: 'uint32', shape: [] });
    const stepValue = builder.declare({ name: 'step', type: 'int32', shape: [] });
    const y = uniform(builder.op, { shape, seed: seedValue, step: stepValue, key });
    const feeds = new Map<string, TensorData>([
      ['seed', { type: 'uint32', dims: [], data: Uint32Array.of(seed) }],
      ['step', { type: 'int32', dims: [], data: Int32Array.of(step) }],
    ]);
    const results = await run(builder, builder.nodes, feeds, [y.name]);
    expect(results.get(y.name)?.dims).toEqual(shape);
    expect(results.get(y.name)?.data).toEqual(uniformReference({ shape, seed, step, key }));
  }
});
