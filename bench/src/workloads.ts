import { readFileSync } from 'node:fs';
import { crossEntropy, type TrainingOptions } from '@gradware/core/node';
import { lstmClassifier } from './models/lstm.js';
import { multilayerPerceptron } from './models/mlp.js';
import { transformerDecoder } from './models/transformer.js';

/** A model and the shape of what it is fed. */
export interface Workload {
  readonly id: 'mlp' | 'cnn' | 'lstm' | 'transformer' | 'small';
  readonly title: string;
  readonly model: () => Uint8Array;
  readonly loss: TrainingOptions['loss'];
  /** Of one example, without the batch axis. */
  readonly shape: readonly number[];
  /** Tokens below this number instead of floats. */
  readonly tokens?: number;
  /** The shape of the labels of one example; one label each without it. */
  readonly labels?: readonly number[];
  readonly classes: number;
  readonly batch: number;
}

export const mlp: Workload = {
  id: 'mlp',
  title: 'MLP 784-512-256-10, batch 64',
  model: () => multilayerPerceptron([784, 512, 256, 10]),
  loss: 'cross-entropy',
  shape: [784],
  classes: 10,
  batch: 64,
};

export const cnn: Workload = {
  id: 'cnn',
  title: 'Digits CNN (models/digits/cnn.onnx), batch 64',
  model: () => readFileSync(new URL('../../models/digits/cnn.onnx', import.meta.url)),
  loss: 'cross-entropy',
  shape: [1, 8, 8],
  classes: 10,
  batch: 64,
};

export const lstm: Workload = {
  id: 'lstm',
  title: 'LSTM, 128 hidden, 64 steps of 64 features, batch 32',
  model: () => lstmClassifier({ features: 64, hidden: 128, steps: 64, classes: 10 }),
  loss: 'cross-entropy',
  shape: [64, 64],
  classes: 10,
  batch: 32,
};

export const transformer: Workload = {
  id: 'transformer',
  title: 'Transformer, 4 layers of width 128 with 4 heads, 64 of 256 tokens, batch 16',
  model: () => transformerDecoder({ layers: 4, width: 128, heads: 4, length: 64, tokens: 256 }),
  loss: crossEntropy({ axis: -1 }),
  shape: [64],
  tokens: 256,
  labels: [64],
  classes: 256,
  batch: 16,
};

/** Small enough for ten thousand steps in a few seconds. */
export const small: Workload = {
  id: 'small',
  title: 'MLP 64-32-10, batch 16',
  model: () => multilayerPerceptron([64, 32, 10]),
  loss: 'cross-entropy',
  shape: [64],
  classes: 10,
  batch: 16,
};
