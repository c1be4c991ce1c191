import type { Value } from '../../graph/value.js';
import { rules } from '../rule.js';

export const selection = rules({
  // The side that was not chosen gets zeros, and costs nothing.
  Select: ({ dys, ys, x: [condition], node, op }) => {
    const wanted = node.outputs.flatMap((_, i) => (dys[i] === undefined ? [] : [i]));
    const flowing = wanted.map((i) => dys[i] as Value);
    const nothing = wanted.map((i) => op.zeros(ys[i] as Value));
    const sides = op.select(condition, [...flowing, ...nothing], [...nothing, ...flowing]);
    const of = (side: number) =>
      node.outputs.map((_, i) => {
        const at = wanted.indexOf(i);
        return at < 0 ? null : (sides[side * wanted.length + at] ?? null);
      });
    return [null, ...of(0), ...of(1)];
  },
});
