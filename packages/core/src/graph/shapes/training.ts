import { int, normalizeAxis, type TensorType, text } from '../value.js';
import {
  broadcastShapes,
  constant,
  input,
  like,
  problem,
  type ShapeContext,
  type ShapeRule,
} from './rule.js';

/** Gradients of several inputs: each has the shape of the input that it belongs to. */
function gradientsOf(...sources: readonly number[]) {
  return (context: ShapeContext): readonly TensorType[] =>
    sources.filter((i) => context.x[i] !== undefined).map((i) => like(i)(context));
}

function shapeFrom(shapeInput: number, dataInput: number) {
  return (context: ShapeContext): TensorType => ({
    type: input(context, dataInput).type,
    shape: constant(context, shapeInput),
  });
}

function biasOf(weight: TensorType, axis: number): TensorType {
  return { type: weight.type, shape: [weight.shape[axis] ?? 0] };
}

function broadcastAxes(own: readonly number[], other: readonly number[]): TensorType {
  return { type: 'int64', shape: [reducedAxes(own, other).length] };
}

/** The axes, last to first, that the gradient of an operand of shape `own` must be summed over after it was
 *  broadcast against `other`: ORT's BroadcastGradientArgs. */
export function reducedAxes(own: readonly number[], other: readonly number[]): number[] {
  const full = broadcastShapes(own, other);
  const missing = full.length - own.length;
  return full
    .map((dim, axis) => (axis < missing || (own[axis - missing] === 1 && dim !== 1) ? axis : -1))
    .filter((axis) => axis >= 0)
    .reverse();
}

const same = like(0);

/** One loss for each label, or one for all. */
function reducedLoss(context: ShapeContext): TensorType {
  const none = text(context.attributes, 'reduction', 'mean') === 'none';
  return { type: input(context, 0).type, shape: none ? input(context, 1).shape : [] };
}

function rowLoss(context: ShapeContext): readonly TensorType[] {
  const scores = like(0)(context);
  return [{ type: scores.type, shape: [] }, scores];
}

