import type { OpenDimension, Sizes } from './dimensions.js';

/** How a number follows from the open dimensions: coefficient · Π dimᵖ, or offset + Σ slope · dim. */
export type Formula =
  | {
      readonly kind: 'product';
      readonly coefficient: number;
      readonly powers: ReadonlyMap<OpenDimension, number>;
    }
  | {
      readonly kind: 'sum';
      readonly offset: number;
      readonly slopes: ReadonlyMap<OpenDimension, number>;
    };

/** float32 keeps seven digits. */
const precision = 1e-5;
const highestPower = 4;

const near = (a: number, b: number) => Math.abs(a - b) <= precision * Math.max(1e-30, Math.abs(b));
const whole = (x: number) => (near(x, Math.round(x)) ? Math.round(x) : x);

/** Finds the formula that gives `seen` at the sizes of each trial: fitted to all trials but the last, and kept only if
 *  it predicts every one of them. */
export function findFormula(
  seen: readonly number[],
  dimensions: readonly OpenDimension[],
  sizes: readonly Sizes[],
): Formula | undefined {
  return [product, sum]
    .map((fit) => fit(seen, dimensions, sizes))
    .find(
      (formula) =>
        formula !== undefined && sizes.every((at, k) => near(evaluate(formula, at), seen[k] ?? 0)),
    );
}

function product(
  seen: readonly number[],
  dimensions: readonly OpenDimension[],
  [base, ...others]: readonly Sizes[],
): Formula | undefined {
  const [first = 0] = seen;
  if (first === 0 || base === undefined) return undefined;
  const powers = new Map<OpenDimension, number>();
  for (const [i, each] of dimensions.entries()) {
    const ratio = (seen[i + 1] ?? 0) / first;
    const grown = (others[i]?.get(each.name) ?? 1) / (base.get(each.name) ?? 1);
    const power = Math.log(ratio) / Math.log(grown);
    const rounded = Math.round(power);
    if (!(Math.abs(power - rounded) < 1e-3) || Math.abs(rounded) > highestPower) return undefined;
    if (rounded !== 0) powers.set(each, rounded);
  }
  const scale = [...powers].reduce((p, [{ name }, e]) => p * (base.get(name) ?? 1) ** e, 1);
  return { kind: 'product', coefficient: whole(first / scale), powers };
}

function sum(
  seen: readonly number[],
  dimensions: readonly OpenDimension[],
  [base, ...others]: readonly Sizes[],
): Formula | undefined {
  const [first = 0] = seen;
  if (base === undefined) return undefined;
  const slopes = new Map<OpenDimension, number>();
  let offset = first;
  for (const [i, each] of dimensions.entries()) {
    const from = base.get(each.name) ?? 0;
    const slope = whole(
      ((seen[i + 1] ?? 0) - first) / ((others[i]?.get(each.name) ?? 0) - from || 1),
    );
    if (slope !== 0) slopes.set(each, slope);
    offset -= slope * from;
  }
  return { kind: 'sum', offset: whole(offset), slopes };
}

export function evaluate(formula: Formula, sizes: Sizes): number {
  const at = ({ name }: OpenDimension) => sizes.get(name) ?? 1;
  return formula.kind === 'product'
    ? [...formula.powers].reduce((p, [each, e]) => p * at(each) ** e, formula.coefficient)
    : [...formula.slopes].reduce((s, [each, slope]) => s + slope * at(each), formula.offset);
}
