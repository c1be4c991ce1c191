/** Draws of one stream of random integers. */
export interface Random {
  /** Uniform in [0, bound), without bias; bound from 1 to 2^32. */
  readonly below: (bound: number) => number;
}

/** A generator that is the same on every platform, fully decided by its keys (integers from 0 to 2^53 - 1, say a seed
 *  and an epoch): xoshiro128** (Blackman and Vigna 2018), its 128 bits of state hashed from the keys with the finalizer
 *  of MurmurHash3, 32 bits of key at a time. */
export function createRandom(...keys: readonly number[]): Random {
  const state = Uint32Array.of(0x9e3779b9, 0x243f6a88, 0xb7e15162, 0x6a09e667);
  for (const key of keys) {
    for (const word of [key >>> 0, Math.floor(key / 2 ** 32)]) {
      for (let i = 0; i < 4; i++) state[i] = mix(state[i]! ^ mix(word + i * 0x9e3779b9));
    }
  }
  return bounded(xoshiro128(state));
}

/** The generator itself, from any state but all zeros. */
export function xoshiro128(state: ArrayLike<number>): () => number {
  let [a = 0, b = 0, c = 0, d = 0] = Array.from(state);
  // The one state that never leaves itself.
  if ((a | b | c | d) === 0) a = 1;
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
}

function bounded(next: () => number): Random {
  return {
    below(bound) {
      const unbiased = 2 ** 32 - (2 ** 32 % bound);
      let draw = next();
      while (draw >= unbiased) draw = next();
      return draw % bound;
    },
  };
}

/** The numbers 0 to length - 1 in random order (Fisher and Yates). */
export function permutation(length: number, random: Random): Int32Array {
  const order = Int32Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function mix(word: number): number {
  let hash = word | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
