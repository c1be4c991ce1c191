import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { onnx } from './generated/messages.js';
import type { Attribute, Graph, Model, Node } from './ir.js';
import { decodeModel, encodeModel } from './model.js';
import { makeTensor, scalar } from './tensor.js';

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { name: `${opType}_${outputs[0]}`, opType, domain: '', inputs, outputs, attributes };
}

function model(graph: Partial<Graph>): Model {
  return {
    graph: {
      name: 'g',
      nodes: [],
      inputs: [{ name: 'x', type: 'float32', shape: ['N', 2, null] }],
      outputs: [],
      initializers: new Map(),
      valueInfo: new Map(),
      ...graph,
    },
    opsets: new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
    functions: [],
    metadata: new Map([['license', 'none']]),
    producer: 'gradware',
  };
}

const refusal = (run: () => unknown): GradwareError => {
  try {
    run();
  } catch (error) {
    if (error instanceof GradwareError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

const branch = (value: number): Graph => ({
  ...model({}).graph,
  inputs: [],
  outputs: [{ name: `b${value}`, type: 'float32', shape: [] }],
  nodes: [node('Mul', ['x', `c${value}`], [`b${value}`])],
  initializers: new Map([[`c${value}`, scalar('float32', value)]]),
});

const everyAttribute: Readonly<Record<string, Attribute>> = {
  f: { type: 'float', value: 0.5 },
  i: { type: 'int', value: -3 },
  end: { type: 'int', value: Number.MAX_SAFE_INTEGER },
  start: { type: 'int', value: -Number.MAX_SAFE_INTEGER },
  s: { type: 'string', value: 'größer' },
  t: { type: 'tensor', value: makeTensor('int64', [2], [-1, 2n ** 62n]) },
  g: { type: 'graph', value: branch(1) },
  floats: { type: 'floats', value: [1.5, -2] },
  ints: { type: 'ints', value: [0, -1, 2 ** 40] },
  strings: { type: 'strings', value: ['a', ''] },
  tensors: { type: 'tensors', value: [scalar('bool', true)] },
  graphs: { type: 'graphs', value: [branch(2), branch(3)] },
};

test('a model with every kind of attribute and shape survives the way to bytes and back', () => {
  const original = model({
    nodes: [node('Custom', ['x', '', 'w'], ['y', '', 'z'], everyAttribute)],
    outputs: [
      { name: 'y', type: 'float16', shape: undefined },
      { name: 'z', type: 'sequence', element: 'float32', shape: ['a'] },
    ],
    initializers: new Map([
      ['w', makeTensor('float32', [2, 2], [1, 2, 3, 4])],
      ['names', makeTensor('string', [2], ['é', ''])],
      ['none', makeTensor('float64', [0, 3], [])],
    ]),
    valueInfo: new Map([['z', { name: 'z', type: 'int64', shape: [1] }]]),
  });
  expect(decodeModel(encodeModel(original))).toEqual(original);
});

test('the clamped extremes are the extremes of 64 bits in the file', () => {
  const bytes = encodeModel(
    model({ nodes: [node('Slice', ['x'], ['y'], { end: everyAttribute.end as Attribute })] }),
  );
  const value = onnx.ModelProto.decode(bytes).graph?.node?.[0]?.attribute?.[0]?.i;
  expect(String(value)).toBe('9223372036854775807');
});

test('functions keep their nodes, attributes and references', () => {
  const original: Model = {
    ...model({ nodes: [{ ...node('Twice', ['x'], ['y']), domain: 'own' }] }),
    functions: [
      {
        name: 'Twice',
        domain: 'own',
        inputs: ['a'],
        outputs: ['b'],
        attributes: ['axis'],
        defaults: { alpha: { type: 'float', value: 2 } },
        nodes: [node('Softmax', ['a'], ['b'], { axis: { type: 'reference', value: 'axis' } })],
        opsets: new Map([['', 17]]),
      },
    ],
  };
  expect(decodeModel(encodeModel(original))).toEqual(original);
});

test('aligned weights are views of the file, unaligned ones are copied', () => {
  const file = encodeModel(
    model({ initializers: new Map([['w', makeTensor('float32', [64], new Float32Array(64))]]) }),
  );
  const shared = [0, 1, 2, 3].map((shift) => {
    const moved = new Uint8Array(file.byteLength + 3).subarray(shift, shift + file.byteLength);
    moved.set(file);
    const data = decodeModel(moved).graph.initializers.get('w')?.data;
    return ArrayBuffer.isView(data) && data.buffer === moved.buffer;
  });
  expect(shared.filter(Boolean)).toHaveLength(1);
});

test('nodes in the wrong order are sorted, those in order are left alone', () => {
  const nodes = [node('C', ['b'], ['c']), node('A', ['x'], ['a']), node('B', ['a'], ['b'])];
  const ops = decodeModel(encodeModel(model({ nodes }))).graph.nodes.map(({ opType }) => opType);
  expect(ops).toEqual(['A', 'B', 'C']);
});

test('a node whose subgraph uses a value comes after the node that gives it', () => {
  const nodes = [
    node('If', ['x'], ['y'], { then_branch: { type: 'graph', value: branchUsing('late') } }),
    node('Relu', ['x'], ['late']),
  ];
  const decoded = decodeModel(encodeModel(model({ nodes })));
  expect(decoded.graph.nodes.map(({ opType }) => opType)).toEqual(['Relu', 'If']);
});

const branchUsing = (name: string): Graph => ({
  ...branch(1),
  nodes: [node('Mul', [name, 'c1'], ['b1'])],
});

test.each<[string, Partial<Graph>, string]>([
  [
    'a cycle',
    { nodes: [node('A', ['b'], ['a']), node('B', ['a'], ['b'])] },
    'Nodes depend on each other: node "A_a" (A) → node "B_b" (B) → node "A_a" (A)',
  ],
  ['an undefined value', { nodes: [node('A', ['q'], ['a'])] }, 'Nothing defines the value "q"'],
  [
    'an undefined value in a subgraph',
    {
      nodes: [
        node('If', ['x'], ['y'], { then_branch: { type: 'graph', value: branchUsing('q') } }),
      ],
    },
    'Nothing defines the value "q"',
  ],
  ['an undefined output', { outputs: [{ name: 'q' }] }, 'Nothing defines the output "q"'],
  [
    'a value defined twice',
    { nodes: [node('A', ['x'], ['a']), node('B', ['x'], ['a'])] },
    'The value "a" is defined twice',
  ],
  ['a repeated input', { inputs: [{ name: 'x' }, { name: 'x' }] }, 'The input "x" is there twice'],
])('%s is refused', (_, graph, problem) => {
  const error = refusal(() => decodeModel(encodeModel(model(graph)), { file: 'm.onnx' }));
  expect(error.code).toBe('INVALID_MODEL');
  expect(error.message).toContain(problem);
  expect(error.where).toContain('m.onnx');
});

test('functions that call each other are refused', () => {
  const calling = (name: string, other: string): Model['functions'][number] => ({
    name,
    domain: 'own',
    inputs: ['a'],
    outputs: ['b'],
    attributes: [],
    defaults: {},
    nodes: [{ ...node(other, ['a'], ['b']), domain: 'own' }],
    opsets: new Map([['', 17]]),
  });
  const bytes = encodeModel({ ...model({}), functions: [calling('F', 'G'), calling('G', 'F')] });
  expect(refusal(() => decodeModel(bytes)).message).toContain('"own:F" → "own:G" → "own:F"');
});

test('subgraphs nested a thousand deep are refused, not a stack overflow', () => {
  // Built from the inside out: graph { node { attribute { g: ... } } }.
  let inner = new Uint8Array();
  const wrap = (field: number, bytes: Uint8Array): Uint8Array => {
    const length: number[] = [];
    for (let rest = bytes.length; ; rest >>>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Uint8Array.of(field * 8 + 2, ...length, ...bytes);
  };
  for (let i = 0; i < 1000; i++) inner = new Uint8Array(wrap(1, wrap(5, wrap(6, inner))));
  const file = Uint8Array.of(8, 8, ...wrap(7, inner));
  expect(refusal(() => decodeModel(file)).message).toContain('nested too deeply');
});

test.each([
  ['nothing', new Uint8Array(), 'empty'],
  ['text', new TextEncoder().encode('<!doctype html><html></html>'), 'not an ONNX model'],
  ['an .ort model', new TextEncoder().encode('\u0018\0\0\0ORTM\0\0'), 'The .ort model is damaged'],
  ['a pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), 'Git LFS'],
  ['a checkpoint', new TextEncoder().encode('\u0018\0\0\0ODTC\0\0'), 'checkpoint'],
  ['an empty message', Uint8Array.of(8, 8), 'not an ONNX model'],
])('%s is refused', (_, bytes, problem) => {
  expect(refusal(() => decodeModel(bytes, { file: 'm.onnx' })).message).toContain(problem);
});

const fileWith = (graph: onnx.GraphProto.$Properties): Uint8Array =>
  onnx.ModelProto.encode({ irVersion: 8, graph, opsetImport: [{ version: 17 }] }).finish();

test.each<[string, onnx.TensorProto.$Properties, string]>([
  ['too few bytes', { dims: [2], dataType: 1, rawData: new Uint8Array(7) }, 'needs 8 bytes, not 7'],
  ['a negative dimension', { dims: [-2], dataType: 1 }, 'dimension -2'],
  ['a shape beyond counting', { dims: [2 ** 40, 2 ** 40], dataType: 1 }, 'more values than'],
  ['a zero beside such a shape', { dims: [0, 2 ** 40, 2 ** 40], dataType: 1 }, 'more values than'],
  ['a huge tensor without values', { dims: [2 ** 40], dataType: 7 }, 'values, not 0'],
  [
    'a huge boolean tensor',
    { dims: [2 ** 40], dataType: 9, int32Data: [Uint8Array.of(1)] },
    'not 1',
  ],
  ['an unknown type', { dims: [1], dataType: 99 }, 'unknown element type 99'],
  ['segments', { dims: [1], dataType: 1, segment: { begin: 0, end: 1 } }, 'segments'],
  [
    'a malformed varint',
    { dims: [1], dataType: 7, int64Data: [new Uint8Array(12).fill(255).with(11, 1)] },
    'malformed',
  ],
])('an initializer with %s is refused by name', (_, tensor, problem) => {
  const error = refusal(() => decodeModel(fileWith({ initializer: [{ name: 'w', ...tensor }] })));
  expect(error.message).toContain(problem);
  expect(error.where).toContain('initializer "w"');
});

/** A packed field of 64-bit varints. */
function pack(values: readonly bigint[]): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) {
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}

test('the typed fields of tensors are read', () => {
  const { initializers } = decodeModel(
    fileWith({
      initializer: [
        {
          name: 'f',
          dims: [1],
          dataType: 1,
          floatData: [new Uint8Array(Float32Array.of(2.5).buffer)],
        },
        { name: 'i', dims: [3], dataType: 7, int64Data: [pack([-1n, 2n ** 40n]), pack([7n])] },
        { name: 'b', dims: [2], dataType: 9, int32Data: [Uint8Array.of(1, 0)] },
        { name: 'h', dims: [1], dataType: 10, int32Data: [Uint8Array.of(0x80, 0x78)] },
        { name: 'i8', dims: [1], dataType: 3, int32Data: [pack([-5n])] },
        { name: 'u4', dims: [3], dataType: 21, int32Data: [Uint8Array.of(0x21, 3)] },
      ],
    }),
  ).graph;
  expect(initializers.get('f')?.data).toEqual(Float32Array.of(2.5));
  expect(initializers.get('i')?.data).toEqual(BigInt64Array.of(-1n, 2n ** 40n, 7n));
  expect(initializers.get('b')?.data).toEqual(Uint8Array.of(1, 0));
  expect(initializers.get('h')?.data).toEqual(Uint16Array.of(0x3c00));
  expect(initializers.get('i8')?.data).toEqual(Int8Array.of(-5));
  expect(initializers.get('u4')?.data).toEqual(Uint8Array.of(0x21, 3));
});

test('an initializer that is there twice is refused', () => {
  const tensor = { name: 'w', dims: [0], dataType: 1 };
  const error = refusal(() => decodeModel(fileWith({ initializer: [tensor, tensor] })));
  expect(error.message).toContain('An initializer is there twice');
});

test('sparse initializers are written out', () => {
  const values = { name: 's', dims: [2], dataType: 1, rawData: bytesOf(Float32Array.of(5, 6)) };
  const indices = { dims: [2, 2], dataType: 7, rawData: bytesOf(BigInt64Array.of(0n, 1n, 1n, 2n)) };
  const sparse = { values, indices, dims: [2, 3] };
  const { initializers } = decodeModel(fileWith({ sparseInitializer: [sparse] })).graph;
  expect(initializers.get('s')?.data).toEqual(Float32Array.of(0, 5, 0, 0, 0, 6));
  const outside = { ...sparse, dims: [2, 2] };
  const error = refusal(() => decodeModel(fileWith({ sparseInitializer: [outside] })));
  expect(error.message).toContain('the index [1, 2]');
});

const bytesOf = (array: Float32Array | BigInt64Array): Uint8Array => new Uint8Array(array.buffer);

test('external data is taken from its part of the file, once for each file', () => {
  const external = (name: string, entries: Readonly<Record<string, string>>) => ({
    name,
    dims: [2],
    dataType: 1,
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  });
  const read = (...given: readonly Readonly<Record<string, string>>[]) => {
    const asked: string[] = [];
    const initializer = given.map((entries, i) => external(`w${i}`, entries));
    const externalData = (location: string) => {
      asked.push(location);
      return location === 'w.bin' ? bytesOf(Float32Array.of(0, 1, 2, 3)) : undefined;
    };
    return { asked, model: decodeModel(fileWith({ initializer }), { externalData }) };
  };
  const at = (offset: number, location = 'w.bin') => ({
    location,
    offset: String(offset),
    length: '8',
  });
  const { asked, model: decoded } = read(at(8), at(0, './w.bin'));
  expect(decoded.graph.initializers.get('w0')?.data).toEqual(Float32Array.of(2, 3));
  expect(decoded.graph.initializers.get('w1')?.data).toEqual(Float32Array.of(0, 1));
  expect(asked).toEqual(['w.bin']);
  expect(refusal(() => read({ location: 'q.bin' })).code).toBe('FILE');
  expect(refusal(() => read(at(12))).message).toContain('ends at byte 20 of "w.bin", which has 16');
  expect(refusal(() => read({ location: 'w.bin', offset: '-4' })).message).toContain('offset "-4"');
  expect(refusal(() => read({ offset: '4' })).message).toContain('no location');
  for (const [first, second] of [
    [at(0), at(4)],
    [at(4), at(0)],
    [at(4), at(4)],
    [at(0), at(4, './/w.bin')],
  ] as const)
    expect(refusal(() => read(first, second)).message).toMatch(/overlaps.*initializer "w0"/);
});

test('a model of more than 2 GiB is refused before it is written', () => {
  // One buffer serves for all: only the sum matters.
  const data = new Uint8Array(2 ** 28);
  const weights = Array.from(
    { length: 9 },
    (_, i) => [`w${i}`, makeTensor('uint8', [data.length], data)] as const,
  );
  const error = refusal(() => encodeModel(model({ initializers: new Map(weights) })));
  expect(error.code).toBe('UNSUPPORTED');
  expect(error.message).toContain('2.25 GiB');
});
