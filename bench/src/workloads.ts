import { readFileSync } from 'node:fs';
import { multilayerPerceptron } from './models/mlp.js';

/** A model and the shape of what it is fed. */
export interface Workload {
  readonly id: 'mlp' | 'cnn' | 'small';
  readonly title: string;
  readonly model: () => Uint8Array;
  /** Of one example, without the batch axis. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly batch: number;
}

export const mlp: Workload = {
  id: 'mlp',
  title: 'MLP 784-512-256-10, batch 64',
  model: () => multilayerPerceptron([784, 512, 256, 10]),
  shape: [784],
  classes: 10,
  batch: 64,
};

export const cnn: Workload = {
  id: 'cnn',
  title: 'Digits CNN (models/digits/cnn.onnx), batch 64',
  model: () => readFileSync(new URL('../../models/digits/cnn.onnx', import.meta.url)),
  shape: [1, 8, 8],
  classes: 10,
  batch: 64,
};

/** Small enough for ten thousand steps in a few seconds. */
export const small: Workload = {
  id: 'small',
  title: 'MLP 64-32-10, batch 16',
  model: () => multilayerPerceptron([64, 32, 10]),
  shape: [64],
  classes: 10,
  batch: 16,
};
