import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor, TrainingSession } from '@gradware/core/node';
import { afterAll, describe, expect, test } from 'vitest';
import { GradwareError } from '../../packages/core/src/errors.js';
import type { Attribute, Graph, Model, Node, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { makeTensor } from '../../packages/core/src/onnx/tensor.js';

const folder = mkdtempSync(join(tmpdir(), 'gradware-ort-'));
afterAll(() => rmSync(folder, { recursive: true }));

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => ({ name: `${opType}/${outputs[0]}`, opType, domain: '', inputs, outputs, attributes });

const int = (value: number): Attribute => ({ type: 'int', value });
const text = (value: string): Attribute => ({ type: 'string', value });
const float = (value: number): Attribute => ({ type: 'float', value });

const wave = (dims: readonly number[]) => {
  const count = dims.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + 1));
  return makeTensor('float32', dims, values);
};

const model = (
  graph: Pick<Graph, 'nodes' | 'inputs' | 'outputs'> & Partial<Graph>,
  opset = 17,
): Model => ({
  graph: { name: 'g', initializers: new Map(), valueInfo: new Map(), ...graph },
  opsets: new Map([
    ['', opset],
    ['com.microsoft', 1],
  ]),
  irVersion: 8,
  functions: [],
  metadata: new Map([['note', 'from the test']]),
  producer: 'gradware-test',
});

const floats = (name: string, shape: ValueInfo['shape']): ValueInfo => ({
  name,
  type: 'float32',
  shape,
});

let count = 0;

/** What stock ONNX Runtime makes of a model in its own format. */
async function convert(bytes: Uint8Array, level: 'basic' | 'extended' | 'all' = 'extended') {
  const path = join(folder, `${count++}.ort`);
  const session = await InferenceSession.create(bytes, {
    optimizedModelFilePath: path,
    graphOptimizationLevel: level,
    logSeverityLevel: 4,
    extra: { session: { save_model_format: 'ORT' } },
  });
  await session.release();
  return new Uint8Array(readFileSync(path));
}

async function run(bytes: Uint8Array, feeds: Record<string, Tensor>) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { type, dims: [...dims], data: Array.from<unknown>(data as ArrayLike<unknown>) },
    ]),
  );
}

/** Both models give the same numbers on the same feeds. */
async function expectSame(first: Uint8Array, second: Uint8Array, feeds: Record<string, Tensor>) {
  const [wanted, found] = [await run(first, feeds), await run(second, feeds)];
  expect(Object.keys(found)).toEqual(Object.keys(wanted));
  for (const [name, { type, dims, data }] of Object.entries(wanted)) {
    expect(found[name]).toMatchObject({ type, dims });
    data.forEach((value, i) => {
      if (typeof value === 'string') expect(found[name]?.data[i]).toBe(value);
      else expect(found[name]?.data[i]).toBeCloseTo(value as number, 5);
    });
  }
}

const image = new Tensor('float32', Float32Array.from(wave([1, 2, 5, 5]).data as Float32Array), [
  ...[1, 2, 5, 5],
]);

const activations: readonly (readonly [string, Readonly<Record<string, Attribute>>])[] = [
  ['Relu', {}],
  ['Sigmoid', {}],
  ['Tanh', {}],
  ['LeakyRelu', { alpha: float(0.2) }],
  ['HardSigmoid', { alpha: float(0.3), beta: float(0.4) }],
];

describe('what ONNX Runtime fused is taken apart', () => {
  test.each(activations)('convolution and %s', async (opType, attributes) => {
    const original = encodeModel(
      model({
        nodes: [
          node('Conv', ['x', 'w', 'b'], ['h'], { pads: { type: 'ints', value: [1, 1, 1, 1] } }),
          node(opType, ['h'], ['y'], attributes),
        ],
        inputs: [floats('x', [1, 2, 5, 5])],
        outputs: [floats('y', [1, 3, 5, 5])],
        initializers: new Map([
          ['w', wave([3, 2, 3, 3])],
          ['b', wave([3])],
        ]),
      }),
    );
    const converted = await convert(original);
    expect(new TextDecoder('latin1').decode(converted)).toContain('FusedConv');
    const decoded = decodeModel(converted);
    expect(decoded.graph.nodes.map((each) => each.opType)).toEqual(['Conv', opType]);
    await expectSame(original, encodeModel(decoded), { x: image });
  });

  test.each<[string, Readonly<Record<string, Attribute>>, readonly string[]]>([
    ['and no activation', {}, ['Conv', 'Add']],
    ['and Relu', { activation: text('Relu') }, ['Conv', 'Add', 'Relu']],
    [
      'and Clip',
      { activation: text('Clip'), activation_params: { type: 'floats', value: [-0.5, 0.25] } },
      ['Conv', 'Add', 'Clip'],
    ],
  ])('convolution, sum %s', async (_, attributes, ops) => {
    const fused = { ...node('FusedConv', ['x', 'w', '', 'x'], ['y']), domain: 'com.microsoft' };
    const original = encodeModel(
      model({
        nodes: [
          { ...fused, attributes: { pads: { type: 'ints', value: [1, 1, 1, 1] }, ...attributes } },
        ],
        inputs: [floats('x', [1, 2, 5, 5])],
        outputs: [floats('y', [1, 2, 5, 5])],
        initializers: new Map([['w', wave([2, 2, 3, 3])]]),
      }),
    );
    const decoded = decodeModel(await convert(original, 'basic'));
    expect(decoded.graph.nodes.map((each) => each.opType)).toEqual(ops);
    await expectSame(original, encodeModel(decoded), { x: image });
  });

  test('an activation that is not known is refused by name', async () => {
    const fused = { ...node('FusedGemm', ['x', 'w'], ['y']), domain: 'com.microsoft' };
    const original = model({
      nodes: [{ ...fused, attributes: { activation: text('Relu') } }],
      inputs: [floats('x', [2, 2])],
      outputs: [floats('y', [2, 2])],
      initializers: new Map([['w', wave([2, 2])]]),
    });
    const converted = await convert(encodeModel(original), 'basic');
    const at = Buffer.from(converted).indexOf('Relu');
    converted.set(new TextEncoder().encode('Rule'), at);
    expect(() => decodeModel(converted)).toThrow(/FusedGemm has the activation "Rule"/);
  });

  test.each(activations.filter(([name]) => name !== 'HardSigmoid'))(
    'product and %s',
    async (opType, attributes) => {
      const original = encodeModel(
        model({
          nodes: [
            node('Gemm', ['x', 'w', 'b'], ['h'], { transB: int(1), alpha: float(0.5) }),
            node(opType, ['h'], ['y'], attributes),
          ],
          inputs: [floats('x', ['n', 4])],
          outputs: [floats('y', ['n', 3])],
          initializers: new Map([
            ['w', wave([3, 4])],
            ['b', wave([3])],
          ]),
        }),
      );
      const converted = await convert(original);
      expect(new TextDecoder('latin1').decode(converted)).toContain('FusedGemm');
      const decoded = decodeModel(converted);
      expect(decoded.graph.nodes.map((each) => each.opType)).toEqual(['Gemm', opType]);
      expect(decoded.graph.nodes[0]?.attributes).toMatchObject({ transB: int(1) });
      const x = new Tensor('float32', Float32Array.from(wave([2, 4]).data as Float32Array), [2, 4]);
      await expectSame(original, encodeModel(decoded), { x });
    },
  );
});

