import type { Value } from '../graph/value.js';
import type { ParameterInfo } from './match.js';
import type { StepWriter } from './registry.js';

/** Everything that a chain needs to know of the step that it becomes part of. */
export interface ChainEnvironment extends StepWriter {
  readonly step: Value;
  readonly seed: Value;
  readonly learningRate: Value;
  readonly learningRateOf: (parameter: string) => Value;
  /** Whether anybody listens to this metric. */
  readonly wantsMetric: (name: string) => boolean;
  /** The parameters that this chain is for. */
  readonly parameters: readonly ParameterInfo[];
  /** The group whose own chain this is: its holds concern `parameters` only. Undefined for the chain of all. */
  readonly group?: GroupPlace | undefined;
}

/** Where the chain of a group stands. */
export interface GroupPlace {
  readonly name: string;
  /** How many plugins work on all groups, before those of the group. */
  readonly after: number;
}
