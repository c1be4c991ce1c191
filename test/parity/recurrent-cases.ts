import type { Attributes } from '../../packages/core/src/graph/value.js';
import { type Fixed, fixed, type GradientCase } from '../support/check-gradients.js';

type Inputs = GradientCase['inputs'];

const cells = {
  RNN: { gates: 1, states: 1 },
  GRU: { gates: 3, states: 1 },
  LSTM: { gates: 4, states: 2 },
};

interface Options {
  readonly steps?: number;
  readonly batch?: number;
  readonly bias?: boolean;
  readonly lengths?: readonly number[];
  readonly initial?: boolean;
  readonly peepholes?: boolean;
  readonly outputs?: number;
}

const [features, hidden] = [3, 4];

/** A recurrent op with the optional inputs that are asked for; everything but the lengths is differentiated. */
function recurrent(
  op: keyof typeof cells,
  attributes: Attributes,
  options: Options = {},
): GradientCase {
  const { gates, states } = cells[op];
  const {
    steps = 3,
    batch = 2,
    bias = true,
    lengths,
    initial = false,
    peepholes = false,
  } = options;
  const ways = attributes.direction === 'bidirectional' ? 2 : 1;
  const lens: Fixed | null = lengths ? fixed('int32', lengths) : null;
  const state = initial ? [ways, batch, hidden] : null;
  const inputs: Inputs = [
    [steps, batch, features],
    [ways, gates * hidden, features],
    [ways, gates * hidden, hidden],
    bias ? [ways, 2 * gates * hidden] : null,
    lens,
    state,
    ...(states === 2 ? [state] : []),
    ...(peepholes ? [[ways, 3 * hidden]] : []),
  ];
  while (inputs.at(-1) === null) (inputs as unknown[]).pop();
  return {
    op,
    inputs,
    attributes: { hidden_size: hidden, ...attributes },
    range: [-0.9, 0.9],
    outputs: options.outputs ?? 1 + states,
  };
}

const ways = ['forward', 'reverse', 'bidirectional'];
const ops = ['RNN', 'GRU', 'LSTM'] as const;

const activations: Readonly<Record<(typeof ops)[number], readonly Attributes[]>> = {
  RNN: [
    { activations: ['Relu'] },
    { activations: ['Affine'], activation_alpha: [0.7], activation_beta: [0.2] },
    { activations: ['LeakyRelu'], activation_alpha: [0.3] },
    { activations: ['ThresholdedRelu'], activation_alpha: [0.1] },
    { activations: ['ScaledTanh'], activation_alpha: [0.8], activation_beta: [0.6] },
    { activations: ['HardSigmoid'], activation_alpha: [0.3], activation_beta: [0.4] },
    { activations: ['Elu'], activation_alpha: [0.7] },
    { activations: ['Softsign'] },
    { activations: ['Softplus'] },
    {
      activations: ['LeakyRelu', 'ScaledTanh'],
      activation_alpha: [0.3, 0.8],
      activation_beta: [0.6],
      direction: 'bidirectional',
    },
  ],
  GRU: [
    { activations: ['HardSigmoid', 'Softsign'], activation_alpha: [0.3], activation_beta: [0.4] },
    { activations: ['Tanh', 'Relu', 'Sigmoid', 'Tanh'], direction: 'bidirectional' },
  ],
  LSTM: [
    { activations: ['Sigmoid', 'Relu', 'Softsign'] },
    {
      activations: ['HardSigmoid', 'Tanh', 'Tanh', 'Sigmoid', 'Softsign', 'Relu'],
      activation_alpha: [0.3],
      activation_beta: [0.4],
      direction: 'bidirectional',
    },
  ],
};

/** Layout 1, whose kernel ORT lacks: the batch comes first in every tensor but the weights. */
export const batchFirst: readonly GradientCase[] = ops.flatMap((op) =>
  ways.map((direction) => {
    const stepsFirst = recurrent(op, { direction }, { initial: true, lengths: [3, 2] });
    const swapped = (shape: GradientCase['inputs'][number], i: number) => {
      if (!Array.isArray(shape) || (i !== 0 && i !== 5 && i !== 6)) return shape;
      const [a, b, ...rest] = shape as readonly number[];
      return [b ?? 0, a ?? 0, ...rest];
    };
    return {
      ...stepsFirst,
      inputs: stepsFirst.inputs.map(swapped),
      attributes: { ...stepsFirst.attributes, layout: 1 },
    };
  }),
);

export const recurrence: readonly GradientCase[] = [
  ...ops.flatMap((op) => [
    ...ways.flatMap((direction) => [
      recurrent(op, { direction }),
      recurrent(op, { direction }, { bias: false, outputs: 1 }),
      recurrent(op, { direction }, { initial: true }),
      recurrent(op, { direction }, { lengths: [3, 1], initial: true }),
      recurrent(op, { direction }, { lengths: [2, 3] }),
    ]),
    recurrent(op, {}, { lengths: [3, 3] }),
    recurrent(op, {}, { steps: 1, batch: 1 }),
    recurrent(op, {}, { steps: 6, batch: 1, initial: true }),
    recurrent(op, { clip: 0.4 }, { initial: true }),
    ...activations[op].map((a) => recurrent(op, a, { initial: true })),
  ]),
  ...ways.flatMap((direction) => [
    recurrent('GRU', { direction, linear_before_reset: 1 }),
    recurrent('GRU', { direction, linear_before_reset: 1 }, { initial: true, lengths: [1, 3] }),
    recurrent('GRU', { direction, linear_before_reset: 1 }, { bias: false }),
    recurrent('LSTM', { direction }, { peepholes: true }),
    recurrent('LSTM', { direction }, { peepholes: true, initial: true, lengths: [2, 3] }),
    recurrent('LSTM', { direction, input_forget: 1 }, { initial: true }),
  ]),
];

/** The same as Scans, the form of long sequences. */
export const recurrenceAsScan: readonly GradientCase[] = [...recurrence, ...batchFirst].map(
  (checked) => ({ ...checked, longestUnrolled: 0 }),
);
