import { expect, test } from 'vitest';
import { nodeRuntime } from '../node.js';
import type { Graph } from '../onnx/ir.js';
import { createShapeOracle } from './shape-oracle.js';

const graphOf = (opType: string, inputs: readonly string[]): Graph => ({
  name: 'one node',
  nodes: [{ name: 'n', opType, domain: '', inputs, outputs: ['y'], attributes: {} }],
  inputs: [{ name: 'x', type: 'float64', shape: [2] }],
  outputs: [{ name: 'y', type: 'float64', shape: [2] }],
  initializers: new Map(),
  valueInfo: new Map(),
});

const oracle = createShapeOracle(nodeRuntime);

test('types without a kernel are no fault of the model', async () => {
  await expect(oracle.inference(graphOf('Erf', ['x']))).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    problem: expect.stringContaining('no kernel of Erf'),
  });
});

test('a wrong number of inputs is one', async () => {
  await expect(oracle.inference(graphOf('Add', ['x']))).rejects.toMatchObject({
    code: 'INVALID_MODEL',
  });
});

test('an ONNX Runtime that cannot be loaded is none either', async () => {
  const message =
    'no available backend found. ERR: [wasm] CompileError: expected magic word 00 61 73 6d, found 3c 21 64 6f';
  const create = () => Promise.reject(new Error(message));
  const broken = createShapeOracle({ ...nodeRuntime, InferenceSession: { create } });
  await expect(broken.inference(graphOf('Erf', ['x']))).rejects.toMatchObject({
    code: 'RUNTIME',
    remedy: expect.stringContaining('env.wasm.wasmPaths'),
  });
});
