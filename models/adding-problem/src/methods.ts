import type { GradientPlugin } from '@gradware/core';
import { adaptiveClip } from '@gradware/plugin-adaptive-clip';
import { normClip } from '@gradware/plugin-norm-clip';
import { zClip } from '@gradware/plugin-z-clip';

/** What stands between the backward pass and SGD, and what the paper that proposed it says of it. */
export interface Method {
  readonly name: string;
  readonly chain: () => readonly GradientPlugin[];
  /** What the learning rate is multiplied by. Default 1. */
  readonly rate?: number;
  readonly claim: string;
}

/** What is compared, in the order of the table. */
export const methods: readonly Method[] = [
  {
    name: 'nothing (plain SGD)',
    chain: () => [],
    claim:
      'Bengio et al. (1994), Hochreiter and Schmidhuber (1997): gradients through time vanish or explode, and plain gradient descent fails',
  },
  {
    name: 'nothing, a tenth of the learning rate',
    chain: () => [],
    rate: 0.1,
    claim: '',
  },
  {
    name: 'norm-clip, 1',
    chain: () => [normClip({ maxNorm: 1 })],
    claim: 'Pascanu et al. (2013): a bound on the norm deals with exploding gradients',
  },
  {
    name: 'z-clip, 2.5 deviations',
    chain: () => [zClip({ zMax: 2.5 })],
    claim: 'ZClip (2025): stable at learning rates where others diverge (a language model of 1 B)',
  },
  {
    name: 'adaptive-clip, 5 % of each unit',
    // The weights of an RNN are [directions, units, ...].
    chain: () => [adaptiveClip({ lambda: 0.05, axis: 1 })],
    claim: 'AGC (2021): stable at large learning rates and batches (images, no normalisation)',
  },
];
