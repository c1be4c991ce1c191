import type { LoweringRule, LoweringRules } from '../rule.js';
import { activations } from './activations.js';

const loweringRules: LoweringRules = { ...activations };

export function loweringRuleOf(opType: string): LoweringRule | undefined {
  return Object.hasOwn(loweringRules, opType) ? loweringRules[opType] : undefined;
}
