import { boolean, constant, definePlugin } from '@gradware/core';

/** Looks at the gradients and leaves them as they are: their joint norm as a metric and, with `keep`, the gradients
 *  themselves as state, from where the histogram is taken. One pass over memory with `keep`. */
export const probe = definePlugin({
  name: 'probe',
  options: { keep: constant(boolean, false, 'remembers the last gradients') },
  transform(gradients, { op, metric, state }, { keep }) {
    metric('norm', op.globalNorm(gradients));
    if (keep) for (const gradient of gradients) state('seen', { like: gradient }).set(gradient);
    return gradients;
  },
});

/** The ids of the probes around the chain. */
export const probeIds = { before: 'before-chain', after: 'after-chain' } as const;

export type ProbeSide = keyof typeof probeIds;

/** The name of a probe's metric. */
export const normMetric = (side: ProbeSide): string => `${probeIds[side]}.norm`;

/** The state key of what a probe saw of a parameter. */
export const seenKey = (side: ProbeSide, parameter: string): string =>
  `plugin/${probeIds[side]}.seen/${parameter}`;
