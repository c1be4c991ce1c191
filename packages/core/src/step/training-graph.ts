import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/value.js';

/** Running statistics (of a batch norm): what they are, and what a step makes of them. */
export interface Statistic {
  readonly value: Value;
  readonly next: Value;
}

/** Forward and backward pass for exact shapes, in ORT's training dialect: where both doors meet. */
export interface TrainingGraph {
  readonly builder: GraphBuilder;
  /** What the user feeds: inputs and targets. */
  readonly inputs: readonly Value[];
  /** What is trained, with the gradient of each. */
  readonly trainable: readonly { readonly parameter: Value; readonly gradient: Value }[];
  /** Parameters that are fed and stay as they are. */
  readonly frozen: readonly Value[];
  readonly statistics: readonly Statistic[];
  readonly loss: Value;
  /** Further outputs that were asked for. */
  readonly outputs: readonly Value[];
  /** The gradient of the loss that the backward pass starts from. */
  readonly seed: Value;
}
