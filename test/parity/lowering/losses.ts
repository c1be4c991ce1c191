import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { elementCount } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, int64, type LoweringCase, like, map } from '../../support/compare.js';
import { runOracleNode } from '../../support/ort-training.js';

const random = generator(12);
const scalar = { type: 'float32' as const, shape: [] };

/** log softmax along an axis. */
function logSoftmax(scores: TensorData, axis: number): TensorData {
  const inner = elementCount(scores.dims.slice(axis + 1));
  const classes = scores.dims[axis] ?? 1;
  const data = Array.from(scores.data as Float32Array);
  return map(scores, (value, i) => {
    const start = i - (Math.floor(i / inner) % classes) * inner;
    const row = Array.from({ length: classes }, (_, c) => Math.exp(data[start + c * inner] ?? 0));
    return value - Math.log(row.reduce((sum, e) => sum + e, 0));
  });
}

function labelsFor(
  dims: readonly number[],
  classes: number,
  type: 'int32' | 'int64',
  ignored: number | undefined,
) {
  const raw = Array.from(random(...dims).data as Float32Array);
  const values = raw.map((v, i) =>
    i % 3 === 1 && ignored !== undefined ? ignored : Math.floor(((v + 1) / 2) * classes),
  );
  return tensorOf(type, values, dims);
}

const shapes: readonly (readonly number[])[] = [
  [5, 4],
  [2, 3, 4],
  [2, 3, 2, 3],
];
const reductions = ['mean', 'sum', 'none'] as const;

interface Setting {
  readonly shape: readonly number[];
  readonly reduction: (typeof reductions)[number];
  readonly weighted: boolean;
  readonly ignored: number | undefined;
}

const grid: readonly Setting[] = shapes.flatMap((shape) =>
  reductions.flatMap((reduction) =>
    [false, true].flatMap((weighted) =>
      [undefined, -1, -100, 1].map((ignored) => ({ shape, reduction, weighted, ignored })),
    ),
  ),
);

function partsOf({ shape, reduction, weighted, ignored }: Setting) {
  const [batch = 1, classes = 1, ...rest] = shape;
  const type = shape.length === 3 ? ('int32' as const) : ('int64' as const);
  const scores = map(random(...shape), (v) => v * 3);
  const labels = labelsFor([batch, ...rest], classes, type, ignored);
  const weights = weighted ? map(random(classes), (v) => v + 1.5) : undefined;
  const none = reduction === 'none';
  return {
    scores,
    labels,
    weights,
    logProbability: logSoftmax(scores, 1),
    dy: none ? random(...labels.dims) : tensorOf('float32', [1.75], []),
    loss: none ? { type: 'float32' as const, shape: labels.dims } : scalar,
  };
}

function standard(setting: Setting): readonly LoweringCase[] {
  const { scores, labels, weights, logProbability, dy, loss } = partsOf(setting);
  const attributes = { reduction: setting.reduction, ignore_index: setting.ignored };
  const note = `ignored ${setting.ignored}`;
  return [
    {
      opType: 'SoftmaxCrossEntropyLoss',
      inputs: [scores, labels, weights],
      attributes,
      outputs: [loss, like(scores)],
      note,
    },
    {
      opType: 'SoftmaxCrossEntropyLossGrad',
      inputs: [dy, logProbability, labels, weights],
      attributes,
      outputs: [like(scores)],
      note,
    },
  ];
}

/** The forms that ORT keeps to itself: the ignored label is an input, known or not, and the result may be added
 *  to something. */
function internal(setting: Setting, constant: boolean): readonly LoweringCase[] {
  const { scores, labels, weights, logProbability, dy, loss } = partsOf(setting);
  const ignored = setting.ignored === undefined ? undefined : int64([setting.ignored], []);
  const attributes = { reduction: setting.reduction };
  const note = `ignored ${setting.ignored}`;
  const constants = (i: number) => (constant ? [i] : []);
  return [
    {
      opType: 'SoftmaxCrossEntropyLossInternal',
      inputs: [scores, labels, weights, ignored],
      constants: constants(3),
      attributes,
      outputs: [loss, like(scores)],
      note,
    },
    {
      opType: 'NegativeLogLikelihoodLossInternal2',
      inputs: [logProbability, labels, weights, ignored],
      constants: constants(3),
      attributes,
      outputs: [loss],
      note,
    },
    {
      opType: 'SoftmaxCrossEntropyLossInternalGrad',
      inputs: [dy, logProbability, labels, weights, ignored],
      constants: constants(4),
      attributes,
      outputs: [like(scores)],
      note,
    },
    {
      opType: 'SoftmaxCrossEntropyLossInternalGrad',
      inputs: [dy, logProbability, labels, weights, ignored, random(elementCount(setting.shape))],
      constants: constants(4),
      attributes,
      outputs: [like(scores)],
      note: `${note}, added`,
    },
  ];
}

