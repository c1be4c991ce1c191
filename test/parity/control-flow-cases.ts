import type { GraphBuilder, Op } from '../../packages/core/src/graph/builder.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { type Attributes, toAttributes, type Value } from '../../packages/core/src/graph/value.js';
import type { Graph, Node } from '../../packages/core/src/onnx/ir.js';
import { fixed, type GradientCase } from '../support/check-gradients.js';

type Line = readonly [outputs: string, opType: string, inputs: string, attributes?: Attributes];

const list = (names: string) => names.split(' ').filter((name) => name !== '');

/** Of the inputs that a Loop gives its body. */
const inputTypes: Readonly<Record<string, 'int64' | 'bool'>> = { turn: 'int64', going: 'bool' };

/** A nested graph, line by line; `x0`, `x1`, ... are the inputs of the case around it. */
function graph(name: string, inputs: string, lines: readonly Line[], outputs: string): Graph {
  return {
    name,
    nodes: lines.map(
      ([made, opType, used, attributes = {}]): Node => ({
        name: `${name}/${list(made)[0]}`,
        opType,
        domain: '',
        inputs: list(used),
        outputs: list(made),
        attributes: toAttributes(attributes),
      }),
    ),
    inputs: list(inputs).map((input) => {
      const type = inputTypes[input];
      return type ? { name: input, type, shape: [] } : { name: input, type: 'float32' };
    }),
    outputs: list(outputs).map((output) => ({ name: output })),
    initializers: new Map([[`${name}/axes`, tensorOf('int64', [1])]]),
    valueInfo: new Map(),
  };
}

/** A node with nested graphs, and its outputs laid side by side. */
function nesting(
  opType: string,
  inputs: GradientCase['inputs'],
  shapes: readonly (readonly number[])[],
  attributes: Attributes,
  operands: (op: Op, x: readonly Value[]) => readonly (Value | null)[],
  extra: Partial<GradientCase> = {},
): GradientCase {
  return {
    op: opType,
    inputs,
    ...extra,
    build(op: Op, x: readonly Value[], emit: GraphBuilder['emit']) {
      const type = x.at(-1)?.type ?? 'float32';
      const types = shapes.map((shape) => ({ type, shape }));
      const made = emit(opType, operands(op, x), toAttributes(attributes), { types });
      return op.Concat(...made.map((value) => op.reshape(value, [-1])), { axis: 0 });
    },
  };
}

const yes = graph(
  'yes',
  '',
  [
    ['ya', 'Tanh', 'x1'],
    ['yb', 'Mul', 'ya x2'],
  ],
  'yb ya',
);
const no = graph(
  'no',
  '',
  [
    ['na', 'Sub', 'x2 x1'],
    ['nb', 'Exp', 'na'],
  ],
  'nb na',
);
/** Where it is not taken, neither its value nor its gradient is finite. */
const logarithm = graph(
  'log',
  '',
  [
    ['la', 'Log', 'x1'],
    ['lb', 'Mul', 'la x2'],
  ],
  'lb',
);
const square = graph(
  'square',
  '',
  [
    ['sa', 'Mul', 'x1 x1'],
    ['sb', 'Mul', 'sa x2'],
  ],
  'sb',
);
const nested = graph(
  'nested',
  '',
  [
    ['most', 'ReduceMax', 'x1', { keepdims: 0 }],
    ['zero', 'Sub', 'most most'],
    ['positive', 'Greater', 'most zero'],
    ['ia ib', 'If', 'positive', { then_branch: yes, else_branch: no }],
    ['ic', 'Neg', 'ia'],
  ],
  'ic ib',
);

const matrix = [2, 3];
/** Whether the sum of x1 is positive, which no constant tells. */
const signOf = (op: Op, x: readonly Value[]) => [op.Greater(op.sum(x[1] as Value), 0)];
const positive: Partial<GradientCase> = { range: [0.3, 2] };
const negative: Partial<GradientCase> = { range: [-2, -0.3] };
const flag = (on: boolean) => fixed('bool', [on ? 1 : 0], []);

