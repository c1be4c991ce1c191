import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { prune } from '../../packages/core/src/graph/order.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import { lossByName } from '../../packages/core/src/losses/index.js';
import { TrainingSession } from '../../packages/core/src/node.js';
import type { Graph, Model, Node, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { subgraphs } from '../../packages/core/src/onnx/names.js';
import { generator } from '../support/compare.js';
import { modelDifferences } from '../support/model-differences.js';
import { modelGradients } from '../support/model-gradients.js';

type Line = readonly [outputs: string, opType: string, inputs: string, attributes?: Attributes];

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
function graph(inputs: string, lines: readonly Line[], outputs: string): Graph {
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

const random = generator(4);
const [batch, steps, width] = [2, 3, 4];
const x = random(batch, steps, width);
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
function model(lines: readonly Line[]): Model {
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
const cell: readonly Line[] = [
  ['hw', 'Gemm', 'h w b'],
  ['xt', 'Gather', 'x turn', { axis: 1 }],
  ['both', 'Add', 'hw xt'],
  ['next', 'Tanh', 'both'],
  ['on', 'Identity', 'yes'],
];
const start: readonly Line[] = [
  ['shape', 'Shape', 'x'],
  ['length', 'Gather', 'shape one', { axis: 0 }],
  ['h0', 'Gather', 'x zero', { axis: 1 }],
];
/** h ← 1.5·h·w while Σ|h| < 6, at most four turns as a counter tells. */
const whileLoop = (more: readonly Line[], on: string) =>
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
const first: readonly Line[] = [['h0', 'Gather', 'x zero', { axis: 1 }]];

/** One in another. */
function branches(depth: number): Graph {
  const [then_branch, else_branch] = [0, depth - 1].map((below) =>
    depth > 0 ? branches(below) : graph('', [], ''),
  ) as [Graph, Graph];
  const [out, line]: readonly [string, Line] =
    depth > 0
      ? [`o${depth}`, [`o${depth}`, 'If', 'positive', { then_branch, else_branch }]]
      : ['leaf', ['leaf', 'Add', 'h0 b']];
  return { ...graph('', [line], out), nodes: nodes([line]).map((node) => ({ ...node, name: '' })) };
}

const cases: Readonly<Record<string, readonly Line[]>> = {
  'a loop over time, whose length follows from the shape': [
    ...start,
    ['logits', 'Loop', 'length yes h0', { body: graph('turn going h', cell, 'on next') }],
  ],
  'a loop that puts its states on a list': [
    ...start,
    ['emptylist', 'SequenceEmpty', ''],
    [
      'end fulllist',
      'Loop',
      'length yes h0 emptylist',
      {
        body: graph(
          'turn going h seqlist',
          [...cell, ['longlist', 'SequenceInsert', 'seqlist next']],
          'on next longlist',
        ),
      },
    ],
    ['logits', 'ConcatFromSequence', 'fulllist', { axis: 1, new_axis: 1 }],
  ],
  'lists taken apart and joined': [
    ['xw', 'MatMul', 'x w'],
    ['alist', 'SplitToSequence', 'xw', { axis: 1, keepdims: 0 }],
    ['blist', 'SplitToSequence', 'xw parts', { axis: 1 }],
    ['clist', 'SplitToSequence', 'xw two', { axis: 2 }],
    ['a', 'SequenceAt', 'alist last'],
    ['b2', 'SequenceAt', 'blist one'],
    ['bs', 'ReduceSum', 'b2', { keepdims: 0 }],
    ['dlist', 'SequenceInsert', 'clist xw zero'],
    ['elist', 'SequenceErase', 'dlist one'],
    ['same', 'Identity', 'elist'],
    ['joined', 'ConcatFromSequence', 'same', { axis: -1 }],
    ['count', 'SequenceLength', 'same'],
    ['times', 'Cast', 'count', { to: 1 }],
    ['scaled', 'Mul', 'joined times'],
    ['ab', 'Add', 'a bs'],
    ['fresh', 'SequenceConstruct', 'ab b'],
    ['abb', 'SequenceAt', 'fresh zero'],
    ['bb', 'SequenceAt', 'fresh one'],
    ['b3', 'Mul', 'abb bb'],
    ['more', 'ReduceSum', 'b3', { keepdims: 0 }],
    ['logits', 'Add', 'scaled more'],
  ],
  'a loop that ends early': [
    ...first,
    [
      'logits count',
      'Loop',
      'four yes h0 zero',
      { body: whileLoop([['on', 'Identity', 'small']], 'on') },
    ],
  ],
  'a branch on what a loop gives, whose rank nothing states': [
    ...start,
    ['h', 'Loop', 'length yes h0', { body: graph('turn going h', cell, 'on next') }],
    ['sum', 'ReduceSum', 'h', { keepdims: 0 }],
    ['positive', 'Less', 'sum six'],
    [
      'chosen',
      'If',
      'positive',
      {
        then_branch: graph('', [['y', 'Sin', 'h']], 'y'),
        else_branch: graph('', [['z', 'Exp', 'h']], 'z'),
      },
    ],
    ['logits', 'Identity', 'chosen'],
  ],
  'a while loop with a counter': [
    ...first,
    [
      'logits count',
      'Loop',
      'many yes h0 zero',
      { body: whileLoop([['on', 'And', 'small few']], 'on') },
    ],
  ],
  'a while loop with a counter in a branch': [
    ...first,
    [
      'logits count',
      'Loop',
      'many yes h0 zero',
      {
        body: whileLoop(
          [
            [
              'on',
              'If',
              'small',
              {
                then_branch: graph('', [['onward', 'Less', 'counted four']], 'onward'),
                else_branch: graph('', [['onno', 'Not', 'yes']], 'onno'),
              },
            ],
          ],
          'on',
        ),
      },
    ],
  ],
  'a loop over time that a counter ends, as tf2onnx writes the recurrences of Keras': [
    ...start,
    ['many32', 'Cast', 'length', { to: 1 }],
    ['time32', 'Cast', 'zero', { to: 1 }],
    ['first', 'Less', 'time32 many32'],
    [
      'time end weights rows',
      'Loop',
      ' first zero h0 w',
      {
        body: graph(
          'turn going count h w1',
          [
            ['hw', 'Gemm', 'h w1 b'],
            ['xt', 'Gather', 'x count', { axis: 1 }],
            ['both', 'Add', 'hw xt'],
            ['next', 'Tanh', 'both'],
            ['counted', 'Add', 'count one'],
            ['later32', 'Cast', 'counted', { to: 1 }],
            ['length32', 'Cast', 'length', { to: 1 }],
            ['on', 'Less', 'later32 length32'],
            ['row', 'Identity', 'next'],
          ],
          'on counted next w1 row',
        ),
      },
    ],
    ['across', 'Transpose', 'rows', { perm: [1, 0, 2] }],
    ['logits', 'Reshape', 'across wide'],
  ],
  'a loop over windows from the last step to the first, with weights that it hands on': [
    ...start,
    [
      'end weights rows places',
      'Loop',
      'length - h0 w',
      {
        body: graph(
          'turn going h w1',
          [
            ['past', 'Sub', 'length turn'],
            ['ends', 'Unsqueeze', 'past axis'],
            ['starts', 'Sub', 'ends single'],
            ['window', 'Slice', 'x starts ends single'],
            ['xt', 'Squeeze', 'window single'],
            ['hw', 'Gemm', 'h w1 b'],
            ['both', 'Add', 'hw xt'],
            ['place', 'Cast', 'past', { to: 1 }],
            ['shared', 'Div', 'both place'],
            ['next', 'Tanh', 'shared'],
            ['w2', 'Identity', 'w1'],
            ['row', 'Mul', 'next place'],
            ['on', 'Identity', 'going'],
          ],
          'on next w2 row place',
        ),
      },
    ],
    ['mean', 'ReduceMean', 'rows', { axes: [0], keepdims: 0 }],
    ['final', 'Gather', 'rows last', { axis: 0 }],
    ['total', 'ReduceSum', 'places', { keepdims: 0 }],
    ['scaled', 'Mul', 'mean total'],
    ['more', 'MatMul', 'final weights'],
    ['logits', 'Add', 'scaled more'],
  ],
  'a loop that looks at nothing but its state': [
    ...first,
    [
      'logits',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['next', 'Gemm', 'h w b'],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
  ],
  'a loop over another recurrence, and a normalisation by running statistics': [
    ['v', 'Constant', '', { value: tensorOf('float32', [1, 2, 0.5, 4]) }],
    ['w3', 'Unsqueeze', 'w axis'],
    ...first,
    [
      'logits',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['h3', 'Unsqueeze', 'h axis'],
            ['- r3', 'RNN', 'h3 w3 w3', { hidden_size: width }],
            ['r', 'Squeeze', 'r3 axis'],
            ['n', 'BatchNormalization', 'r b b b v'],
            ['next', 'Sin', 'n'],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
  ],
  'branches thirty deep': [
    ...first,
    ['s', 'ReduceSum', 'b', { keepdims: 0 }],
    ['positive', 'Less', 's six'],
    ['chosen', 'If', 'positive', { then_branch: branches(30), else_branch: branches(0) }],
    ['logits', 'MatMul', 'chosen w'],
  ],
  'a loop that puts its states side by side': [
    ...first,
    [
      'wider',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['hb', 'ReduceMean', 'h', { axes: [1], keepdims: 1 }],
            ['hw', 'Mul', 'hb b'],
            ['next', 'Concat', 'h hw', { axis: 1 }],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
    ['sums', 'ReduceSum', 'wider single', { keepdims: 1 }],
    ['h0w', 'MatMul', 'h0 w'],
    ['logits', 'Mul', 'h0w sums'],
  ],
  'padding whose sizes are computed from shapes, as torch.onnx writes it': [
    ['shape', 'Shape', 'x'],
    ['rank', 'Shape', 'shape'],
    ['double', 'Mul', 'rank twos'],
    ['missing', 'Sub', 'double twos'],
    ['fill', 'ConstantOfShape', 'missing', { value: tensorOf('int64', [0]) }],
    ['whole', 'Concat', 'parts fill', { axis: 0 }],
    ['pairs', 'Reshape', 'whole square'],
    ['turned', 'Slice', 'pairs back beyond axis back'],
    ['across', 'Transpose', 'turned', { perm: [1, 0] }],
    ['pads', 'Reshape', 'across flat'],
    ['xw', 'MatMul', 'x w'],
    ['padded', 'Pad', 'xw pads'],
    ['bb', 'ReduceSum', 'b', { keepdims: 0 }],
    ['logits', 'Mul', 'padded bb'],
  ],
  'branches that give lists': [
    ['xw', 'MatMul', 'x w'],
    ['sum', 'ReduceSum', 'xw', { keepdims: 0 }],
    ['positive', 'Less', 'sum six'],
    [
      'elist',
      'If',
      'positive',
      {
        then_branch: graph('', [['ylist', 'SequenceConstruct', 'xw b']], 'ylist'),
        else_branch: graph('', [['nlist', 'SequenceConstruct', 'x b']], 'nlist'),
      },
    ],
    ['p', 'SequenceAt', 'elist zero'],
    ['q', 'SequenceAt', 'elist one'],
    ['pq', 'Add', 'p q'],
    ['logits', 'Tanh', 'pq'],
  ],
};

const shapes: Readonly<Record<string, readonly number[]>> = {
  'a loop that puts its states on a list': [batch, steps, width],
  'a loop over time that a counter ends, as tf2onnx writes the recurrences of Keras': [
    batch,
    steps * width,
  ],
  'lists taken apart and joined': [batch, steps, 2 * width - 2],
  'padding whose sizes are computed from shapes, as torch.onnx writes it': [
    batch,
    steps,
    width + 3,
  ],
  'branches that give lists': [batch, steps, width],
};

describe('models with loops and lists have the gradients that finite differences of them have', () => {
  const forms = [undefined, 0].flatMap((longestUnrolled) =>
    Object.keys(cases).map((name) => [name, longestUnrolled] as const),
  );
  test.each(forms)('%s, unrolled up to %s steps', async (name, longestUnrolled) => {
    const shape = shapes[name] ?? [batch, width];
    const { losses, pairs } = await modelDifferences(
      model(cases[name] ?? []),
      new Map([['x', x]]),
      shape,
      { longestUnrolled },
    );
    expect(losses[0]).toBeCloseTo(losses[1], 5);
    expect(pairs.map(({ parameter }) => parameter)).toEqual(['w', 'b']);
    for (const { parameter, numeric, analytic } of pairs)
      expect(
        Math.abs(numeric - analytic) / Math.max(Math.abs(numeric), 0.1),
        parameter,
      ).toBeLessThan(0.01);
  });
});

/** Of how many nodes, nested ones too, the gradients of a model over so many steps are made. */
async function sizeAt(name: string, length: number, shape: readonly number[]): Promise<number> {
  const target = random(...shape);
  const { nodes: made } = await modelGradients(
    model(cases[name] ?? []),
    new Map([
      ['x', random(batch, length, width)],
      ['target', target],
    ]),
    lossByName('mse'),
    [],
    8,
  );
  expect(made.filter(({ opType }) => opType === 'Scan')).toHaveLength(2);
  const count = (all: readonly Node[]): number =>
    all.reduce((sum, node) => sum + 1 + count(subgraphs(node).flatMap((graph) => graph.nodes)), 0);
  return count(prune(made, ['w_grad', 'b_grad']));
}

test.each([
  'a loop over time, whose length follows from the shape',
  'a loop over windows from the last step to the first, with weights that it hands on',
  'a loop that puts its states on a list',
])('%s: long ones have as many nodes as short ones', async (name) => {
  const shape = (length: number) => (shapes[name] ? [batch, length, width] : [batch, width]);
  expect(await sizeAt(name, 300, shape(300))).toBe(await sizeAt(name, 30, shape(30)));
});

/** What cannot be known before the data are. */
const refused: Readonly<Record<string, readonly [readonly Line[], string]>> = {
  'a position that the data give': [
    [
      ['xw', 'MatMul', 'x w'],
      ['alist', 'SplitToSequence', 'xw', { axis: 1 }],
      ['flat', 'Gemm', 'w w b'],
      ['most', 'ArgMax', 'b', { keepdims: 0 }],
      ['logits', 'SequenceAt', 'alist most'],
    ],
    'UNSUPPORTED',
  ],
  'a loop without an end that is known': [
    [
      ...first,
      ['bs', 'ReduceSum', 'b', { keepdims: 0 }],
      [
        'logits count',
        'Loop',
        'many yes h0 zero',
        { body: whileLoop([['on', 'Identity', 'small']], 'on') },
      ],
    ],
    'NO_GRADIENT',
  ],
};

test.each(Object.keys(refused))('%s is refused', async (name) => {
  const [lines, code] = refused[name] as (typeof refused)[string];
  const run = modelDifferences(model(lines), new Map([['x', x]]), [batch, width]);
  await expect(run).rejects.toMatchObject({ code, remedy: expect.any(String) });
});

const shapedByData: Readonly<Record<string, readonly Line[]>> = {
  'boolean indexing': [
    ['xw', 'MatMul', 'x w'],
    ['positive', 'Less', 'x six'],
    ['places', 'NonZero', 'positive'],
    ['where', 'Transpose', 'places'],
    ['logits', 'GatherND', 'xw where'],
  ],
  'a size computed from data': [
    ['xw', 'MatMul', 'x w'],
    ['xflat', 'Reshape', 'x flat'],
    ['most', 'ArgMax', 'xflat', { keepdims: 1 }],
    ['logits', 'Slice', 'xw flat most axis'],
  ],
};

test.each(Object.keys(shapedByData))('%s is refused before anything runs', async (name) => {
  const created = TrainingSession.create(encodeModel(model(shapedByData[name] ?? [])), {
    loss: 'mse',
  });
  await expect(created).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    problem: expect.stringContaining('depends on the data'),
  });
});
