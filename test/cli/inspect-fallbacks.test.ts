import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Graph, Node } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from '../support/forward-models.js';
import { digits, gradware, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const inspect = (file: string, ...more: readonly string[]) =>
  gradware('inspect', file, '--provider', 'webgpu', ...more);

const float64 = 11;
const float32 = 1;

/** Halves the input in float64 before the layer that trains. */
function inDoubles() {
  const { weight, filled, add, model } = modelWriter();
  filled('half', [], 0.5);
  const [wide, half] = ['x', 'half'].map((name) => add('Cast', [name], { to: float64 }));
  const halved = add('Mul', [wide ?? '', half ?? '']);
  const narrow = add('Cast', [halved], { to: float32 });
  add('Gemm', [narrow, weight('w', [4, 3]), weight('b', [3])], {}, 'y');
  return model(['batch', 4], ['batch', 3]);
}

const node = (opType: string, inputs: readonly string[], outputs: readonly string[]): Node => ({
  ...{ name: opType, opType, domain: '', attributes: {} },
  ...{ inputs, outputs },
});

/** Doubles the input three times in a Loop before the layer that trains. */
function inLoop() {
  const { weight, ints, add, model } = modelWriter();
  const body: Graph = {
    name: 'body',
    nodes: [
      node('Identity', ['more'], ['more_out']),
      node('Add', ['state', 'state'], ['state_out']),
    ],
    inputs: [
      { name: 'turn', type: 'int64', shape: [] },
      { name: 'more', type: 'bool', shape: [] },
      { name: 'state', type: 'float32', shape: [null, 4] },
    ],
    outputs: [
      { name: 'more_out', type: 'bool', shape: [] },
      { name: 'state_out', type: 'float32', shape: [null, 4] },
    ],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  ints('trips', [3]);
  const looped = add('Loop', ['trips', '', 'x'], { body });
  add('Gemm', [looped, weight('w', [4, 3]), weight('b', [3])], {}, 'y');
  return model(['batch', 4], ['batch', 3]);
}

/** A second output in float64, which no step needs. */
function withDoubleOutput() {
  const { weight, add, model } = modelWriter();
  add('Gemm', ['x', weight('w', [4, 3]), weight('b', [3])], {}, 'y');
  const written = model(['batch', 4], ['batch', 3]);
  const { nodes, outputs } = written.graph;
  const wide: Node = {
    ...node('Cast', ['y'], ['wide']),
    name: 'only_evaluated',
    attributes: { to: { type: 'int', value: float64 } },
  };
  return {
    ...written,
    graph: {
      ...written.graph,
      nodes: [...nodes, wide],
      outputs: [...outputs, { name: 'wide', type: 'float64' as const, shape: ['batch', 3] }],
    },
  };
}

beforeAll(() => {
  writeFileSync(path('evaluated.onnx'), encodeModel(withDoubleOutput()));
  writeFileSync(path('doubles.onnx'), encodeModel(inDoubles()));
  writeFileSync(path('loop.onnx'), encodeModel(inLoop()));
});

test.each([
  ['a forward model', 'cnn.onnx'],
  ['artifacts', 'artifacts/cnn'],
])('inspect says that of %s nothing falls back on webgpu', async (_, name) => {
  const file = join(digits, name);
  const [told, listed] = await Promise.all([inspect(file), inspect(file, '--json')]);
  expect([told.code, told.stderr]).toEqual([0, '']);
  expect(told.stdout).toMatch(/\nOn webgpu nothing falls back to the CPU\.\n$/);
  expect(listed.events[0]).toMatchObject({ event: 'inspection', fallbacks: [], warnings: [] });
});

test('inspect names the nodes of float64, for which webgpu has no kernels', async () => {
  const [{ stdout }, { events }] = await Promise.all([
    inspect(path('doubles.onnx')),
    inspect(path('doubles.onnx'), '--json'),
  ]);
  expect(events[0]?.fallbacks).toEqual([
    { node: 'node_0', op: 'Cast', domain: '', reason: 'no kernel of Cast of float64' },
    { node: 'node_2', op: 'Mul', domain: '', reason: 'no kernel of Mul of float64' },
    { node: 'node_3', op: 'Cast', domain: '', reason: 'no kernel of Cast of float64' },
  ]);
  expect(stdout).toMatch(
    /\non webgpu these fall back to the CPU\n {2}Cast +node_0 +no kernel of Cast of float64\n/,
  );
});

test('inspect names a Loop that a step keeps', async () => {
  const { code, events } = await inspect(path('loop.onnx'), '--json', '--dim', 'batch=5');
  expect(code).toBe(0);
  expect(events[0]?.fallbacks).toEqual([
    { node: 'node_0', op: 'Loop', domain: '', reason: 'no kernel of Loop' },
  ]);
});

test.each([
  ['a forward model', 'cnn.onnx'],
  ['artifacts', 'artifacts/cnn'],
])(
  'inspect looks at the steps of %s as they are in half precision, with a chain',
  async (_, name) => {
    const args = ['--precision', 'float16', '--plugin', 'norm-clip:max-norm=1'];
    const { code, stdout, stderr } = await inspect(join(digits, name), ...args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/\nOn webgpu nothing falls back to the CPU\.\n$/);
  },
);

test('inspect looks at evaluations, too', async () => {
  const { events } = await inspect(path('evaluated.onnx'), '--json');
  expect(events[0]?.fallbacks).toEqual([
    { node: 'only_evaluated', op: 'Cast', domain: '', reason: 'no kernel of Cast of float64' },
  ]);
});

test('where no step can be laid out, the rest is told, and why that is not', async () => {
  const args = ['--freeze', '*'];
  const { code, stdout, stderr } = await inspect(path('loop.onnx'), ...args);
  expect(code).toBe(0);
  expect(stdout).toContain('It cannot be trained as it is: nothing in it trains.');
  expect(stderr).toMatch(/warning: .*on webgpu is not known\. Nothing in this model trains/);
  const { events } = await inspect(path('loop.onnx'), ...args, '--json');
  expect(events[0]).not.toHaveProperty('fallbacks');
});

test.each([
  [
    ['--provider', 'webgpu', '--dim', 'length=3'],
    /No input has an open dimension "length".*batch/s,
  ],
  [['--provider', 'webgpu', '--loss', 'mes'], /No loss is named "mes".*mse/s],
  [['--dim', 'batch=3'], /--dim says nothing without --provider/],
  [['--precision', 'float16'], /--precision says nothing without --provider/],
  [['--provider', 'webgpu', '--plugin', 'norm-clup'], /norm-clup/],
  [['--provider', 'cuda'], /Allowed choices are webgpu/],
])('inspect refuses %s', async (args, message) => {
  const { code, stdout, stderr } = await gradware('inspect', path('loop.onnx'), ...args);
  expect(code).not.toBe(0);
  expect(stdout).toBe('');
  expect(stderr).toMatch(message);
});
