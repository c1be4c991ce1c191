import { GradwareError } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import { axisSizes, parseEquation } from '../../graph/shapes/einsum.js';
import { text, type Value } from '../../graph/value.js';
import { type GradientContext, noRuleRemedy, rules } from '../rule.js';

interface Term {
  readonly value: Value;
  /** A letter for each axis. */
  readonly letters: string;
}

/** Leaves out axes of length 1 that broadcast. */
function withoutOnes({ op }: GradientContext, { value, letters }: Term, sizes: Sizes): Term {
  const kept = [...letters].map(
    (letter, axis) => value.shape[axis] !== 1 || sizes.get(letter) === 1,
  );
  return {
    value: op.reshape(
      value,
      value.shape.filter((_, axis) => kept[axis]),
    ),
    letters: [...letters].filter((_, axis) => kept[axis]).join(''),
  };
}

type Sizes = ReadonlyMap<string, number>;

/** The product of all terms, summed over the letters that are not in `wanted`. */
function contract({ op }: GradientContext, terms: readonly Term[], wanted: string) {
  const tensors = terms.filter(({ letters }) => letters !== '');
  const scalars = terms.filter(({ letters }) => letters === '').map(({ value }) => value);
  const [first] = tensors;
  if (first === undefined) return scalars.reduce((product, value) => op.Mul(product, value));
  const product =
    tensors.length === 1 && first.letters === wanted
      ? first.value
      : op.Einsum(...tensors.map(({ value }) => value), {
          equation: `${tensors.map(({ letters }) => letters).join()}->${wanted}`,
        });
  return scalars.reduce((value, scalar) => op.Mul(value, scalar), product);
}

/** The gradient of one operand is the contraction of dY with all the others. Letters that only it has were summed
 *  over: their gradient is the same everywhere. A letter that it has twice read a diagonal: the rest gets nothing. */
function gradientOf(
  context: GradientContext,
  terms: readonly Term[],
  i: number,
  dy: Term,
  sizes: Sizes,
) {
  const { op } = context;
  const { value: x, letters } = terms[i] as Term;
  const others = [dy, ...terms.filter((_, other) => other !== i)].map((term) =>
    withoutOnes(context, term, sizes),
  );
  const reached = new Set(others.flatMap((term) => [...term.letters]));
  const own = new Map([...letters].map((letter, axis) => [letter, x.shape[axis] ?? 1]));
  const wanted = [...own.keys()].filter(
    (letter) => reached.has(letter) && own.get(letter) === sizes.get(letter),
  );
  const found = contract(context, others, wanted.join(''));
  const seen = new Set<string>();
  const shape = [...letters].map((letter) => {
    const first = !seen.has(letter);
    seen.add(letter);
    return first && wanted.includes(letter) ? (own.get(letter) ?? 1) : 1;
  });
  const spread = op.Expand(op.reshape(found, shape), op.ints(x.shape));
  return diagonals(letters).reduce(
    (gradient, [a, b]) => op.Mul(gradient, identityMask(context, x, a, b)),
    spread,
  );
}

/** Pairs of axes that have the same letter. */
function diagonals(letters: string): readonly (readonly [number, number])[] {
  return [...letters].flatMap((letter, axis) => {
    const first = letters.indexOf(letter);
    return first < axis ? [[first, axis] as const] : [];
  });
}

function identityMask(
  { op }: GradientContext,
  { type, shape }: Value,
  a: number,
  b: number,
): Value {
  const size = shape[a] ?? 1;
  const values = Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const dims = shape.map((_, axis) => (axis === a || axis === b ? size : 1));
  return op.constant(tensorOf(type, values, dims));
}

function einsum(context: GradientContext): readonly (Value | null)[] {
  const { dy, x, attributes, node, needs } = context;
  const inputs = x.slice(0, node.inputs.length);
  const written = text(attributes, 'equation', '');
  const equation = parseEquation(
    written,
    inputs.map(({ shape }) => shape.length),
  );
  if (equation === undefined)
    throw new GradwareError('NO_GRADIENT', `Einsum "${written}" does not fit its inputs`, {
      where: `node ${node.name}`,
      remedy: noRuleRemedy,
    });
  const terms = inputs.map((value, i): Term => ({ value, letters: equation.operands[i] ?? '' }));
  const sizes = axisSizes(
    equation,
    inputs.map(({ shape }) => shape),
  );
  const result: Term = { value: dy, letters: equation.result };
  return terms.map((_, i) => (needs(i) ? gradientOf(context, terms, i, result, sizes) : null));
}

export const einsums = rules({ Einsum: einsum });
