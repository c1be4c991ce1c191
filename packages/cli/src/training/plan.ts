import {
  commonOptions,
  didYouMean,
  type GradientPlugin,
  GradwareError,
  type GroupOptions,
  nonNegative,
  type Options,
  setting,
} from '@gradware/core';
import { type OptimizerChoice, parseOptimizer } from '../options/optimizer.js';
import { parseSpec } from '../options/spec.js';
import { readOptions } from '../options/values.js';
import { makePlugins } from '../plugins/resolve.js';

/** Who works on which parameters: for the session itself and for its groups. */
export interface Plan extends Partial<OptimizerChoice> {
  /** What scales the loss, where forward and backward pass compute in float16. */
  readonly mixedPrecision?: GradientPlugin | undefined;
  readonly plugins: readonly GradientPlugin[];
  readonly groups: readonly GroupOptions[];
}

interface PlanFlags {
  readonly group: readonly string[];
  readonly optimizer: readonly string[];
  readonly plugin: readonly string[];
  readonly precision?: Precision | undefined;
}

export const precisions = ['float32', 'float16'] as const;
export type Precision = (typeof precisions)[number];

const scaler = 'loss-scale';

const rate = setting(
  nonNegative,
  undefined,
  'learning rate of the group; that of the session if not given',
);

const groupOptions: Options = {
  match: commonOptions.include,
  exclude: commonOptions.exclude,
  minRank: commonOptions.minRank,
  maxRank: commonOptions.maxRank,
  lr: rate,
  learningRate: rate,
};

/** Reads `--group head:match=head.*,lr=0.01`, and to whom the optimizers and plugins belong: `head/sgd` and
 *  `head/norm-clip` to the group of that name, `sgd` and `norm-clip` to all.
 *  @throws GradwareError INVALID_OPTION, UNKNOWN_PLUGIN */
export async function readPlan(flags: PlanFlags, roots: readonly string[]): Promise<Plan> {
  const groups = flags.group.map(parseGroup);
  const names = groups.map(({ name }) => name);
  const optimizers = byOwner(flags.optimizer, names);
  const plugins = byOwner(flags.plugin, names);
  const optimizerOf = (name: string) => onlyOptimizer(optimizers.get(name) ?? [], names);
  const own: GroupOptions[] = [];
  for (const group of groups) {
    const { name } = group;
    const { optimizer, learningRate } = optimizerOf(name) ?? {};
    if (learningRate !== undefined && group.learningRate !== undefined)
      refuse(
        `The group ${name} has two learning rates`,
        `--group ${name}`,
        'Leave one of them out.',
      );
    own.push({
      ...group,
      optimizer,
      learningRate: learningRate ?? group.learningRate,
      plugins: await makePlugins(plugins.get(name) ?? [], roots),
    });
  }
  const shared = plugins.get('') ?? [];
  const isHalf = flags.precision === 'float16';
  const ownScaler = isHalf
    ? shared.find((spec) => spec.trim().split(':')[0] === scaler)
    : undefined;
  const [mixedPrecision] = isHalf ? await makePlugins([ownScaler ?? scaler], roots) : [];
  const others = shared.filter((spec) => spec !== ownScaler);
  return {
    ...optimizerOf(''),
    mixedPrecision,
    plugins: await makeShared(others, roots, names),
    groups: own,
  };
}

/** The chain of all. Where one is not found, the slash in its name may be that of a group. */
async function makeShared(
  specs: readonly string[],
  roots: readonly string[],
  groups: readonly string[],
): Promise<readonly GradientPlugin[]> {
  try {
    return await makePlugins(specs, roots);
  } catch (error) {
    if (error instanceof GradwareError && error.code === 'UNKNOWN_PLUGIN' && groups.length > 0)
      for (const spec of specs)
        if (error.message.includes(nameOf(spec))) refuseGroup(spec, groups, '--plugin');
    throw error;
  }
}

const nameOf = (spec: string) => `"${spec.trim().split(':')[0]}"`;

/** What the plugins are called, in order. */
export function pluginNames({ mixedPrecision, plugins, groups }: Plan): readonly string[] {
  const idOf = ({ id, name }: GradientPlugin) => id ?? name;
  return [
    ...(mixedPrecision ? [idOf(mixedPrecision)] : []),
    ...plugins.map(idOf),
    ...groups.flatMap((group) =>
      (group.plugins ?? []).map((plugin) => `${group.name}/${idOf(plugin)}`),
    ),
  ];
}

function parseGroup(text: string): GroupOptions {
  const spec = parseSpec(text);
  const { lr, learningRate = lr, ...filter } = readOptions(spec, groupOptions);
  if (lr !== learningRate)
    refuse('lr and learning-rate are the same', `--group ${text}`, 'Leave one of them out.');
  return {
    name: spec.name,
    ...filter,
    ...(learningRate !== undefined && { learningRate }),
  } as GroupOptions;
}

/** Specs by the group that stands before their slash; those of no group under the empty name. */
function byOwner(
  specs: readonly string[],
  groups: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const spec of specs) {
    const owner = groups.find((name) => spec.trimStart().startsWith(`${name}/`)) ?? '';
    const rest = owner === '' ? spec : spec.trimStart().slice(owner.length + 1);
    found.set(owner, [...(found.get(owner) ?? []), rest]);
  }
  return found;
}

/** @throws GradwareError INVALID_OPTION where what stands before a slash is no group */
function refuseGroup(spec: string, groups: readonly string[], flag: string): void {
  const [, owner] = /^\s*([\w-]+)\//.exec(spec) ?? [];
  if (owner === undefined) return;
  refuse(
    `No group is named "${owner}"`,
    `${flag} ${spec}`,
    didYouMean(owner, groups, `Declare it: --group ${owner}:match=...`),
  );
}

function onlyOptimizer(
  specs: readonly string[],
  groups: readonly string[],
): OptimizerChoice | undefined {
  const [first, second] = specs;
  if (first === undefined) return undefined;
  refuseGroup(first, groups, '--optimizer');
  if (second !== undefined)
    refuse(
      'Two optimizers are given for the same parameters',
      `--optimizer ${second}`,
      'Give one; or one to a group: --group head:match=head.* --optimizer head/sgd.',
    );
  return parseOptimizer(first);
}

function refuse(problem: string, where: string, remedy: string): never {
  throw new GradwareError('INVALID_OPTION', problem, { where, remedy });
}
