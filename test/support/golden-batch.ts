import { Tensor } from '@gradware/core/node';
import type { Tensors } from '@gradware/core/testing';
import { at } from '../parity/golden.js';

/** Batch i of a model in test/golden, with whole numbers where the model takes them. */
export function batchOf(all: Tensors, i: number, type: unknown) {
  const feeds = at(new Map([...all].filter(([key]) => key === 'x' || key === 'labels')), i);
  const feed = (name: string, as: unknown) => {
    const { dims = [], data = [] } = feeds.get(name) ?? {};
    return as === 'int64'
      ? new Tensor(
          'int64',
          BigInt64Array.from(data as Float32Array, (n) => BigInt(n)),
          dims,
        )
      : new Tensor('float32', data as Float32Array, dims);
  };
  return { x: feed('x', type), labels: feed('labels', 'int64') };
}
