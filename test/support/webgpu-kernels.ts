import type { Node } from '../../packages/core/src/onnx/ir.js';

/** Ops of opset 21 that onnxruntime-node 1.30's WebGPU provider ran itself, in a session without fallback, with the
 *  CPU's results. */
const kernels = new Set(
  `Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BiasGelu Cast CastLike Ceil
  Clip Concat ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf
  Exp Expand FastGelu Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
  GreaterOrEqual HardSigmoid HardSwish Identity If InstanceNormalization LSTM LayerNormalization LeakyRelu Less
  LessOrEqual Log LpNormalization MatMul Max MaxPool Min Mish Mul MultiHeadAttention Neg Not PRelu Pad Pow QuickGelu
  Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
  ReduceSumSquare Relu Reshape Resize RotaryEmbedding ScatterElements ScatterND Shape Sigmoid
  SimplifiedLayerNormalization Sin Sinh SkipLayerNormalization SkipSimplifiedLayerNormalization Slice Softmax Softplus
  Split Sqrt Squeeze Sub Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where`.split(
    /\s+/,
  ),
);

/** Ops that move or compare whatever type they get, by the place of the data: those of int64 run on the CPU. */
const data: Readonly<Record<string, number>> = {
  Add: 0,
  Cast: 0,
  Concat: 0,
  Div: 0,
  Equal: 0,
  Expand: 0,
  Gather: 0,
  Less: 0,
  Mul: 0,
  ReduceSum: 0,
  Reshape: 0,
  Slice: 0,
  Sub: 0,
  Transpose: 0,
  Where: 1,
};

/** What the provider would leave to the CPU, or refuse; undefined for what it runs. */
export function leftToCpu(
  node: Node,
  typeOf: (name: string) => string | undefined,
): string | undefined {
  const { opType, outputs, attributes } = node;
  if (!kernels.has(opType)) return opType;
  if (opType === 'MaxPool' && (outputs[1] ?? '') !== '') return 'MaxPool with Indices';
  if (opType === 'BatchNormalization' && attributes.training_mode?.type === 'int')
    return attributes.training_mode.value === 1 ? 'BatchNormalization in training' : undefined;
  const place = Object.hasOwn(data, opType) ? data[opType] : undefined;
  const type = place === undefined ? undefined : typeOf(node.inputs[place] ?? '');
  return type === 'int64' ? `${opType} of int64` : undefined;
}
