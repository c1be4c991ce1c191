import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { filled } from '../graph/constants.js';
import type { State, StateOptions } from '../graph/state.js';
import type { Value } from '../graph/value.js';
import type { DataType, TensorData } from '../onnx/ir.js';
import type { Kind } from '../options/options.js';
import { type Setting, valueAt } from '../schedules/schedule.js';
import type { GradientPlugin } from './plugin.js';

/** A tensor that lives from step to step. */
export interface StateRecord {
  /** Its name in checkpoints: `<kind>/<owner>...`. */
  readonly key: string;
  readonly value: Value;
  /** What it becomes; undefined while nobody has set it (it then stays). */
  next: Value | undefined;
  readonly init: () => TensorData;
  /** Place in the chain of the plugin that owns it; Infinity for optimizer and parameters, which come last. */
  readonly place: number;
  readonly parameter: string | undefined;
  /** State of no one parameter may belong to a group: these are its parameters; undefined for all. */
  readonly scope: ReadonlySet<string> | undefined;
  readonly survives: boolean | 'later';
  /** False where the owner rests at this step. */
  readonly active: Value | undefined;
}

/** A plugin's request that others hold still, or that the step be undone. */
export interface Hold {
  /** The plugin's id. */
  readonly owner: string;
  readonly when: Value;
  readonly place: number;
  /** The parameters that it concerns; undefined for all. */
  readonly parameters: ReadonlySet<string> | undefined;
}

/** A plugin's request that training end. */
export interface StopRequest extends Hold {
  readonly reason: string;
}

/** A scalar that the host computes for every step. */
export interface StepScalar {
  readonly value: Value;
  readonly at: (step: number) => number;
}

/** A cut in the step, where a host plugin works on typed arrays. */
export interface HostCall {
  readonly plugin: GradientPlugin;
  readonly id: string;
  /** What messages call it. */
  readonly where: string;
  readonly parameters: readonly string[];
  /** The scalar that holds the learning rate of its group. */
  readonly learningRate: string;
  readonly isActive: (step: number) => boolean;
}

export interface LiveSetting {
  setting: Setting;
  readonly kind: Kind<number> | undefined;
}

/** What plugins and optimizers leave behind while they write their nodes. */
export interface Registry {
  readonly states: Map<string, StateRecord>;
  readonly settings: Map<string, Value>;
  readonly scalars: Map<string, StepScalar>;
  readonly metrics: Map<string, Value>;
  readonly waits: Hold[];
  readonly drops: Hold[];
  readonly stops: StopRequest[];
  readonly hosts: HostCall[];
}

export function createRegistry(): Registry {
  return {
    states: new Map(),
    settings: new Map(),
    scalars: new Map(),
    metrics: new Map(),
    waits: [],
    drops: [],
    stops: [],
    hosts: [],
  };
}

/** Settings by `<id>.<option>`, shared by everything that is compiled for one session, so that a change reaches
 *  every compiled step. */
export type LiveSettings = Map<string, LiveSetting>;

/** What a step is written with: its nodes, what they leave behind, the settings that they read. */
export interface StepWriter {
  readonly builder: GraphBuilder;
  readonly registry: Registry;
  readonly live: LiveSettings;
}

/** Declares a number that is fed at every step. */
export function stepScalar(
  builder: GraphBuilder,
  registry: Registry,
  name: string,
  type: DataType,
  at: (step: number) => number,
): Value {
  const known = registry.scalars.get(name);
  if (known !== undefined) return known.value;
  const value = builder.declare({ name: `gradware/${name}`, type, shape: [] });
  registry.scalars.set(name, { value, at });
  return value;
}

/** The value of a setting at this step. The first who asks declares it, as `initial` says. */
export function liveSetting(
  { builder, registry, live }: StepWriter,
  name: string,
  initial: LiveSetting,
): Value {
  if (!live.has(name)) live.set(name, initial);
  const entry = live.get(name) as LiveSetting;
  return stepScalar(builder, registry, name, 'float32', (step) => {
    const value = valueAt(entry.setting, step);
    if (typeof entry.setting === 'function') checkScheduled(name, value, step, entry.kind);
    return value;
  });
}

/** One NaN from a schedule would make NaN of every weight.
 *  @throws GradwareError INVALID_OPTION */
function checkScheduled(
  name: string,
  value: unknown,
  step: number,
  kind: Kind<number> | undefined,
): void {
  const fits =
    kind === undefined ? typeof value === 'number' && !Number.isNaN(value) : kind.accepts(value);
  if (fits) return;
  throw new GradwareError(
    'INVALID_OPTION',
    `The schedule of ${name} gives ${value} at step ${step}`,
    {
      remedy: `It must give ${kind?.describe ?? 'a number'} for every step from 0 on.`,
    },
  );
}

export interface StateOwner {
  /** `plugin/<id>.` or `optimizer/`. */
  readonly prefix: string;
  readonly place: number;
  /** The parameters of its group; undefined for all. */
  readonly scope: ReadonlySet<string> | undefined;
  readonly active: Value | undefined;
}

/** State by key; the same key gives the same state to every hook of its owner. */
export function ownState(
  builder: GraphBuilder,
  registry: Registry,
  owner: StateOwner,
  key: string,
  options: StateOptions = {},
): State {
  const { like, init = 0, survives = false } = options;
  const parameter = like?.parameter;
  const full = `${owner.prefix}${key}${parameter === undefined ? '' : `/${parameter}`}`;
  const record = registry.states.get(full) ?? declareState();
  return {
    value: record.value,
    set(next) {
      if (next.type !== record.value.type || `${next.shape}` !== `${record.value.shape}`)
        throw new GradwareError(
          'PLUGIN_CONTRACT',
          `State ${full} is ${record.value.type}[${record.value.shape}] and was set to ${next.type}[${next.shape}]`,
          {
            remedy:
              'Declare the state with that dtype and shape, or cast and reshape what it is set to.',
          },
        );
      record.next = next;
      return next;
    },
  };

  function declareState(): StateRecord {
    const type = options.dtype ?? like?.type ?? 'float32';
    const shape = options.shape ?? like?.shape ?? [];
    const value = builder.declare({ name: full, type, shape, parameter });
    const created: StateRecord = {
      key: full,
      value,
      next: undefined,
      init: () => filled(type, shape, init),
      place: owner.place,
      parameter,
      scope: owner.scope,
      survives,
      active: owner.active,
    };
    registry.states.set(full, created);
    return created;
  }
}