const conditionals = [
  ...[true, false].map((on) =>
    nesting(
      'If',
      [flag(on), matrix, matrix],
      [matrix, matrix],
      { then_branch: yes, else_branch: no },
      (_, [x]) => [x as Value],
    ),
  ),
  ...[positive, negative].flatMap((where) => [
    nesting(
      'If',
      [flag(true), matrix, matrix],
      [matrix, matrix],
      { then_branch: yes, else_branch: no },
      signOf,
      where,
    ),
    nesting(
      'If',
      [flag(true), matrix, matrix],
      [matrix],
      { then_branch: logarithm, else_branch: square },
      signOf,
      where,
    ),
    nesting(
      'If',
      [flag(false), matrix, matrix],
      [matrix, matrix],
      { then_branch: nested, else_branch: no },
      signOf,
      where,
    ),
  ]),
];

/** next = tanh(h·r + x·w), y = 2·next; r and w come from outside. */
const cell = graph(
  'cell',
  'h x',
  [
    ['hr', 'MatMul', 'h x2'],
    ['xw', 'MatMul', 'x x3'],
    ['both', 'Add', 'hr xw'],
    ['next', 'Tanh', 'both'],
    ['y', 'Add', 'next next'],
  ],
  'next y',
);
const states = graph(
  'states',
  'a b p q',
  [
    ['s', 'Add', 'a p'],
    ['t', 'Mul', 'b q'],
    ['u', 'Mul', 's t'],
    ['r', 'ReduceSum', 'u states/axes', { keepdims: 0 }],
  ],
  's t u r',
);

const recurrence = (steps: number, attributes: Attributes = {}) =>
  nesting(
    'Scan',
    [
      [2, 4],
      [steps, 2, 3],
      [4, 4],
      [3, 4],
    ],
    [
      [2, 4],
      [steps, 2, 4],
    ],
    { body: cell, num_scan_inputs: 1, ...attributes },
    (_, x) => x.slice(0, 2),
    { range: [-0.9, 0.9] },
  );

const scans = [
  recurrence(1),
  recurrence(5),
  recurrence(3, { scan_input_directions: [1] }),
  recurrence(3, { scan_input_directions: [1], scan_output_directions: [1] }),
  nesting(
    'Scan',
    [
      [2, 2],
      [2, 2],
      [2, 3, 2],
      [2, 2, 3],
    ],
    [
      [2, 2],
      [2, 2],
      [2, 3, 2],
      [2, 3],
    ],
    {
      body: states,
      num_scan_inputs: 2,
      scan_input_axes: [1, -1],
      scan_input_directions: [0, 1],
      scan_output_axes: [1, -1],
      scan_output_directions: [1, 0],
    },
    (_, x) => x,
  ),
];

const turn = graph(
  'turn',
  'turn going h',
  [
    ['on', 'Identity', 'going'],
    ['p', 'Mul', 'h x2'],
    ['next', 'Sin', 'p'],
  ],
  'on next p',
);
const loops = [1, 3].map((turns) =>
  nesting(
    'Loop',
    [fixed('int64', [turns], []), matrix, matrix],
    [matrix, [turns, ...matrix]],
    { body: turn },
    (_, x) => [x[0] as Value, null, x[1] as Value],
  ),
);

/** Every turn goes on by a condition from outside. */
const boundLoop: GradientCase = {
  op: 'Loop',
  inputs: [fixed('int64', [2], []), fixed('bool', [1], []), matrix, matrix],
  build(op, x, emit) {
    const body = graph(
      'bound',
      'turn going h',
      [
        ['on', 'Cast', x[1]?.name ?? '', { to: 9 }],
        ['p', 'Mul', 'h x3'],
        ['next', 'Sin', 'p'],
      ],
      'on next p',
    );
    const shapes = [matrix, [2, ...matrix]];
    const types = shapes.map((shape) => ({ type: x[2]?.type ?? 'float32', shape }));
    const made = emit('Loop', x.slice(0, 3), toAttributes({ body }), { types });
    return op.Concat(...made.map((value) => op.reshape(value, [-1])), { axis: 0 });
  },
};

const longScans = scans.map((scan) => ({ ...scan, longestUnrolled: 0 }));

export const controlFlow: readonly GradientCase[] = [
  ...conditionals,
  ...scans,
  ...longScans,
  ...loops,
  boundLoop,
];
