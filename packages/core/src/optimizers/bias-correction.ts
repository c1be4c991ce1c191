import type { Op } from '../graph/builder.js';
import { tensorOf } from '../graph/constants.js';
import type { Value } from '../graph/value.js';

/** Where β^t is this small, 1 - β^t is 1 in float32. */
const negligible = 2 ** -26;
/** float32 counts no further in ones. */
const mostSteps = 2 ** 24;

/** 1 - β^t for several β at once, as float32 scalars; `count` is t, an int32 scalar >= 0.
 *
 *  Subtracting in float32 would lose digits (1 - 0.999^1 is off by 1e-5), so both factors of
 *  β^t = β^(blocks · size) · β^rest come from tables that are exact to the last bit, and are joined without a
 *  subtraction: 1 - β^t = (1 - β^rest) + β^rest · (1 - β^(blocks · size)). The tables hold about 2 √(17 / (1 - β))
 *  entries each: 265 for 0.999, 8,500 for 0.999999. */
export function biasCorrections(op: Op, count: Value, betas: readonly number[]): readonly Value[] {
  const decays = betas.map((beta) => (beta <= 0 ? Number.NEGATIVE_INFINITY : Math.log(beta)));
  const lengths = decays.map((decay) => Math.log(negligible) / decay);
  const longest = Math.min(mostSteps, Math.max(1, ...lengths));
  const size = 2 ** Math.ceil(Math.log2(Math.sqrt(longest)));
  const blocks = Math.ceil(longest / size) + 1;
  const table = (rows: number, at: (row: number, decay: number) => number) =>
    op.constant(
      tensorOf(
        'float32',
        Array.from({ length: rows }, (_, row) => decays.map((decay) => at(row, decay))).flat(),
        [rows, betas.length],
      ),
    );
  const power = (steps: number, decay: number) => (steps === 0 ? 0 : steps * decay);
  const t = op.cast(count, 'float32');
  const block = op.Floor(op.Mul(t, 1 / size));
  const rest = op.cast(op.Sub(t, op.Mul(block, size)), 'int32');
  const row = op.cast(op.Min(block, blocks - 1), 'int32');
  const restPower = op.Gather(
    table(size, (i, decay) => Math.exp(power(i, decay))),
    rest,
  );
  const restComplement = op.Gather(
    table(size, (i, decay) => -Math.expm1(power(i, decay))),
    rest,
  );
  const blockComplement = op.Gather(
    table(blocks, (i, decay) => -Math.expm1(power(i * size, decay))),
    row,
  );
  const all = op.Add(restComplement, op.Mul(restPower, blockComplement));
  return betas.map((_, i) => op.Gather(all, op.scalar(i, 'int32')));
}
