import type { GradientRule, GradientRules } from '../rule.js';
import { elementwise } from './elementwise.js';

const gradientRules: GradientRules = { ...elementwise };

export function gradientRuleOf(opType: string): GradientRule | undefined {
  return Object.hasOwn(gradientRules, opType) ? gradientRules[opType] : undefined;
}

/** Ops whose output does not depend smoothly on any input: no gradient flows through them. */
const notDifferentiable = new Set([
  'And',
  'ArgMax',
  'ArgMin',
  'BitwiseAnd',
  'BitwiseNot',
  'BitwiseOr',
  'BitwiseXor',
  'BitShift',
  'BroadcastGradientArgs',
  'Bernoulli',
  'Ceil',
  'Constant',
  'ConstantOfShape',
  'Equal',
  'EyeLike',
  'Floor',
  'Greater',
  'GreaterOrEqual',
  'Hardmax',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'Multinomial',
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
  'Xor',
]);

export function isDifferentiable(opType: string): boolean {
  return !notDifferentiable.has(opType);
}
