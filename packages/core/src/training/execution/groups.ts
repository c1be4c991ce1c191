import { GradwareError } from '../../errors.js';
import type { TensorData } from '../../onnx/ir.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import { didYouMean } from '../../options/nearest.js';
import { assignIds, checkChain } from '../../plugins/check-chain.js';
import { isFiltering, type ParameterInfo, selectParameters } from '../../plugins/match.js';
import {
  feedbackWarnings,
  holdWarnings,
  optimizerWarnings,
  orderWarnings,
} from '../../plugins/order.js';
import type { GradientPlugin } from '../../plugins/plugin.js';
import { type ChainPlan, optimizerPrefix, type ParameterGroup } from '../../step/groups.js';
import type { GroupOptions } from '../api.js';

/** Who works on which parameter, and in what order. */
export interface TrainingPlan {
  /** Works on all, before the groups' own. */
  readonly chain: ChainPlan;
  /** In the order given, then the one of all that is left, if any is. */
  readonly groups: readonly ParameterGroup[];
  readonly warnings: readonly string[];
}

/** Lays out the chain of all and the groups. Ids of a group's plugins begin with its name, so that they are unique.
 *  @throws GradwareError INVALID_OPTION, UNKNOWN_PARAMETER for what cannot be meant */
export function planTraining(
  parameters: readonly ParameterInfo[],
  plugins: readonly GradientPlugin[],
  optimizer: Optimizer,
  given: readonly GroupOptions[] = [],
): TrainingPlan {
  const chain = { plugins, ids: assignIds(plugins) };
  checkChain(plugins, parameters);
  given.forEach((group, i) => {
    checkName(group, given.slice(0, i), chain.ids);
  });
  const taken = new Map<string, string>();
  const groups = given.map((group): ParameterGroup => {
    const own = claim(group, parameters, taken);
    const { name, plugins: inGroup = [] } = group;
    checkGroupChain(name, plugins, inGroup, own);
    return {
      name,
      parameters: own.map((parameter) => parameter.name),
      chain: { plugins: inGroup, ids: assignIds(inGroup).map((id) => `${name}/${id}`) },
      optimizer: group.optimizer ?? optimizer,
      learningRate: group.learningRate,
    };
  });
  const rest: ParameterGroup = {
    name: '',
    parameters: parameters.map(({ name }) => name).filter((name) => !taken.has(name)),
    chain: { plugins: [], ids: [] },
    optimizer,
    learningRate: undefined,
  };
  const all = rest.parameters.length > 0 || groups.length === 0 ? [...groups, rest] : groups;
  const warnings = all.flatMap((group) => {
    const { plugins, ids } = joined(chain, group.chain);
    return [
      ...orderWarnings(plugins, ids),
      ...feedbackWarnings(plugins, ids),
      ...optimizerWarnings(plugins, ids, group.optimizer),
    ];
  });
  return {
    chain,
    groups: all,
    warnings: [...new Set([...holdWarnings(plugins, chain.ids), ...warnings])],
  };
}

function joined(first: ChainPlan, second: ChainPlan): ChainPlan {
  return {
    plugins: [...first.plugins, ...second.plugins],
    ids: [...first.ids, ...second.ids],
  };
}

function refuse(problem: string, where: string, remedy: string): never {
  throw new GradwareError('INVALID_OPTION', problem, { where, remedy });
}

function checkName(
  group: GroupOptions,
  earlier: readonly GroupOptions[],
  ids: readonly string[],
): void {
  const { name, learningRate } = group;
  const where = `groups, number ${earlier.length + 1}`;
  if (typeof name !== 'string' || !/^[\w-]+$/.test(name))
    refuse(
      `The name of a group must be a text of letters, digits, - and _, not ${JSON.stringify(name)}`,
      where,
      'The settings, metrics and state of its plugins begin with it.',
    );
  if (earlier.some((other) => other.name === name))
    refuse(`Two groups have the name "${name}"`, where, 'Give one of them another name.');
  if (ids.includes(name))
    refuse(`A group and a plugin both are called "${name}"`, where, 'Rename the group.');
  for (const key of Object.keys(group))
    if (!Object.hasOwn(known, key)) {
      const all = `A group has ${Object.keys(known).join(', ')}.`;
      const remedy = didYouMean(key, Object.keys(known), all);
      refuse(`A group has no "${key}"`, `group ${name}`, remedy);
    }
  if (typeof learningRate === 'number' && !(learningRate >= 0 && learningRate < Infinity))
    refuse(
      `The learning rate must be a number >= 0 or a schedule, not ${learningRate}`,
      `group ${name}`,
      'Leave it out to use that of the session.',
    );
}

const known: Readonly<Record<keyof GroupOptions, true>> = {
  name: true,
  match: true,
  exclude: true,
  minRank: true,
  maxRank: true,
  plugins: true,
  optimizer: true,
  learningRate: true,
};

/** Takes what a group means of what earlier groups have left. */
function claim(
  group: GroupOptions,
  parameters: readonly ParameterInfo[],
  taken: Map<string, string>,
): readonly ParameterInfo[] {
  const { name, match: include, exclude, minRank, maxRank } = group;
  const filter = { include, exclude, minRank, maxRank };
  const where = `group ${name}`;
  if (!isFiltering(filter))
    refuse('A group does not say which parameters it is for', where, 'Give it a `match`.');
  const meant = selectParameters(parameters, filter, where);
  const own = meant.filter((parameter) => !taken.has(parameter.name));
  if (own.length === 0) {
    const owners = [...new Set(meant.map((parameter) => taken.get(parameter.name)))];
    refuse(
      `Everything that the group matches is in earlier groups: ${owners.join(', ')}`,
      where,
      'A parameter is in the first group that matches it: put special groups first.',
    );
  }
  for (const parameter of own) taken.set(parameter.name, name);
  return own;
}

function checkGroupChain(
  name: string,
  shared: readonly GradientPlugin[],
  own: readonly GradientPlugin[],
  parameters: readonly ParameterInfo[],
): void {
  checkChain(own, parameters, name);
  for (const plugin of own) {
    if (plugin.seed !== undefined)
      refuse(
        `${plugin.name} changes the gradient of the loss, which all groups share`,
        `group ${name}`,
        "Put it into the session's own `plugins`: they work on all groups.",
      );
    if (plugin.single === true && shared.some((other) => other.name === plugin.name))
      refuse(
        `A chain may have one ${plugin.name} only, and the session has one that works on all groups`,
        `group ${name}`,
        'Remove one of them.',
      );
  }
}

/** Distributes the state of an optimizer that was kept for all parameters together: what belongs to a parameter goes
 *  to its group, the step count to every group. */
export function stateByGroup(
  tensors: ReadonlyMap<string, TensorData>,
  groups: readonly Pick<ParameterGroup, 'name' | 'parameters'>[],
): ReadonlyMap<string, TensorData> {
  const whole = optimizerPrefix('');
  const found = new Map<string, TensorData>();
  for (const [key, tensor] of tensors)
    for (const { name, parameters } of groups) {
      const rest = key.slice(whole.length);
      const parameter = rest.slice(rest.indexOf('/') + 1);
      if (rest === 'count' || parameters.includes(parameter))
        found.set(`${optimizerPrefix(name)}${rest}`, tensor);
    }
  return found;
}
