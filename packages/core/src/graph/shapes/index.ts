import { computeShapes } from './compute.js';
import { einsumShapes } from './einsum.js';
import { elementwiseShapes } from './elementwise.js';
import { recurrentShapes } from './recurrent.js';
import type { ShapeRule } from './rule.js';
import { tensorShapes } from './tensor.js';
import { trainingShapes } from './training.js';

/** Type and shape of every op that rules and plugins emit. What it does not cover, ORT's own inference does. */
export const shapeRules = {
  ...elementwiseShapes,
  ...tensorShapes,
  ...computeShapes,
  ...einsumShapes,
  ...recurrentShapes,
  ...trainingShapes,
} satisfies Record<string, ShapeRule>;

export type KnownOp = keyof typeof shapeRules;

export function shapeRuleOf(opType: string): ShapeRule | undefined {
  return Object.hasOwn(shapeRules, opType) ? shapeRules[opType as KnownOp] : undefined;
}
