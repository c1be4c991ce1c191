import { type TensorType, text } from '../value.js';
import { input, problem, type ShapeContext, type ShapeRule } from './rule.js';

/** One letter for each axis of every operand and of the result, `...` written out. */
export interface Equation {
  readonly operands: readonly string[];
  readonly result: string;
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Reads an Einsum equation for operands of given ranks. Undefined where it does not fit them. */
export function parseEquation(equation: string, ranks: readonly number[]): Equation | undefined {
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== ranks.length) return undefined;
  const free = [...letters].filter((letter) => !equation.includes(letter));
  const hidden = terms.map((term, i) =>
    term.includes('...') ? (ranks[i] ?? 0) - (term.length - 3) : 0,
  );
  const most = Math.max(0, ...hidden);
  if (hidden.some((count) => count < 0) || most > free.length) return undefined;
  // Axes behind `...` are aligned at the end, as in broadcasting.
  const axes = free.slice(0, most).join('');
  const operands = terms.map((term, i) => term.replace('...', axes.slice(most - (hidden[i] ?? 0))));
  if (operands.some((term, i) => term.length !== ranks[i])) return undefined;
  if (right !== undefined) return { operands, result: right.replace('...', axes) };
  const all = terms.join('').replaceAll('.', '');
  const once = [...new Set(all)].filter((letter) => all.split(letter).length === 2);
  return { operands, result: axes + once.sort().join('') };
}

function einsum(context: ShapeContext): TensorType {
  const inputs = context.x.map((_, i) => input(context, i));
  const written = text(context.attributes, 'equation', '');
  const equation = parseEquation(
    written,
    inputs.map(({ shape }) => shape.length),
  );
  if (equation === undefined) return problem(`the equation "${written}" does not fit the inputs`);
  const sizes = axisSizes(
    equation,
    inputs.map(({ shape }) => shape),
  );
  return {
    type: input(context, 0).type,
    shape: [...equation.result].map((letter) => sizes.get(letter) ?? 1),
  };
}

/** The length of the axis that each letter stands for; 1 gives way to any other. */
export function axisSizes(
  { operands }: Equation,
  shapes: readonly (readonly number[])[],
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  operands.forEach((letters, i) => {
    [...letters].forEach((letter, axis) => {
      const dim = shapes[i]?.[axis] ?? 1;
      if (dim !== 1 || !sizes.has(letter)) sizes.set(letter, dim);
    });
  });
  return sizes;
}

export const einsumShapes = { Einsum: einsum } satisfies Record<string, ShapeRule>;
