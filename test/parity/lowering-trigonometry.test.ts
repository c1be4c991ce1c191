import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { like } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

// In WebGPU these may be off by 5e-4: they are computed from products and sums instead.
async function lowered(opType: string, angles: TensorData) {
  const { outputs, nodes } = await runLowered({
    opType,
    inputs: [angles],
    outputs: [like(angles)],
    provider: 'webgpu',
  });
  expect(nodes.map((node) => node.opType)).not.toContain(opType);
  return Array.from((outputs[0] as TensorData).data as Float32Array);
}

test.each([
  ['Sin', Math.sin],
  ['Cos', Math.cos],
] as const)('%s of angles up to thirty turns', async (opType, exact) => {
  const angles = Float32Array.from({ length: 2001 }, (_, i) => (i - 1000) * 0.19);
  const found = await lowered(opType, tensorOf('float32', [...angles]));
  const errors = found.map((value, i) => Math.abs(value - exact(angles[i] as number)));
  // Beyond the first turn the angle itself is rounded: π/2 is added to one of 190 for a cosine.
  expect(Math.max(...errors)).toBeLessThan(opType === 'Sin' ? 1e-6 : 2e-5);
  const near = errors.filter((_, i) => Math.abs(angles[i] as number) < 2 * Math.PI);
  expect(Math.max(...near)).toBeLessThan(6e-7);
});

test.each(['Sin', 'Cos'])('%s of what is not finite', async (opType) => {
  const odd = tensorOf('float32', [Number.POSITIVE_INFINITY, Number.NaN]);
  expect(await lowered(opType, odd)).toEqual([Number.NaN, Number.NaN]);
});
