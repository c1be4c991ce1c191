/** Ops of ORT's training dialect, and of Gradware's own, by domain. Everything else is stock ONNX Runtime. */
const microsoft = 'com.microsoft';

/** ONNX Runtime's own ops on channels in blocks, for the processors that it has such kernels for. */
export const blockedDomain = 'com.microsoft.nchwc';

/** Pseudo-ops that never reach ONNX Runtime. */
export const gradware = 'gradware';

/** Gradient ops that ORT keeps in the default domain. */
const defaultDomainTraining = new Set([
  'MaxPoolGrad',
  'AveragePoolGrad',
  'SparseSoftmaxCrossEntropy',
  'SparseSoftmaxCrossEntropyGrad',
]);

/** com.microsoft ops that stock ONNX Runtime has kernels for and that graphs here use. */
const stockContrib = new Set([
  'Attention',
  'BiasGelu',
  'DequantizeLinear',
  'EmbedLayerNormalization',
  'FastGelu',
  'FusedConv',
  'FusedGemm',
  'FusedMatMul',
  'GatherBlockQuantized',
  'Gelu',
  'Inverse',
  'MatMulNBits',
  'MultiHeadAttention',
  'QuantizeLinear',
  'QuickGelu',
  'RotaryEmbedding',
  'SkipLayerNormalization',
  'SkipSimplifiedLayerNormalization',
  'TransposeMatMul',
  'Trilu',
]);

const microsoftTraining = new Set([
  'BatchNormInternal',
  'BatchNormalizationGrad',
  'BatchScale',
  'BiasFastGeluGrad_dX',
  'BiasGeluGrad_dX',
  'BroadcastGradientArgs',
  'ConcatTraining',
  'ConvGrad',
  'ConvTransposeGrad',
  'DivGrad',
  'DropoutGrad',
  'FakeQuant',
  'FakeQuantGrad',
  'FastGeluGrad',
  'FlattenAndUnpad',
  'GRUGrad',
  'GRUTraining',
  'GatherElementsGrad',
  'GatherGrad',
  'GatherNDGrad',
  'GeluGrad',
  'Group',
  'InPlaceAccumulator',
  'InPlaceAccumulatorV2',
  'InvertibleLayerNormalizationGrad',
  'LSTMGrad',
  'LSTMTraining',
  'LayerNormalizationGrad',
  'LeakyReluGrad',
  'LogSoftmaxGrad',
  'LogSoftmaxGrad_13',
  'NegativeLogLikelihoodLossInternal',
  'NegativeLogLikelihoodLossInternal2',
  'PadAndUnflatten',
  'PassThrough',
  'QuickGeluGrad',
  'ReduceAllL2',
  'ReduceSumTraining',
  'ReluGrad',
  'ResizeGrad',
  'Scale',
  'ScaledSum',
  'ShrunkenGather',
  'SigmoidGrad',
  'SimplifiedLayerNormalizationGrad',
  'SliceGrad',
  'SoftmaxCrossEntropy',
  'SoftmaxCrossEntropyGrad',
  'SoftmaxCrossEntropyLossGrad',
  'SoftmaxCrossEntropyLossInternal',
  'SoftmaxCrossEntropyLossInternalGrad',
  'SoftmaxGrad',
  'SoftmaxGrad_13',
  'SplitTraining',
  'TanhGrad',
  'ZeroGradient',
]);

/** Stock ops that live in com.microsoft and have no namesake in ai.onnx. */
const contribOnly = new Set(['BiasGelu', 'FastGelu', 'FusedConv', 'FusedMatMul', 'QuickGelu']);

/** Ops of ai.onnx that the opset of step graphs does not have; they are always taken apart. */
const newer = new Set(['Attention', 'RotaryEmbedding', 'Swish']);

/** The domain in which an op builder emits an op. */
export function domainOf(opType: string): string {
  return microsoftTraining.has(opType) || contribOnly.has(opType) ? microsoft : '';
}

/** Every op of ORT's training dialect. */
export const trainingOps: readonly string[] = [...microsoftTraining, ...defaultDomainTraining];

/** An op that stock ONNX Runtime has no kernel for, but that lowering knows. */
export function isTrainingOp(opType: string, domain: string): boolean {
  if (domain === microsoft) return microsoftTraining.has(opType);
  return domain === '' && defaultDomainTraining.has(opType);
}

/** An op that stock ONNX Runtime may run as it is. */
export function isStockOp(opType: string, domain: string): boolean {
  if (domain === blockedDomain) return true;
  if (domain === microsoft) return stockContrib.has(opType);
  return domain === '' && !defaultDomainTraining.has(opType) && !newer.has(opType);
}
