import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import type { Graph, Model, Node, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { generator } from '../support/compare.js';

export type Line = readonly [
  outputs: string,
  opType: string,
  inputs: string,
  attributes?: Attributes,
];

const names = (text: string) => text.split(' ').map((name) => (name === '-' ? '' : name));

function nodes(lines: readonly Line[]): readonly Node[] {
  return lines.map(([made, opType, used, attributes = {}]) => ({
    name: `node ${made}`,
    opType,
    domain: '',
    inputs: used === '' ? [] : names(used),
    outputs: names(made),
    attributes: toAttributes(attributes),
  }));
}

/** A nested graph; `seq` and what ends in `list` are sequences. */
export function graph(inputs: string, lines: readonly Line[], outputs: string): Graph {
  const info = (name: string): ValueInfo => {
    if (name === 'turn') return { name, type: 'int64', shape: [] };
    if (/^(going|on)/.test(name)) return { name, type: 'bool', shape: [] };
    if (/list$/.test(name)) return { name, type: 'sequence', element: 'float32' };
    return /^count/.test(name) ? { name, type: 'int64', shape: [] } : { name, type: 'float32' };
  };
  return {
    name: 'nested',
    nodes: nodes(lines),
    inputs: inputs === '' ? [] : names(inputs).map(info),
    outputs: names(outputs).map(info),
    initializers: new Map(),
    valueInfo: new Map(),
  };
}

export const random = generator(4);
export const [batch, steps, width] = [2, 3, 4];
export const x = random(batch, steps, width);
const weights: ReadonlyMap<string, TensorData> = new Map([
  ['w', random(width, width)],
  ['b', random(width)],
]);
const numbers: Readonly<Record<string, TensorData>> = {
  yes: tensorOf('bool', [1], []),
  zero: tensorOf('int64', [0], []),
  one: tensorOf('int64', [1], []),
  last: tensorOf('int64', [-1], []),
  many: { type: 'int64', dims: [], data: BigInt64Array.of(9223372036854775807n) },
  four: tensorOf('int64', [4], []),
  six: tensorOf('float32', [6], []),
  parts: tensorOf('int64', [1, 2]),
  two: tensorOf('int64', [2], []),
  twos: tensorOf('int64', [2]),
  square: tensorOf('int64', [-1, 2]),
  flat: tensorOf('int64', [-1]),
  back: tensorOf('int64', [-1]),
  beyond: { type: 'int64', dims: [1], data: BigInt64Array.of(-9223372036854775807n) },
  axis: tensorOf('int64', [0]),
  single: tensorOf('int64', [1]),
  three: tensorOf('int64', [3], []),
  wide: tensorOf('int64', [batch, steps * width]),
};

/** x [batch, steps, 4], weights w [4, 4] and b [4], and constants by name. */
export function model(lines: readonly Line[]): Model {
  return {
    graph: {
      name: 'sequences',
      nodes: nodes(lines),
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', 'steps', width] }],
      outputs: [{ name: 'logits', type: 'float32' }],
      initializers: new Map([...weights, ...Object.entries(numbers)]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-test',
  };
}

/** h ← tanh(h·w + b + x[:, turn]), as torch.jit.script writes a loop over time: the condition is a constant outside. */
export const cell: readonly Line[] = [
  ['hw', 'Gemm', 'h w b'],
  ['xt', 'Gather', 'x turn', { axis: 1 }],
  ['both', 'Add', 'hw xt'],
  ['next', 'Tanh', 'both'],
  ['on', 'Identity', 'yes'],
];
export const start: readonly Line[] = [
  ['shape', 'Shape', 'x'],
  ['length', 'Gather', 'shape one', { axis: 0 }],
  ['h0', 'Gather', 'x zero', { axis: 1 }],
];
/** h ← 1.5·h·w while Σ|h| < 6, at most four turns as a counter tells. */
export const whileLoop = (more: readonly Line[], on: string) =>
  graph(
    'turn going h count',
    [
      ['hw', 'Gemm', 'h w b'],
      ['next', 'Add', 'hw h'],
      ['counted', 'Add', 'count one'],
      ['size', 'ReduceL1', 'next', { keepdims: 0 }],
      ['small', 'Less', 'size six'],
      ['few', 'Less', 'counted four'],
      ...more,
    ],
    `${on} next counted`,
  );
export const first: readonly Line[] = [['h0', 'Gather', 'x zero', { axis: 1 }]];

/** One in another. */
export function branches(depth: number): Graph {
  const [then_branch, else_branch] = [0, depth - 1].map((below) =>
    depth > 0 ? branches(below) : graph('', [], ''),
  ) as [Graph, Graph];
  const [out, line]: readonly [string, Line] =
    depth > 0
      ? [`o${depth}`, [`o${depth}`, 'If', 'positive', { then_branch, else_branch }]]
      : ['leaf', ['leaf', 'Add', 'h0 b']];
  return { ...graph('', [line], out), nodes: nodes([line]).map((node) => ({ ...node, name: '' })) };
}
