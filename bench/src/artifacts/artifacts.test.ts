import { expect, test } from 'vitest';
import { compare, render } from './suite.js';

test("ONNX Runtime's own runtime and both of our doors train the same artifacts", async () => {
  const comparison = await compare(8, { steps: 2, rounds: 1, warmup: 0, pause: 0 });
  expect([...comparison.figures.keys()]).toHaveLength(5);
  expect([...comparison.figures.values()].every(({ median }) => median > 0)).toBe(true);
  expect(comparison.ratios.map(({ door }) => door)).toEqual(['cpu', 'wasm']);
  const environment = {
    ...{ gradware: '0', onnxruntime: '0', node: '0', system: 'none', processor: 'none' },
    ...{ cores: 1, threads: 1, pytorch: undefined, blas: undefined },
  };
  const text = render(comparison, environment);
  for (const name of ['ONNX Runtime 1.19.2, wasm', 'Gradware, cpu', 'Gradware, wasm, 2 steps'])
    expect(text).toContain(name);
}, 60_000);
