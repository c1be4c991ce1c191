import type { Op } from './builder.js';
import { elementCount, type Value } from './value.js';

/** Numbers are counted, not drawn: each is a hash of seed, step, key and place, in uint32 products, sums and
 *  quotients, which every provider has. Hashing rows and columns apart and multiplying them costs one product an
 *  element; hashing every element costs ten times that (and sums of the two fail the tests). */

/** Odd constants without small factors or runs of bits; the tests decide whether they do. */
const [oddSeed, oddRow, oddColumn, oddMix] = [0x93d765dd, 0xadb4a92d, 0x8d0d2e75, 0x915f77f5];
const shift = 0x6d2b79f5;
const half = 2 ** 16;

/** uint32 to [0, 1): the largest float below 2⁻³², as the largest integers round up to 2³². */
const unit = Math.fround(2 ** -32 * (1 - 2 ** -24));

export interface UniformOptions {
  readonly shape: readonly number[];
  /** uint32 scalar. */
  readonly seed: Value;
  /** int32 scalar. */
  readonly step: Value;
  /** What the numbers are for; different keys give independent numbers. */
  readonly key: string;
}

/** FNV-1a (32 bits) of the key's characters. */
function hashKey(key: string): number {
  let hash = 0x811c9dc5;
  for (const char of key) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}

/** How far the steps of a key lie apart: odd, so that two keys never walk in parallel. */
function strideOf(hash: number): number {
  return (Math.imul(hash, oddSeed) | 1) >>> 0;
}

/** Rows and columns that hold `size` elements, about as many of each; without a rest if there are such. */
function gridOf(size: number): readonly [rows: number, columns: number] {
  const root = Math.max(1, Math.ceil(Math.sqrt(size)));
  for (let columns = root; columns <= 16 * root; columns++)
    if (size % columns === 0) return [size / columns, columns];
  return [Math.ceil(size / root), root];
}

function multiples(count: number, factor: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => Math.imul(i, factor));
}

/** Two rounds of x(2x + 1), its halves exchanged, times an odd number, plus a constant: a bijection. */
function scramble(op: Op, value: Value): Value {
  const round = (x: Value) => {
    const product = op.Mul(x, op.Add(op.Mul(x, 2), 1));
    const turned = op.Add(op.Div(product, half), op.Mul(product, half));
    return op.Add(op.Mul(turned, oddMix), shift);
  };
  return round(round(value));
}

function scrambleNumber(value: number): number {
  const round = (x: number) => {
    const product = Math.imul(x, Math.imul(x, 2) + 1);
    const turned = (product >>> 16) | (product << 16);
    return (Math.imul(turned, oddMix) + shift) >>> 0;
  };
  return round(round(value));
}

/** Uniform float32 numbers in [0, 1) of any shape: a function of seed, step, key and element.
 *  The same bits in one step per run, in a Loop, and in `uniformReference`; a GPU may round the last place of the
 *  conversion to float in its own way. */
export function uniform(op: Op, { shape, seed, step, key }: UniformOptions): Value {
  const size = elementCount(shape);
  if (size === 0) return op.zeros({ type: 'float32', shape });
  const [rows, columns] = gridOf(size);
  const ids = (count: number, factor: number) =>
    op.constant({ type: 'uint32', dims: [count], data: multiples(count, factor) });
  const hash = hashKey(key);
  const place = op.Add(
    op.Mul(op.Add(seed, hash), oddSeed),
    op.Mul(op.cast(step, 'uint32'), strideOf(hash)),
  );
  const start = scramble(op, place);
  const row = scramble(op, op.Add(ids(rows, oddRow), start));
  const column = scramble(op, op.Add(ids(columns, oddColumn), op.Mul(start, 3)));
  const odd = op.Add(op.Mul(column, 2), 1);
  const bits = op.Mul(op.reshape(row, [rows, 1]), odd);
  const numbers = op.Mul(op.cast(bits, 'float32'), unit);
  if (rows * columns === size) return op.reshape(numbers, shape);
  const flat = op.reshape(numbers, [rows * columns]);
  return op.reshape(op.slice(flat, 0, 0, size), shape);
}

/** The numbers of `uniform`, in plain JavaScript. `seed` is a uint32, `step` an int32. */
export function uniformReference(
  given: Omit<UniformOptions, 'seed' | 'step'> & { readonly seed: number; readonly step: number },
): Float32Array {
  const size = elementCount(given.shape);
  if (size === 0) return new Float32Array(0);
  const [rows, columns] = gridOf(size);
  const hash = hashKey(given.key);
  const place = Math.imul(given.seed + hash, oddSeed) + Math.imul(given.step, strideOf(hash));
  const start = scrambleNumber(place);
  const row = multiples(rows, oddRow).map((id) => scrambleNumber(id + start));
  const offset = Math.imul(start, 3);
  const odd = multiples(columns, oddColumn).map((id) => scrambleNumber(id + offset) * 2 + 1);
  return Float32Array.from({ length: size }, (_, i) => {
    const bits = Math.imul(row[Math.floor(i / columns)] ?? 0, odd[i % columns] ?? 0) >>> 0;
    return Math.fround(bits) * unit;
  });
}
