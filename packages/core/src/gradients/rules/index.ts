import { gradware } from '../../graph/dialect.js';
import type { Node } from '../../onnx/ir.js';
import type { GradientRule, GradientRules } from '../rule.js';
import { activations } from './activations.js';
import { arithmetic } from './arithmetic.js';
import { classification } from './classification.js';
import { convolutions } from './convolution.js';
import { dropout } from './dropout.js';
import { einsums } from './einsum.js';
import { indexing } from './indexing.js';
import { layout } from './layout.js';
import { lpPooling } from './lp-pooling.js';
import { normalization } from './normalization.js';
import { pooling } from './pooling.js';
import { products } from './products.js';
import { quantized } from './quantized.js';
import { reductions } from './reductions.js';
import { resizing } from './resize.js';
import { scattering } from './scatter.js';
import { selection } from './selection.js';
import { spectral } from './spectral.js';
import { straightThroughRules } from './straight-through.js';

const gradientRules: GradientRules = {
  ...activations,
  ...arithmetic,
  ...classification,
  ...convolutions,
  ...dropout,
  ...einsums,
  ...indexing,
  ...layout,
  ...lpPooling,
  ...normalization,
  ...pooling,
  ...products,
  ...quantized,
  ...reductions,
  ...resizing,
  ...scattering,
  ...selection,
  ...spectral,
};

/** ONNX's own domain, ORT's and Gradware's, whose ops bear names of their own. */
const domains: ReadonlySet<string> = new Set(['', 'com.microsoft', gradware]);

/** @param straightThrough ops whose estimate takes the place of a gradient of zero */
export function gradientRuleOf(
  { opType, domain }: Pick<Node, 'opType' | 'domain'>,
  straightThrough?: ReadonlySet<string>,
) {
  const estimate: GradientRules = straightThroughRules;
  if (domain === '' && straightThrough?.has(opType)) return estimate[opType];
  const found = domains.has(domain) && Object.hasOwn(gradientRules, opType);
  return found ? (gradientRules[opType] as GradientRule) : undefined;
}

/** Ops whose rules read the gradient of every output; the others know that of the first alone. */
const readsAllOutputs: ReadonlySet<string> = new Set([
  'LayerNormalization',
  'Select',
  'Split',
  'SoftmaxCrossEntropyLoss',
]);

export function takesGradientOf({ opType }: Node, output: number): boolean {
  return output === 0 || readsAllOutputs.has(opType);
}

/** Ops whose output does not depend smoothly on any input: no gradient flows through them. */
const notDifferentiable: ReadonlySet<string> = new Set([
  'And',
  'ArgMax',
  'ArgMin',
  'Bernoulli',
  'BitShift',
  'BitwiseAnd',
  'BitwiseNot',
  'BitwiseOr',
  'BitwiseXor',
  'BlackmanWindow',
  'BroadcastGradientArgs',
  'Ceil',
  'Constant',
  'ConstantOfShape',
  'ConvInteger',
  'Equal',
  'EyeLike',
  'Floor',
  'GatherBlockQuantized',
  'Greater',
  'GreaterOrEqual',
  'HammingWindow',
  'HannWindow',
  'Hardmax',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'MatMulInteger',
  'MelWeightMatrix',
  'Multinomial',
  'NonMaxSuppression',
  'NonZero',
  'Not',
  'OneHot',
  'Or',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Range',
  'Round',
  'Shape',
  'Sign',
  'Size',
  'Unique',
  'Xor',
]);

export function isDifferentiable(opType: string, straightThrough?: ReadonlySet<string>): boolean {
  return !notDifferentiable.has(opType) || (straightThrough?.has(opType) ?? false);
}
