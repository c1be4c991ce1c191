import { GradwareError } from '../../errors.js';
import { type GradientRules, rules } from '../rule.js';

const identity: GradientRules[string] = ({ dy }) => [dy];

/** Estimates in place of gradients that are zero almost everywhere (Bengio, Léonard and Courville 2013): what is
 *  rounded counts as if it were not. That of Sign ends where |x| > 1 (Courbariaux et al. 2016), so that weights which
 *  are certain stay where they are. */
export const straightThroughRules = rules({
  Ceil: identity,
  Floor: identity,
  Round: identity,
  Sign: ({ dy, x: [x], op }) => [op.Where(op.LessOrEqual(op.Abs(x), 1), dy, 0)],
});

export type StraightThroughOp = keyof typeof straightThroughRules;

/** @throws GradwareError INVALID_OPTION for an op that has no such estimate */
export function checkStraightThrough(
  ops: readonly string[] | undefined,
): ReadonlySet<string> | undefined {
  for (const name of ops ?? [])
    if (!Object.hasOwn(straightThroughRules, name))
      throw new GradwareError('INVALID_OPTION', `${name} has no straight-through estimate`, {
        remedy: `These have: ${Object.keys(straightThroughRules).join(', ')}.`,
      });
  return ops && new Set(ops);
}
