import { int } from '../value.js';
import { type FoldContext, type Folded, type FoldRule, flatten, mapPositions } from './rule.js';

/** The element of an operand that broadcasting puts at a position. */
function broadcastAt({ values, shape }: Folded, position: readonly number[]): number {
  const missing = position.length - shape.length;
  const own = shape.map((dim, axis) => (dim === 1 ? 0 : (position[axis + missing] ?? 0)));
  return values[flatten(own, shape)] ?? 0;
}

/** An op of any number of operands that broadcast. */
function elementwise(apply: (...operands: readonly number[]) => number): FoldRule {
  return ({ node, x, shape }) => {
    const operands = node.inputs.map((_, i) => x(i));
    const known = operands.filter((operand) => operand !== undefined);
    if (known.length < operands.length) return undefined;
    return mapPositions(shape, (position) =>
      apply(...known.map((operand) => broadcastAt(operand, position))),
    );
  };
}

const test = (holds: (...operands: readonly number[]) => boolean) =>
  elementwise((...operands) => (holds(...operands) ? 1 : 0));

const compare = (holds: (a: number, b: number) => boolean) => test((a = 0, b = 0) => holds(a, b));

/** A truth value that one side alone may settle. */
const settledBy =
  (value: 0 | 1, both: FoldRule): FoldRule =>
  (context) => {
    const sides = [context.x(0)?.values, context.x(1)?.values];
    const settles = sides.some((side) => side?.length === 1 && side[0] === value);
    return settles ? mapPositions(context.shape, () => value) : both(context);
  };

const binary = (apply: (a: number, b: number) => number) =>
  elementwise((a = 0, b = 0) => apply(a, b));

const unary = (apply: (a: number) => number) => elementwise((a = 0) => apply(a));

const isInteger: (type: string | undefined) => boolean = (type) => type?.includes('int') ?? false;

/** Halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const cast = ({ x }: FoldContext, toBool: boolean): readonly number[] | undefined =>
  toBool ? x(0)?.values.map((value) => (value === 0 ? 0 : 1)) : x(0)?.values;

export const elementwiseFolds: Readonly<Record<string, FoldRule>> = {
  Identity: ({ x }) => x(0)?.values,
  Cast: (context) => cast(context, int(context.node.attributes, 'to', 1) === 9),
  CastLike: (context) => cast(context, context.typeOf(1)?.type === 'bool'),
  Abs: unary(Math.abs),
  Ceil: unary(Math.ceil),
  Floor: unary(Math.floor),
  Neg: unary((a) => -a),
  Not: test((a) => a === 0),
  Round: unary(roundHalfEven),
  Sign: unary(Math.sign),
  Sqrt: unary(Math.sqrt),
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: (context) => {
    const whole = isInteger(context.typeOf(0)?.type);
    return binary((a, b) => (whole ? Math.trunc(a / b) : a / b))(context);
  },
  Mod: (context) => {
    const truncates = int(context.node.attributes, 'fmod', 0) === 1;
    return binary((a, b) => (truncates ? a % b : a - Math.floor(a / b) * b))(context);
  },
  Pow: binary((a, b) => a ** b),
  And: settledBy(
    0,
    compare((a, b) => a !== 0 && b !== 0),
  ),
  Or: settledBy(
    1,
    compare((a, b) => a !== 0 || b !== 0),
  ),
  /** Known, too, where both sides agree. */
  Select: ({ node, at, x }) => {
    const condition = x(0)?.values[0];
    const [a, b] = [x(1 + at)?.values, x(1 + node.outputs.length + at)?.values];
    if (condition !== undefined) return condition === 0 ? b : a;
    return a?.every((value, i) => value === b?.[i]) ? a : undefined;
  },
  Xor: compare((a, b) => (a !== 0) !== (b !== 0)),
  Equal: compare((a, b) => a === b),
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Max: elementwise(Math.max),
  Min: elementwise(Math.min),
  Sum: elementwise((...terms) => terms.reduce((sum, term) => sum + term, 0)),
  Where: elementwise((condition = 0, a = 0, b = 0) => (condition === 0 ? b : a)),
};
