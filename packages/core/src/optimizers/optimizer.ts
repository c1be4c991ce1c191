import type { Op } from '../graph/builder.js';
import type { State, StateOptions } from '../graph/state.js';
import type { Value } from '../graph/value.js';
import {
  type CheckedOptions,
  checkOptions,
  type Given,
  type Kind,
  type Options,
  type Resolved,
} from '../options/options.js';
import type { Setting } from '../schedules/schedule.js';

export interface OptimizerContext {
  readonly op: Op;
  parameter(gradient: Value): Value;
  state(key: string, options?: StateOptions): State;
  setting(name: string): Value;
  /** A float32 scalar. */
  readonly learningRate: Value;
  /** Updates made, this one included (1 at the first): an int32 scalar. Steps that were held or dropped do not
   *  count. */
  readonly count: Value;
  /** The same of one parameter: fewer, where a plugin held it apart from others. */
  countOf(gradient: Value): Value;
}

/** What is made of a count of updates, for each gradient by its own; for those that share one, once. */
export function perCount<Result>(
  { countOf }: OptimizerContext,
  make: (count: Value) => Result,
): (gradient: Value) => Result {
  const made = new Map<string, Result>();
  return (gradient) => {
    const count = countOf(gradient);
    const result = made.get(count.name) ?? make(count);
    made.set(count.name, result);
    return result;
  };
}

/** Turns gradients into updates Δ, as Optax does; the session adds them: w ← w + Δ. */
export interface Optimizer {
  readonly name: string;
  /** Where neither the session nor a schedule says otherwise. */
  readonly defaultLearningRate: number;
  readonly settings: Readonly<Record<string, Setting>>;
  /** What a new value of a setting must be. */
  readonly kinds?: Readonly<Record<string, Kind<number>>>;
  /** What it makes of the gradients in place before it reads them, so that those of later calls of `runTrainStep`
   *  are added to that: ORT's InplaceClipGradNorm. */
  prepare?(gradients: readonly Value[], op: Op): readonly Value[];
  update(gradients: readonly Value[], context: OptimizerContext): readonly Value[];
}

export interface OptimizerDefinition<O extends Options> {
  readonly name: string;
  readonly description?: string;
  readonly options: O;
  readonly defaultLearningRate: number;
  validate?(
    constants: Readonly<Record<string, unknown>>,
    settings: Readonly<Record<string, Setting>>,
  ): void;
  update(
    gradients: readonly Value[],
    context: OptimizerContext,
    options: Resolved<O>,
  ): readonly Value[];
}

export interface OptimizerFactory<O extends Options> {
  (given?: Given<O>): Optimizer;
  readonly definition: OptimizerDefinition<O>;
}

/** Makes an optimizer factory from its declaration.
 *  @throws GradwareError INVALID_OPTION from the factory, naming optimizer and option */
export function defineOptimizer<const O extends Options>(
  definition: OptimizerDefinition<O>,
): OptimizerFactory<O> {
  const factory = (given: Given<O> = {}): Optimizer => {
    const { constants, settings }: CheckedOptions = checkOptions(
      definition.name,
      definition.options,
      given,
    );
    definition.validate?.(constants, settings);
    const kinds: Record<string, Kind<number>> = {};
    for (const [key, option] of Object.entries(definition.options))
      if (option.role === 'setting') kinds[key] = option.kind;
    return {
      name: definition.name,
      defaultLearningRate: definition.defaultLearningRate,
      settings,
      kinds,
      update(gradients, context) {
        const live = Object.keys(settings).map((key) => [key, context.setting(key)]);
        return definition.update(gradients, context, {
          ...constants,
          ...Object.fromEntries(live),
        } as Resolved<O>);
      },
    };
  };
  return Object.assign(factory, { definition });
}
