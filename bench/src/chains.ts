import type { GradientPlugin } from '@gradware/core';
import { l2 } from '@gradware/plugin-l2';
import { normClip } from '@gradware/plugin-norm-clip';
import { quantize } from '@gradware/plugin-quantize';
import { valueClip } from '@gradware/plugin-value-clip';

/** As pytorch_steps.py has them. */
const plugins = {
  'norm-clip': () => normClip({ maxNorm: 1 }),
  'value-clip': () => valueClip({ max: 0.1 }),
  quantize: () => quantize({ bits: 8 }),
  l2: () => l2({ lambda: 1e-4 }),
} satisfies Record<string, () => GradientPlugin>;

export type PluginName = keyof typeof plugins;

/** The chains whose cost is measured. */
export const chains = {
  empty: [],
  clips: ['norm-clip', 'value-clip'],
  four: ['norm-clip', 'value-clip', 'quantize', 'l2'],
} as const satisfies Record<string, readonly PluginName[]>;

export function chainOf(names: readonly PluginName[]): readonly GradientPlugin[] {
  return names.map((name) => plugins[name]());
}
