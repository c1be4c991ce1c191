import { type Feeds, Tensor } from '@gradware/core/node';
import type { Random } from '@gradware/data';

/** The mean squared error of answering 1 to every sequence: twice the variance of a number that is uniform in [0, 1). */
export const baseline = 1 / 6;

/** Sequences of the adding problem: every step has a number, uniform in [0, 1), and a mark. Two steps are marked, one
 *  in either half, and the answer is the sum of their numbers. `x` [count, length, 2], `target` [count, 1]. */
export function sequences(count: number, length: number, random: Random): Feeds {
  const x = new Float32Array(count * length * 2);
  const half = length >> 1;
  const target = Float32Array.from({ length: count }, (_, i) => {
    const start = i * length;
    for (let t = 0; t < length; t++) x[2 * (start + t)] = random.below(2 ** 24) / 2 ** 24;
    const marked = [random.below(half), half + random.below(length - half)];
    for (const t of marked) x[2 * (start + t) + 1] = 1;
    return marked.reduce((sum, t) => sum + (x[2 * (start + t)] ?? 0), 0);
  });
  return {
    x: new Tensor('float32', x, [count, length, 2]),
    target: new Tensor('float32', target, [count, 1]),
  };
}
