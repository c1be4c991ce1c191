import { dataTypeOf } from '../../onnx/element-types.js';
import { int } from '../value.js';
import {
  broadcastShapes,
  input,
  like,
  problem,
  type ShapeContext,
  type ShapeRule,
} from './rule.js';

function present(context: ShapeContext) {
  return context.x.map((_, i) => input(context, i));
}

function broadcast(context: ShapeContext) {
  const inputs = present(context);
  return { type: input(context, 0).type, shape: broadcastShapes(...inputs.map((x) => x.shape)) };
}

function compare(context: ShapeContext) {
  return { ...broadcast(context), type: 'bool' as const };
}

function logical(context: ShapeContext) {
  return { ...like(0)(context), type: 'bool' as const };
}

const same = like(0);

export const elementwiseShapes = {
  Abs: same,
  Acos: same,
  Acosh: same,
  Asin: same,
  Asinh: same,
  Atan: same,
  Atanh: same,
  Ceil: same,
  Celu: same,
  Clip: same,
  Cos: same,
  Cosh: same,
  CumSum: same,
  Elu: same,
  Erf: same,
  Exp: same,
  Floor: same,
  Gelu: same,
  HardSigmoid: same,
  HardSwish: same,
  Hardmax: same,
  Identity: same,
  LeakyRelu: same,
  LRN: same,
  Log: same,
  LogSoftmax: same,
  LpNormalization: same,
  MeanVarianceNormalization: same,
  Mish: same,
  Neg: same,
  Not: same,
  PRelu: same,
  Reciprocal: same,
  Relu: same,
  Round: same,
  Selu: same,
  Shrink: same,
  Sigmoid: same,
  Sign: same,
  Sin: same,
  Sinh: same,
  Softmax: same,
  Softplus: same,
  Softsign: same,
  Sqrt: same,
  Tan: same,
  Tanh: same,
  ThresholdedRelu: same,
  Trilu: same,
  FastGelu: same,
  QuickGelu: same,
  BiasGelu: same,
  IsNaN: logical,
  IsInf: logical,
  Add: broadcast,
  BitShift: broadcast,
  BitwiseAnd: broadcast,
  BitwiseOr: broadcast,
  BitwiseXor: broadcast,
  Div: broadcast,
  Max: broadcast,
  Mean: broadcast,
  Min: broadcast,
  Mod: broadcast,
  Mul: broadcast,
  Pow: broadcast,
  Sub: broadcast,
  Sum: broadcast,
  And: compare,
  Or: compare,
  Xor: compare,
  Equal: compare,
  Greater: compare,
  GreaterOrEqual: compare,
  Less: compare,
  LessOrEqual: compare,
  Where: (context: ShapeContext) => ({
    type: input(context, 1).type,
    shape: broadcastShapes(...present(context).map((x) => x.shape)),
  }),
  Cast: (context: ShapeContext) => {
    const to = int(context.attributes, 'to', 0);
    return {
      type: dataTypeOf(to) ?? problem(`Cast to type ${to}`),
      shape: input(context, 0).shape,
    };
  },
  CastLike: (context: ShapeContext) => ({
    type: input(context, 1).type,
    shape: input(context, 0).shape,
  }),
  DequantizeLinear: (context: ShapeContext) => ({
    type: input(context, 1).type,
    shape: input(context, 0).shape,
  }),
  QuantizeLinear: (context: ShapeContext) => ({
    type: context.x[2]?.type ?? dataTypeOf(int(context.attributes, 'output_dtype', 0)) ?? 'uint8',
    shape: input(context, 0).shape,
  }),
} satisfies Record<string, ShapeRule>;
