import { generator, type LoweringCase, like, map } from '../../support/compare.js';

const random = generator(11);

const shapes: readonly (readonly number[])[] = [[7], [3, 5], [2, 3, 4, 5], []];

function ofShape(shape: readonly number[]): readonly LoweringCase[] {
  // A scalar away from where its gradient vanishes: errors are relative to it alone.
  const spread = (v: number) => (shape.length === 0 ? v / 2 + 1 : v * 4);
  const [dy, x] = [random(...shape), map(random(...shape), spread)];
  const sigmoid = map(x, (v) => 1 / (1 + Math.exp(-v)));
  const relu = map(x, (v) => Math.max(v, 0));
  const plain = [
    ['ReluGrad', x, {}],
    ['ReluGrad', relu, {}],
    ['SigmoidGrad', sigmoid, {}],
    ['TanhGrad', map(x, Math.tanh), {}],
    ['GeluGrad', x, {}],
    ['FastGeluGrad', x, {}],
    ['QuickGeluGrad', x, {}],
    ['QuickGeluGrad', x, { alpha: 1.25 }],
    ['LeakyReluGrad', x, {}],
    ['LeakyReluGrad', x, { alpha: 0.3 }],
    // Not of scalars.
    ...(shape.length === 0
      ? []
      : ([
          ['SoftmaxGrad_13', sigmoid, {}],
          ['LogSoftmaxGrad_13', x, {}],
        ] as const)),
  ] as const;
  return plain.map(([opType, second, attributes]) => ({
    opType,
    inputs: [dy, second],
    attributes,
    outputs: [like(dy)],
    note: second === relu ? 'from y' : '',
  }));
}

const biased = ['BiasGeluGrad_dX', 'BiasFastGeluGrad_dX'].flatMap((opType) =>
  [[5], [3, 4, 5]].map((shape): LoweringCase => {
    const inputs = [random(...shape), random(...shape), random(5)];
    return { opType, inputs, outputs: [{ type: 'float32', shape }] };
  }),
);

const [dy, y] = [random(2, 3, 4, 5), map(random(2, 3, 4, 5), (v) => v / 2)];

const softmax = ['SoftmaxGrad', 'LogSoftmaxGrad'].flatMap((opType) =>
  [undefined, 0, 1, 2, 3, -1, -3].flatMap((axis): readonly LoweringCase[] => {
    const shared = { inputs: [dy, y], attributes: { axis }, outputs: [like(dy)] };
    return [
      { ...shared, opType },
      { ...shared, opType: `${opType}_13` },
    ];
  }),
);

export const activations: readonly LoweringCase[] = [
  ...shapes.flatMap(ofShape),
  ...biased,
  ...softmax,
];
