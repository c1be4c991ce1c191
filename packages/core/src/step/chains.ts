import type { Value } from '../graph/value.js';
import { type Chain, createChain } from '../plugins/chain.js';
import type { ChainEnvironment } from '../plugins/environment.js';
import { liveSetting, type StepWriter } from '../plugins/registry.js';
import type { Setting } from '../schedules/schedule.js';
import { type ChainPlan, groupPrefix, type ParameterGroup } from './groups.js';
import type { TrainingGraph } from './training-graph.js';

/** What becomes of one group: which of the parameters it has, at what rate they learn. */
export interface GroupUpdate {
  readonly group: ParameterGroup;
  readonly chain: Chain;
  readonly learningRate: Value;
}

/** The chain of all, and those of the groups. */
export interface StepChains {
  readonly shared: Chain;
  readonly groups: readonly GroupUpdate[];
}

/** Who works on what, as the session's options say. */
export interface ChainsPlan {
  /** What works on the gradients of all groups, before their own chains. */
  readonly chain: ChainPlan;
  readonly groups: readonly ParameterGroup[];
  readonly learningRate: Setting;
}

/** Lays out all chains of a step, each with the learning rate of its parameters. */
export function createChains(
  { trainable }: TrainingGraph,
  { chain, groups, learningRate }: ChainsPlan,
  writer: StepWriter & Pick<ChainEnvironment, 'step' | 'seed' | 'wantsMetric'>,
): StepChains {
  const rate = (key: string, setting: Setting) =>
    liveSetting(writer, key, { setting, kind: undefined });
  const common = rate('learningRate', learningRate);
  const rated = groups.map((group) => ({
    group,
    rate:
      group.learningRate === undefined
        ? common
        : rate(`${groupPrefix(group.name)}learningRate`, group.learningRate),
  }));
  const rates = new Map(
    rated.flatMap(({ group, rate: own }) => group.parameters.map((name) => [name, own] as const)),
  );
  const learningRateOf = (parameter: string) => rates.get(parameter) ?? common;
  const all = { ...writer, learningRateOf };
  const parameters = trainable.map(({ parameter }) => parameter);
  const shared = createChain(chain.plugins, chain.ids, {
    ...all,
    learningRate: common,
    parameters,
  });
  return {
    shared,
    groups: rated.map(({ group, rate: own }) => {
      const names = new Set(group.parameters);
      const environment = {
        ...{ ...all, learningRate: own },
        parameters: parameters.filter(({ name }) => names.has(name)),
        group: { name: group.name, after: chain.plugins.length },
      };
      const { plugins, ids } = group.chain;
      return { group, learningRate: own, chain: createChain(plugins, ids, environment) };
    }),
  };
}