/** Nested graphs that use values from outside, sequences, strings, and a loop. */
function nested(): Model {
  const branch = (opType: string): Attribute => ({
    type: 'graph',
    value: {
      ...model({
        nodes: [node(opType, ['x', 'w'], ['r'])],
        inputs: [],
        outputs: [floats('r', undefined)],
      }).graph,
      outputs: [floats('r', undefined)],
    },
  });
  return model({
    nodes: [
      node('If', ['which'], ['chosen'], { then_branch: branch('Add'), else_branch: branch('Mul') }),
      node('SequenceConstruct', ['chosen', 'x'], ['list']),
      node('ConcatFromSequence', ['list'], ['y'], { axis: int(0) }),
      node('StringNormalizer', ['words'], ['upper'], {
        locale: text('C'),
        case_change_action: text('UPPER'),
        stopwords: { type: 'strings', value: ['a'] },
      }),
    ],
    inputs: [
      { name: 'which', type: 'bool', shape: [1] },
      floats('x', ['n', 3]),
      { name: 'words', type: 'string', shape: [2] },
    ],
    outputs: [floats('y', ['m', 3]), { name: 'upper', type: 'string', shape: [null] }],
    initializers: new Map([['w', wave([1, 3])]]),
  });
}

test('nested graphs, sequences, texts and symbolic sizes survive', async () => {
  const converted = await convert(encodeModel(nested()), 'basic');
  const decoded = decodeModel(converted);
  expect(decoded.graph.inputs.map(({ shape }) => shape)).toEqual([[1], ['n', 3], [2]]);
  expect(decoded.graph.inputs.map(({ type }) => type)).toEqual(['bool', 'float32', 'string']);
  expect(decoded.graph.valueInfo.get('list')).toMatchObject({
    type: 'sequence',
    element: 'float32',
  });
  expect(decoded.opsets.get('')).toBe(17);
  for (const which of [0, 1])
    await expectSame(encodeModel(nested()), encodeModel(decoded), {
      which: new Tensor('bool', Uint8Array.of(which), [1]),
      x: new Tensor('float32', Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
      words: new Tensor('string', ['b', 'c'], [2]),
    });
});

test('a forward model in the .ort format trains', async () => {
  const converted = await convert(
    encodeModel(
      model({
        nodes: [
          node('Gemm', ['x', 'w', 'b'], ['h']),
          node('Relu', ['h'], ['a']),
          node('Gemm', ['a', 'v'], ['y']),
        ],
        inputs: [floats('x', ['n', 4])],
        outputs: [floats('y', ['n', 3])],
        initializers: new Map([
          ['w', wave([4, 8])],
          ['b', wave([8])],
          ['v', wave([8, 3])],
        ]),
      }),
    ),
  );
  const session = await TrainingSession.create(converted, { loss: 'mse' });
  expect([...session.trainableNames].sort()).toEqual(['b', 'v', 'w']);
  const feeds = {
    x: new Tensor('float32', new Float32Array(8).fill(0.5), [2, 4]),
    target: new Tensor('float32', new Float32Array(6), [2, 3]),
  };
  const first = (await session.step(feeds)).loss;
  for (let i = 0; i < 20; i++) await session.step(feeds);
  expect((await session.step(feeds)).loss).toBeLessThan(first);
  await session.release();
});

test('a file that is cut short anywhere, or of a later version, is refused', async () => {
  const converted = await convert(encodeModel(nested()), 'basic');
  let refused = 0;
  for (let length = 0; length < converted.length; length += 7) {
    try {
      decodeModel(converted.subarray(0, length));
    } catch (error) {
      if (!(error instanceof GradwareError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(0);
  // The version is a text of one digit, behind its length.
  const version = [1, 0, 0, 0, '6'.charCodeAt(0), 0];
  const at = converted.findIndex((_, i) => version.every((byte, k) => converted[i + k] === byte));
  expect(at).toBeGreaterThan(0);
  const later = converted.slice();
  later[at + 4] = '7'.charCodeAt(0);
  expect(() => decodeModel(later)).toThrow(/unknown version "7"/);
});
