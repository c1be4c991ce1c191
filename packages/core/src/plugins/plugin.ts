import type { Op } from '../graph/builder.js';
import type { State, StateOptions } from '../graph/state.js';
import type { Value } from '../graph/value.js';
import {
  boolean,
  type CheckedOptions,
  checkOptions,
  constant,
  type Given,
  integer,
  type Kind,
  type Options,
  type Resolved,
} from '../options/options.js';
import type { Setting } from '../schedules/schedule.js';
import type { ParameterFilter, ParameterPattern } from './match.js';

/** What a plugin may use, and nothing more. */
export interface PluginContext {
  /** Emits nodes. */
  readonly op: Op;
  /** The weight that a gradient belongs to. */
  parameter(gradient: Value): Value;
  /** State by key; with `like: gradient` one per parameter. */
  state(key: string, options?: StateOptions): State;
  /** The value of one of the plugin's settings at this step: a float32 scalar. */
  setting(name: string): Value;
  /** Runs another plugin inside, on the gradients and at the steps that it is for; its state, settings and metrics
   *  nest under this plugin's id. */
  apply(plugin: GradientPlugin, gradients: readonly Value[]): readonly Value[];
  /** Where true (a bool scalar), later plugins and the optimizer hold still (for these gradients). */
  wait(when: Value, gradients?: readonly Value[]): void;
  /** Where true, the whole step is undone, earlier plugins too, except state that `survives`. */
  drop(when: Value, gradients?: readonly Value[]): void;
  /** Where true (a bool scalar), training ends after this step with an error STOPPED that gives the reason. The step
   *  itself is done, or undone where it is also dropped; an earlier plugin that waits holds the stop too. */
  stop(when: Value, reason: string): void;
  /** Reports a scalar under `<id>.<key>`; costs nothing where nobody listens. */
  metric(key: string, value: Value): void;
  /** Steps done before this one: an int32 scalar. */
  readonly step: Value;
  readonly learningRate: Value;
  /** The learning rate of the group that a parameter belongs to; `learningRate` is the session's where the plugin
   *  works on several groups. */
  learningRateOf(gradient: Value): Value;
  /** Uniform numbers in [0, 1) of the shape of `like`, a function of seed, step, plugin and parameter. Other ones at
   *  every call; with a key the same whenever it is asked for: what `encode` drew, `decode` can draw again. */
  random(options: { readonly like: Value; readonly key?: string }): Value;
}

