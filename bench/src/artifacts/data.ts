import { layers } from './files.js';

/** Batches that are trained on over and over. */
const batches = 20;

/** Noise with random labels, in one piece. */
export interface Noise {
  readonly images: Float32Array;
  readonly labels: Int32Array | BigInt64Array;
  readonly batch: number;
  readonly batches: number;
}

const width = layers[0];

/** A data set of as many batches as are trained on in turn. */
export function noise(batch: number, type: 'int32' | 'int64'): Noise {
  const count = batches * batch;
  const classes = Array.from({ length: count }, () => Math.floor(Math.random() * layers[2]));
  return {
    images: Float32Array.from({ length: count * width }, () => Math.random()),
    labels: type === 'int32' ? Int32Array.from(classes) : BigInt64Array.from(classes, BigInt),
    batch,
    batches,
  };
}

/** The part of a data set that batch k is, without a copy. */
export function batchOf({ images, labels, batch }: Noise, k: number) {
  const at = (k % batches) * batch;
  return {
    images: images.subarray(at * width, (at + batch) * width),
    labels: labels.subarray(at, at + batch),
    dims: [batch, width] as const,
  };
}
