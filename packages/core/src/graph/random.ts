import type { Op } from './builder.js';
import type { Value } from './value.js';
import { elementCount } from './value.js';

const multiplier = 0x9e3779b1;

/** FNV-1a of a key: where in the stream of a seed and a step its numbers begin. */
function hash(key: string): number {
  let h = 0x811c9dc5;
  for (const char of key) h = Math.imul(h ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return h;
}

function mix(op: Op, x: Value): Value {
  const squared = op.Mul(x, op.Add(op.Mul(x, 2), 1));
  const rotated = op.Add(op.Div(squared, 65536), op.Mul(squared, 65536));
  return op.Mul(rotated, multiplier);
}

function rounds(op: Op, x: Value): Value {
  return mix(op, mix(op, x));
}

export interface UniformOptions {
  readonly shape: readonly number[];
  /** uint32 scalar. */
  readonly seed: Value;
  /** int32 scalar. */
  readonly step: Value;
  readonly key: string;
}

/** Uniform numbers in [0, 1), float32, counted and not drawn: a function of seed, step, key and element. */
export function uniform(op: Op, { shape, seed, step, key }: UniformOptions): Value {
  const size = elementCount(shape);
  const columns = Math.max(1, 2 ** Math.ceil(Math.log2(Math.max(1, size)) / 2));
  const rows = Math.max(1, Math.ceil(size / columns));
  const ids = (count: number) =>
    op.constant({
      type: 'uint32',
      dims: [count],
      data: Uint32Array.from({ length: count }, (_, i) => i),
    });
  const start = rounds(
    op,
    op.Add(op.Mul(rounds(op, op.Add(seed, hash(key))), 2), op.cast(step, 'uint32')),
  );
  const a = op.reshape(rounds(op, op.Add(op.Mul(ids(rows), multiplier), start)), [rows, 1]);
  const b = rounds(op, op.Add(op.Mul(ids(columns), 0x85ebca6b), op.Mul(start, 3)));
  const bits = op.Mul(a, op.Add(op.Mul(b, 2), 1));
  const numbers = op.Mul(op.cast(op.Div(bits, 256), 'float32'), 2 ** -24);
  const flat = op.reshape(numbers, [rows * columns]);
  return op.reshape(rows * columns === size ? flat : op.slice(flat, 0, 0, size), shape);
}