function likelihood(setting: Setting): readonly LoweringCase[] {
  const { logProbability, labels, weights, loss } = partsOf(setting);
  const attributes = { reduction: setting.reduction, ignore_index: setting.ignored };
  const plain: LoweringCase = {
    opType: 'NegativeLogLikelihoodLoss',
    inputs: [logProbability, labels, weights],
    attributes,
    outputs: [loss],
    note: `ignored ${setting.ignored}`,
  };
  // Without a label to ignore ORT's own form takes -1, the standard one none at all.
  const told = { ...plain, attributes: { ...attributes, ignore_index: setting.ignored ?? -1 } };
  const reference = {
    by: 'NegativeLogLikelihoodLoss',
    because: 'its body does not load',
    outputs: () => runOracleNode(told),
  };
  return [plain, { ...plain, opType: 'NegativeLogLikelihoodLossInternal', reference }];
}

/** The oldest losses: the classes are the last axis. */
function rows(shape: readonly number[], reduction: 'mean' | 'sum'): readonly LoweringCase[] {
  const [lead, classes] = [shape.slice(0, -1), shape.at(-1) ?? 1];
  const scores = map(random(...shape), (v) => v * 3);
  const logProbability = logSoftmax(scores, shape.length - 1);
  const probabilities = map(random(...shape), (v) => (v + 1) / 2);
  const labels = labelsFor(lead, classes, 'int64', undefined);
  const dy = tensorOf('float32', [1.75], []);
  const attributes = { reduction };
  const sparse = [undefined, map(random(...lead), (v) => v + 1.5)].flatMap(
    (weights): readonly LoweringCase[] => [
      {
        opType: 'SparseSoftmaxCrossEntropy',
        inputs: [scores, labels, ...(weights ? [weights] : [])],
        attributes,
        outputs: [scalar, like(scores)],
      },
      {
        opType: 'SparseSoftmaxCrossEntropyGrad',
        inputs: [dy, logProbability, labels, ...(weights ? [weights] : [])],
        attributes,
        outputs: [like(scores)],
      },
    ],
  );
  return [
    ...sparse,
    {
      opType: 'SoftmaxCrossEntropy',
      inputs: [scores, probabilities],
      attributes,
      outputs: [scalar, like(scores)],
    },
    {
      opType: 'SoftmaxCrossEntropyGrad',
      inputs: [dy, logProbability, probabilities],
      attributes,
      outputs: [like(scores)],
    },
  ];
}

/** Every label ignored: ORT's kernels do not divide by the 0 that is left. */
const nothingCounts: readonly LoweringCase[] = ['mean', 'sum'].flatMap((reduction) => {
  const [scores, labels] = [random(2, 3), int64([-1, -1])];
  const attributes = { reduction, ignore_index: -1 };
  const shared = { attributes, note: 'all ignored' };
  return [
    {
      ...shared,
      opType: 'SoftmaxCrossEntropyLoss',
      inputs: [scores, labels],
      outputs: [scalar, like(scores)],
    },
    {
      ...shared,
      opType: 'SoftmaxCrossEntropyLossGrad',
      inputs: [tensorOf('float32', [2], []), logSoftmax(scores, 1), labels],
      outputs: [like(scores)],
    },
  ];
});

export const losses: readonly LoweringCase[] = [
  ...grid.flatMap(standard),
  ...grid.flatMap((setting, i) => internal(setting, i % 3 === 0)),
  ...grid.flatMap(likelihood),
  ...[
    [4, 3],
    [2, 3, 5],
    [6, 1],
  ].flatMap((shape) => (['mean', 'sum'] as const).flatMap((reduction) => rows(shape, reduction))),
  ...nothingCounts,
];
