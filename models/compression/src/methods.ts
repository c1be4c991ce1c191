import type { GradientPlugin } from '@gradware/core';
import { errorFeedback } from '@gradware/plugin-error-feedback';
import { lowRank } from '@gradware/plugin-low-rank';
import { qsgd } from '@gradware/plugin-qsgd';
import { sign } from '@gradware/plugin-sign';
import { terngrad } from '@gradware/plugin-terngrad';
import { topK } from '@gradware/plugin-top-k';

/** A way to compress gradients, and what the paper that proposed it says of it. */
export interface Method {
  readonly name: string;
  readonly chain: () => readonly GradientPlugin[];
  readonly claim: string;
}

const alone = (compressor: GradientPlugin) => [compressor];
const withFeedback = (compressor: GradientPlugin) => [errorFeedback({ compressor })];

const claims = {
  qsgd: 'QSGD (2017): ResNet-152 on ImageNet to full accuracy, 1.8 times as fast on 16 GPUs',
  terngrad: 'TernGrad (2017): AlexNet loses nothing, GoogLeNet less than 2 % on average',
  sign: 'EF-SGD (2019): signs alone do not converge on simple convex problems and generalise worse',
  signFeedback: 'EF-SGD (2019): with error feedback the rate of SGD, and its generalisation',
  sparse: 'Deep Gradient Compression (2018): needs its residual, momentum correction and warm-up',
  sparseFeedback:
    'Deep Gradient Compression (2018): 270 to 600 times less, accuracy kept, with momentum correction and warm-up',
  lowRank: 'PowerSGD (2019): test performance on par with SGD, with error feedback',
} as const;

const percent = (ratio: number) => `${ratio * 100} %`;

/** What is compared, in the order of the table. */
export const methods: readonly Method[] = [
  { name: 'nothing', chain: () => [], claim: '' },
  {
    name: 'qsgd, 7 levels, buckets of 512',
    chain: () => alone(qsgd({ levels: 7 })),
    claim: claims.qsgd,
  },
  {
    name: 'qsgd, 1 level, buckets of 128, maximum norm',
    chain: () => alone(qsgd({ levels: 1, bucket: 128, norm: 'max' })),
    claim: claims.qsgd,
  },
  { name: 'terngrad', chain: () => alone(terngrad()), claim: claims.terngrad },
  { name: 'sign', chain: () => alone(sign()), claim: claims.sign },
  {
    name: 'error-feedback(sign)',
    chain: () => withFeedback(sign()),
    claim: claims.signFeedback,
  },
  ...[0.01, 0.001].flatMap((ratio): readonly Method[] => [
    {
      name: `top-k, ${percent(ratio)}`,
      chain: () => alone(topK({ ratio })),
      claim: claims.sparse,
    },
    {
      name: `error-feedback(top-k), ${percent(ratio)}`,
      chain: () => withFeedback(topK({ ratio })),
      claim: claims.sparseFeedback,
    },
  ]),
  ...[1, 2, 4].map(
    (rank): Method => ({
      name: `error-feedback(low-rank), rank ${rank}`,
      chain: () => withFeedback(lowRank({ rank })),
      claim: claims.lowRank,
    }),
  ),
];
