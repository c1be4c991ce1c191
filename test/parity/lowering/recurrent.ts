import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, type LoweringCase, map } from '../../support/compare.js';

const random = generator(21);
const float = (...shape: readonly number[]) => ({ type: 'float32', shape }) as const;

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
}

const sizes: readonly Sizes[] = [
  { steps: 1, batch: 1, features: 1, hidden: 1 },
  { steps: 1, batch: 2, features: 3, hidden: 2 },
  { steps: 4, batch: 1, features: 2, hidden: 3 },
  { steps: 9, batch: 3, features: 5, hidden: 4 },
];

/** Every way to leave optional inputs out that the kernel knows. */
const variants = [
  { bias: false, states: false },
  { bias: true, states: false },
  { bias: false, states: true },
  { bias: true, states: true },
] as const;

const grid = sizes.flatMap((size) => variants.map((variant) => ({ ...size, ...variant })));
type Variant = (typeof grid)[number];

/** Post-activation gates lie in (0, 1), candidates in (-1, 1): so do what these are made of. */
const sigmoids = (...dims: number[]) => map(random(...dims), (v) => (v + 1) / 2);

function weights({ features, hidden }: Sizes, gates: number) {
  return [random(1, gates * hidden, features), random(1, gates * hidden, hidden)] as const;
}

function lstmForward(variant: Variant, peepholes: boolean): LoweringCase {
  const { steps, batch, features, hidden, bias, states } = variant;
  const state = () => (states ? random(1, batch, hidden) : undefined);
  return {
    opType: 'LSTMTraining',
    inputs: [
      random(steps, batch, features),
      ...weights(variant, 4),
      bias ? random(1, 8 * hidden) : undefined,
      undefined,
      state(),
      state(),
      peepholes ? random(1, 3 * hidden) : undefined,
    ],
    attributes: { hidden_size: hidden },
    outputs: [
      float(steps, 1, batch, hidden),
      float(1, batch, hidden),
      float(1, batch, hidden),
      float(steps, 1, batch, hidden),
      float(steps, 1, batch, 4 * hidden),
    ],
  };
}

/** Gates side by side along the last axis: sigmoids, then the candidate. */
function gatesOf({ steps, batch, hidden }: Sizes, sigmoid: number): TensorData {
  const [gates, width] = [
    sigmoids(steps, 1, batch, (sigmoid + 1) * hidden),
    (sigmoid + 1) * hidden,
  ];
  return map(gates, (v, i) => (i % width < sigmoid * hidden ? v : 2 * v - 1));
}

/** Which gradients come in: of all states, of the last ones, or of both. */
const upstream = [
  { all: true, last: false },
  { all: false, last: true },
  { all: true, last: true },
] as const;

function lstmBackward(variant: Variant, given: (typeof upstream)[number]): LoweringCase {
  const { steps, batch, features, hidden, states } = variant;
  const state = (wanted: boolean) => (wanted ? random(1, batch, hidden) : undefined);
  const all = () => random(steps, 1, batch, hidden);
  const w = weights(variant, 4);
  return {
    opType: 'LSTMGrad',
    inputs: [
      random(steps, batch, features),
      ...w,
      undefined,
      state(states),
      state(states),
      all(),
      all(),
      gatesOf(variant, 3),
      given.all ? all() : undefined,
      state(given.last),
      state(given.last),
    ],
    attributes: { hidden_size: hidden },
    outputs: [
      float(steps, batch, features),
      float(...w[0].dims),
      float(...w[1].dims),
      float(1, 8 * hidden),
      ...(states ? [float(1, batch, hidden), float(1, batch, hidden)] : [undefined, undefined]),
      float(1, 3 * hidden),
    ],
  };
}

function gruForward(variant: Variant, linear_before_reset: number): LoweringCase {
  const { steps, batch, features, hidden, bias, states } = variant;
  return {
    opType: 'GRUTraining',
    inputs: [
      random(steps, batch, features),
      ...weights(variant, 3),
      bias ? random(1, 6 * hidden) : undefined,
      undefined,
      states ? random(1, batch, hidden) : undefined,
    ],
    attributes: { hidden_size: hidden, linear_before_reset },
    outputs: [
      float(steps, 1, batch, hidden),
      float(1, batch, hidden),
      float(steps, 1, batch, 3 * hidden),
    ],
  };
}

function gruBackward(
  variant: Variant,
  given: (typeof upstream)[number],
  linear_before_reset: number,
): LoweringCase {
  const { steps, batch, features, hidden, bias, states } = variant;
  const w = weights(variant, 3);
  const all = () => random(steps, 1, batch, hidden);
  return {
    opType: 'GRUGrad',
    inputs: [
      random(steps, batch, features),
      ...w,
      bias ? random(1, 6 * hidden) : undefined,
      undefined,
      states ? random(1, batch, hidden) : undefined,
      all(),
      gatesOf(variant, 2),
      given.all ? all() : undefined,
      given.last ? random(1, batch, hidden) : undefined,
    ],
    attributes: { hidden_size: hidden, linear_before_reset },
    outputs: [
      float(steps, batch, features),
      float(...w[0].dims),
      float(...w[1].dims),
      float(1, 6 * hidden),
      states ? float(1, batch, hidden) : undefined,
    ],
  };
}

const small = { steps: 3, batch: 2, features: 2, hidden: 2, bias: true, states: true } as const;

export const recurrent: readonly LoweringCase[] = [
  ...grid.flatMap((variant) => [false, true].map((peep) => lstmForward(variant, peep))),
  ...grid.flatMap((variant) => upstream.map((given) => lstmBackward(variant, given))),
  ...grid.flatMap((variant) => [0, 1].map((reset) => gruForward(variant, reset))),
  ...grid.flatMap((variant) =>
    upstream.flatMap((given) => [0, 1].map((reset) => gruBackward(variant, given, reset))),
  ),
  {
    ...lstmForward(small, false),
    attributes: { hidden_size: 2, activations: ['sigmoid', 'tanh', 'tanh'], direction: 'forward' },
  },
].map((given) => ({ ...given, tolerance: 1e-5 }));

export const unknownVariants: readonly (readonly [string, LoweringCase])[] = [
  [
    'a direction',
    { ...gruForward(small, 0), attributes: { hidden_size: 2, direction: 'reverse' } },
  ],
  ['clip', { ...gruForward(small, 0), attributes: { hidden_size: 2, clip: 1.5 } }],
  [
    'the activations',
    { ...gruForward(small, 0), attributes: { hidden_size: 2, activations: ['relu', 'tanh'] } },
  ],
  [
    'sequence lengths',
    {
      ...lstmForward(small, false),
      inputs: lstmForward(small, false).inputs.with(4, tensorOf('int32', [1, 3])),
    },
  ],
];