/** The ops of ORT's own training dialect. Domains are in ../dialect.ts. */
export const trainingShapes = {
  ReluGrad: same,
  SigmoidGrad: same,
  TanhGrad: same,
  GeluGrad: same,
  FastGeluGrad: same,
  QuickGeluGrad: same,
  BiasGeluGrad_dX: same,
  BiasFastGeluGrad_dX: same,
  LeakyReluGrad: same,
  SoftmaxGrad: same,
  SoftmaxGrad_13: same,
  LogSoftmaxGrad: same,
  LogSoftmaxGrad_13: same,
  DropoutGrad: same,
  FakeQuantGrad: same,
  Scale: same,
  PassThrough: (context: ShapeContext): readonly TensorType[] =>
    context.x.map((_, i) => like(i)(context)),
  SoftmaxCrossEntropyLossGrad: like(1),
  SoftmaxCrossEntropyLossInternalGrad: like(1),
  SoftmaxCrossEntropyGrad: like(1),
  SparseSoftmaxCrossEntropyGrad: like(1),
  SoftmaxCrossEntropy: rowLoss,
  SparseSoftmaxCrossEntropy: rowLoss,
  NegativeLogLikelihoodLossInternal: reducedLoss,
  NegativeLogLikelihoodLossInternal2: reducedLoss,
  SoftmaxCrossEntropyLossInternal: (context: ShapeContext): readonly TensorType[] => {
    return [reducedLoss(context), like(0)(context)];
  },
  ConvGrad: (context: ShapeContext): readonly TensorType[] => [
    like(1)(context),
    like(2)(context),
    biasOf(input(context, 2), 0),
  ],
  ConvTransposeGrad: (context: ShapeContext): readonly TensorType[] => {
    const w = input(context, 2);
    const bias = { type: w.type, shape: [(w.shape[1] ?? 0) * int(context.attributes, 'group', 1)] };
    return [like(1)(context), like(2)(context), bias];
  },
  ResizeGrad: like(1),
  MaxPoolGrad: (context: ShapeContext): TensorType =>
    context.producerInput(1, 0) ?? problem('the MaxPool that made the indices is not in the graph'),
  AveragePoolGrad: (): TensorType => problem('its shape is that of the pooling input'),
  LayerNormalizationGrad: gradientsOf(1, 2, 2),
  InvertibleLayerNormalizationGrad: gradientsOf(1, 2, 2),
  SimplifiedLayerNormalizationGrad: gradientsOf(1, 2),
  BatchNormalizationGrad: gradientsOf(1, 2, 2),
  BatchNormInternal: gradientsOf(0, 3, 4, 3, 4),
  GatherGrad: shapeFrom(0, 2),
  GatherNDGrad: shapeFrom(0, 2),
  GatherElementsGrad: shapeFrom(1, 0),
  SliceGrad: shapeFrom(1, 0),
  ShrunkenGather: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    const axis = normalizeAxis(int(context.attributes, 'axis', 0), shape.length);
    return { type, shape: shape.toSpliced(axis, 1, ...input(context, 1).shape) };
  },
  PadAndUnflatten: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    return { type, shape: [...constant(context, 2), ...shape.slice(1)] };
  },
  FlattenAndUnpad: (context: ShapeContext): readonly TensorType[] => {
    const { type, shape } = input(context, 0);
    const rows = input(context, 1).shape;
    return [
      { type, shape: [...rows, ...shape.slice(2)] },
      { type: 'int64', shape: [2] },
    ];
  },
  SplitTraining: (context: ShapeContext): readonly TensorType[] => {
    const { type, shape } = input(context, 0);
    const axis = int(context.attributes, 'axis', 0);
    const at = normalizeAxis(axis, shape.length);
    return constant(context, 1).map((size) => ({
      type,
      shape: shape.map((dim, a) => (a === at ? size : dim)),
    }));
  },
  ConcatTraining: (context: ShapeContext): readonly TensorType[] => {
    const first = input(context, 0);
    const axis = int(context.attributes, 'axis', 0);
    const at = normalizeAxis(axis, first.shape.length);
    const length = context.x.reduce((sum, x) => sum + (x?.shape[at] ?? 0), 0);
    return [
      { type: first.type, shape: first.shape.map((dim, a) => (a === at ? length : dim)) },
      { type: 'int64', shape: [context.x.length] },
    ];
  },
  BroadcastGradientArgs: (context: ShapeContext): readonly TensorType[] => {
    const [a, b] = [constant(context, 0), constant(context, 1)];
    return [broadcastAxes(a, b), broadcastAxes(b, a)];
  },
  ReduceSumTraining: (context: ShapeContext): TensorType => {
    const { type, shape } = input(context, 0);
    const axes = constant(context, 1).map((axis) => normalizeAxis(axis, shape.length));
    if (axes.length === 0 && int(context.attributes, 'noop_with_empty_axes', 0) === 1)
      return { type, shape };
    const all = axes.length === 0 ? shape.map((_, axis) => axis) : axes;
    return {
      type,
      shape:
        int(context.attributes, 'keepdims', 1) === 1
          ? shape.map((dim, axis) => (all.includes(axis) ? 1 : dim))
          : shape.filter((_, axis) => !all.includes(axis)),
    };
  },
  DivGrad: gradientsOf(1, 2),
  FakeQuant: (context: ShapeContext): readonly TensorType[] => [
    like(0)(context),
    { type: 'bool', shape: input(context, 0).shape },
  ],
  ScaledSum: same,
  BatchScale: (context: ShapeContext): readonly TensorType[] =>
    Array.from({ length: context.outputCount }, () => like(0)(context)),
  Group: (): TensorType => ({ type: 'bool', shape: [1] }),
  ReduceAllL2: (context: ShapeContext): TensorType => ({ type: input(context, 0).type, shape: [] }),
  InPlaceAccumulator: same,
  InPlaceAccumulatorV2: (context: ShapeContext): readonly TensorType[] => [
    { type: 'bool', shape: [1] },
    like(0)(context),
  ],
  ZeroGradient: same,
  LSTMGrad: (context: ShapeContext): readonly TensorType[] => recurrentGradients(context, 4),
  GRUGrad: (context: ShapeContext): readonly TensorType[] => recurrentGradients(context, 3),
  LSTMTraining: (context: ShapeContext): readonly TensorType[] => recurrent(context, 4),
  GRUTraining: (context: ShapeContext): readonly TensorType[] => recurrent(context, 3),
} satisfies Record<string, ShapeRule>;

function recurrent(context: ShapeContext, gates: 3 | 4): readonly TensorType[] {
  const { type, shape } = input(context, 0);
  const [steps = 0, batch = 0] = shape;
  const [directions = 1, , width = 0] = input(context, 2).shape;
  const hidden = int(context.attributes, 'hidden_size', width);
  const all = { type, shape: [steps, directions, batch, hidden] };
  const last = { type, shape: [directions, batch, hidden] };
  const stash = { type, shape: [steps, directions, batch, gates * hidden] };
  return gates === 4 ? [all, last, last, all, stash] : [all, last, stash];
}

/** Of X, W, R, the biases, and the initial states; of an LSTM's peepholes, too. */
function recurrentGradients(context: ShapeContext, gates: 3 | 4): readonly TensorType[] {
  const [x, w, r] = [0, 1, 2].map((i) => like(i)(context)) as [TensorType, TensorType, TensorType];
  const [batch = 0] = x.shape.slice(1);
  const [directions = 1, , hidden = 0] = r.shape;
  const of = (...shape: readonly number[]): TensorType => ({ type: x.type, shape });
  const state = of(directions, batch, hidden);
  const shared = [x, w, r, of(directions, 2 * gates * hidden), state];
  return gates === 4 ? [...shared, state, of(directions, 3 * hidden)] : shared;
}
