import { expect, test } from 'vitest';
import type { Value } from '../graph/value.js';
import { createBench } from '../testing/bench.js';
import { float32, floats } from '../testing/tensors.js';
import { packBits, unpackBits } from './pack-bits.js';

/** Packs and unpacks codes, and returns both. */
async function roundTrip(codes: readonly number[], bits: number) {
  const weights = new Map([
    ['codes', float32(codes)],
    ['bytes', float32(Array.from({ length: Math.ceil(codes.length / 8) * bits }, () => 0))],
  ]);
  const bench = await createBench({
    weights,
    plugins: [
      {
        name: 'pack',
        transform([given], { op }) {
          const { shape } = given as Value;
          const packed = packBits(op, given as Value, bits);
          return [unpackBits(op, packed, bits, shape), op.cast(packed, 'float32')];
        },
      },
    ],
  });
  const { gradients } = await bench.step(weights);
  await bench.release();
  return ['codes', 'bytes'].map((name) => [...floats(gradients.get(name) as never)]);
}

/** The same, bit by bit. */
function packedReference(codes: readonly number[], bits: number): readonly number[] {
  const bytes = Array.from({ length: Math.ceil(codes.length / 8) * bits }, () => 0);
  codes.forEach((code, i) => {
    for (let bit = 0; bit < bits; bit++) {
      const at = i * bits + bit;
      bytes[at >> 3] = (bytes[at >> 3] as number) | (((code >> bit) & 1) << (at & 7));
    }
  });
  return bytes;
}

test.each(Array.from({ length: 16 }, (_, i) => i + 1))(
  'packs codes of %i bits tightly',
  async (bits) => {
    const codes = Array.from({ length: 21 }, (_, i) => (i * 40503 + 2 ** bits - 1) % 2 ** bits);
    const [unpacked, bytes] = await roundTrip(codes, bits);
    expect(unpacked).toEqual(codes);
    expect(bytes).toEqual(packedReference(codes, bits));
  },
);