/** A gradient on the host. `data` is this call's own copy: it may be changed in place. */
export interface HostGradient {
  readonly parameter: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface HostContext {
  readonly step: number;
  readonly learningRate: number;
  setting(name: string): number;
  /** A typed array kept from step to step and in checkpoints; created filled with `init` (default 0). */
  state(key: string, options: { readonly length: number; readonly init?: number }): Float32Array;
  metric(key: string, value: number): void;
  readonly signal: AbortSignal | undefined;
}

/** A tensor of which only the first `length` elements (an int32 scalar) are sent. */
export interface Prefix {
  readonly value: Value;
  readonly length: Value;
}

/** What a compressor would send: named tensors, bit-packed. Their bytes are what a wire would carry. */
export type Payload = Readonly<Record<string, Value | Prefix>>;

/** The hooks of a plugin; at least one. */
export interface PluginHooks {
  /** Before the backward pass: replaces the gradient of the loss. */
  seed?(dLoss: Value, context: PluginContext): Value;
  /** Between backward pass and optimizer: one result for each gradient, in order, of its shape and type. */
  transform?(gradients: readonly Value[], context: PluginContext): readonly Value[];
  /** For compressors, in place of transform: one gradient to its wire form... Beside a transform, which must then
   *  give the same numbers in a faster way, it says what would be sent. */
  encode?(gradient: Value, context: PluginContext): Payload;
  /** ... and back. `like` has type, shape and parameter of the result. */
  decode?(payload: Payload, context: PluginContext, like: Value): Value;
  /** After the optimizer, before w ← w + Δ. */
  transformUpdates?(updates: readonly Value[], context: PluginContext): readonly Value[];
  /** On the host, on typed arrays; cuts the step graph here. */
  transformHost?(
    gradients: readonly HostGradient[],
    context: HostContext,
  ): Promise<readonly HostGradient[]> | readonly HostGradient[];
}

/** Options that every plugin has: the parameters that it works on, and when. */
export interface CommonOptions extends ParameterFilter {
  /** Prefix of its state, settings and metrics. Default: its name, then name#2, ... */
  readonly id?: string | undefined;
  /** Works on every n-th step only, counted from `from`. */
  readonly every?: number | undefined;
  /** The first step (counted from 0) that it works on. */
  readonly from?: number | undefined;
  /** The first step that it does not work on any more. */
  readonly until?: number | undefined;
  /** Reports the norm of its gradients before and after it, and the angle between the two. */
  readonly report?: boolean | undefined;
}

/** A plugin as the chain sees it: made by a factory from definePlugin, or any object or class instance of this
 *  shape. */
export interface GradientPlugin extends PluginHooks, CommonOptions {
  readonly name: string;
  /** Numbers that may change while training; read in hooks with `context.setting(name)`. */
  readonly settings?: Readonly<Record<string, Setting>>;
  /** What a new value of a setting must be. */
  readonly kinds?: Readonly<Record<string, Kind<number>>>;
  /** Each output element depends on its own input element only: the compiler may run it on one flat vector. */
  readonly elementwise?: boolean;
  /** Its place in the usual order; see order.ts. */
  readonly role?: PluginRole;
  /** A second one in the same chain is an error. */
  readonly single?: boolean;
  /** It adds what it lost to its next gradient: error feedback around it would do that twice. */
  readonly hasFeedback?: boolean;
  /** What it loses may be more than what it is given, as with some unbiased compressors: inside error feedback that grows
   *  from step to step. */
  readonly expands?: boolean;
  /** The plugins that it runs, so that their settings are known, and their parameters checked, before it does. */
  readonly inside?: readonly GradientPlugin[];
}

/** What kind of thing a plugin does, to warn about orders known to be wrong. */
export type PluginRole =
  | 'unscale'
  | 'guard'
  | 'accumulate'
  | 'reduce'
  | 'compress'
  | 'regularise'
  | 'clip'
  | 'shape'
  | 'noise'
  | 'decay'
  | 'hold';

export interface PluginDefinition<O extends Options> {
  readonly name: string;
  /** One sentence for `gradware plugins`. */
  readonly description?: string;
  readonly options: O;
  /** May depend on the options. */
  readonly elementwise?:
    | boolean
    | ((
        constants: Readonly<Record<string, unknown>>,
        settings: Readonly<Record<string, Setting>>,
      ) => boolean);
  readonly role?: PluginRole;
  readonly single?: boolean;
  /** Whether it has error feedback of its own, given its constants. */
  hasFeedback?(constants: Readonly<Record<string, unknown>>): boolean;
  /** Whether it may lose more than it is given, given its constants. */
  expands?(constants: Readonly<Record<string, unknown>>): boolean;
  /** Checks what one option cannot know of another; throws GradwareError INVALID_OPTION. */
  validate?(
    constants: Readonly<Record<string, unknown>>,
    settings: Readonly<Record<string, Setting>>,
  ): void;
  seed?(dLoss: Value, context: PluginContext, options: Resolved<O>): Value;
  transform?(
    gradients: readonly Value[],
    context: PluginContext,
    options: Resolved<O>,
  ): readonly Value[];
  encode?(gradient: Value, context: PluginContext, options: Resolved<O>): Payload;
  decode?(payload: Payload, context: PluginContext, options: Resolved<O>, like: Value): Value;
  transformUpdates?(
    updates: readonly Value[],
    context: PluginContext,
    options: Resolved<O>,
  ): readonly Value[];
  transformHost?: PluginHooks['transformHost'];
}

export interface PluginFactory<O extends Options> {
  (given?: Given<O> & CommonOptions): GradientPlugin;
  /** What the factory makes: for help texts and the command line. */
  readonly definition: PluginDefinition<O>;
}

const isPattern = (value: unknown) => typeof value === 'string' || typeof value === 'function';

const parameterPattern: Kind<ParameterPattern> = {
  describe: 'a parameter name or glob, or a list of them',
  accepts: (value): value is ParameterPattern =>
    isPattern(value) || (Array.isArray(value) && value.every(isPattern)),
};

const identifier: Kind<string> = {
  describe: 'a text of letters, digits, - and _',
  accepts: (value): value is string => typeof value === 'string' && /^[\w#-]+$/.test(value),
};

/** For options of wrappers: the plugin inside. */
export const gradientPlugin: Kind<GradientPlugin> = {
  describe: 'a plugin',
  accepts: (value): value is GradientPlugin =>
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string',
};

/** Declarations of the options that every plugin has, for help texts and the command line. */
export const commonOptions = {
  id: constant(identifier, undefined, 'prefix of its state, settings and metrics'),
  include: constant(parameterPattern, undefined, 'parameters that it works on'),
  exclude: constant(parameterPattern, undefined, 'parameters that it leaves alone'),
  minRank: constant(integer(0), undefined, 'works on parameters of this many dimensions or more'),
  maxRank: constant(integer(0), undefined, 'works on parameters of this many dimensions or fewer'),
  every: constant(integer(1), undefined, 'works on every n-th step only'),
  from: constant(integer(0), undefined, 'the first step that it works on'),
  until: constant(integer(0), undefined, 'the first step that it does not work on any more'),
  report: constant(
    boolean,
    undefined,
    'reports the norm before and after it, and the angle between the two; costs some passes',
  ),
} satisfies Options;

/** Makes a plugin factory from its declaration: options are checked when the plugin is made.
 *  @throws GradwareError INVALID_OPTION from the factory, naming plugin and option */
export function definePlugin<const O extends Options>(
  definition: PluginDefinition<O>,
): PluginFactory<O> {
  const declared: Options = { ...definition.options, ...commonOptions };
  const factory = (given: Given<O> & CommonOptions = {}): GradientPlugin => {
    const checked = checkOptions(definition.name, declared, given);
    definition.validate?.(checked.constants, checked.settings);
    return instantiate(definition, checked);
  };
  return Object.assign(factory, { definition });
}

function instantiate<O extends Options>(
  definition: PluginDefinition<O>,
  checked: CheckedOptions,
): GradientPlugin {
  const { constants, settings } = checked;
  const common: Record<string, unknown> = {};
  for (const key of Object.keys(commonOptions))
    if (constants[key] !== undefined) common[key] = constants[key];
  const kinds: Record<string, Kind<number>> = {};
  for (const [key, option] of Object.entries(definition.options))
    if (option.role === 'setting') kinds[key] = option.kind;
  const inside = Object.values(constants).filter(gradientPlugin.accepts);
  const resolve = (context: PluginContext): Resolved<O> => {
    const live = Object.keys(settings).map((key) => [key, context.setting(key)]);
    return { ...constants, ...Object.fromEntries(live) } as Resolved<O>;
  };
  const { seed, transform, encode, decode, transformUpdates, transformHost } = definition;
  return {
    name: definition.name,
    ...common,
    settings,
    kinds,
    ...(inside.length > 0 && { inside }),
    elementwise:
      typeof definition.elementwise === 'function'
        ? definition.elementwise(constants, settings)
        : (definition.elementwise ?? false),
    ...(definition.role && { role: definition.role }),
    ...(definition.single && { single: true }),
    ...(definition.hasFeedback?.(constants) && { hasFeedback: true }),
    ...(definition.expands?.(constants) && { expands: true }),
    ...(seed && { seed: (dLoss, context) => seed(dLoss, context, resolve(context)) }),
    ...(transform && {
      transform: (gradients, context) => transform(gradients, context, resolve(context)),
    }),
    ...(encode && { encode: (gradient, context) => encode(gradient, context, resolve(context)) }),
    ...(decode && {
      decode: (payload, context, like) => decode(payload, context, resolve(context), like),
    }),
    ...(transformUpdates && {
      transformUpdates: (updates, context) => transformUpdates(updates, context, resolve(context)),
    }),
    ...(transformHost && { transformHost }),
  };
}
