import type { Value } from '../graph/value.js';
import type { TensorData } from '../onnx/ir.js';
import type { HostCall, StepScalar } from '../plugins/registry.js';

/** How the steps of one run are fed.
 *  - `single`: one step; state goes in and out of the graph.
 *  - `batches`: an ONNX Loop over inputs stacked to [K, ...]; state stays inside.
 *  - `rows`: the same, with whole data sets [N, ...] and the row numbers [K, B] of each step. */
export type Feeding = 'single' | 'batches' | 'rows';

/** Which part of a step a program holds: all of it, or one side of the cut between backward pass and chain. */
export type Part = 'step' | 'backward' | 'update';

/** A state tensor as the session sees it. */
export interface StateSpec {
  /** Its key in checkpoints: `parameter/<name>`, `optimizer/...`, `plugin/...`, `statistic/<name>`, `gradient/<name>`. */
  readonly key: string;
  readonly value: Value;
  readonly init: () => TensorData;
  /** The value that it becomes; undefined where this program never changes it. */
  readonly next: string | undefined;
}

/** What the host does between two stages. */
export interface HostStep {
  readonly call: HostCall;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface Stage {
  readonly hosts: readonly HostStep[];
  readonly model: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A compiled step: ordinary ONNX models, and which of their inputs and outputs mean what. Names of inputs and
 *  outputs are those of the values themselves, in a Loop with the suffixes that `names` tells. */
export interface StepProgram {
  readonly part: Part;
  readonly feeding: Feeding;
  readonly stages: readonly Stage[];
  /** User inputs, with the shape of one step. */
  readonly inputs: readonly Value[];
  readonly frozen: readonly Value[];
  readonly states: readonly StateSpec[];
  /** Scalars fed at every step, as [K] in a Loop. */
  readonly scalars: readonly StepScalar[];
  readonly loss: string | undefined;
  readonly metrics: ReadonlyMap<string, string>;
  /** Further outputs, by name; not available in a Loop. */
  readonly outputs: readonly string[];
  readonly dropped: string | undefined;
  /** Bool scalars that say that a plugin ends training, with its id and its reason. */
  readonly stops: readonly StopSpec[];
}

export interface StopSpec {
  readonly name: string;
  readonly owner: string;
  readonly reason: string;
}

/** Names that a program uses beside those of the model's own values. */
export const names = {
  /** State before the first and after the last turn of a Loop. */
  initial: (name: string) => `${name}/initial`,
  final: (name: string) => `${name}/final`,
  /** What the turns of a Loop collect: [K, ...]. */
  collected: (name: string) => `${name}/collected`,
  /** Inputs of all turns: [K, ...]. */
  stacked: (name: string) => `${name}/stacked`,
  /** A whole data set: [N, ...]. */
  dataset: (name: string) => `${name}/dataset`,
  rows: 'gradware/rows',
  trips: 'gradware/trips',
  seed: 'gradware/seed',
  reset: 'gradware/reset',
} as const;
