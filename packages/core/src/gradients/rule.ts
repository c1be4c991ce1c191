import type { Op } from '../graph/builder.js';
import type { PlainAttributes, Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';

/** Inputs or outputs of a node, so that rules can destructure them. An optional one that the node leaves out is
 *  undefined at run time: a rule that meets optional inputs asks `has(i)` first. */
export type Values = readonly [Value, Value, Value, Value, Value, Value, Value, Value, ...Value[]];

export interface GradientContext {
  /** The gradient of output 0. A rule for a node with several outputs uses `dys`. */
  readonly dy: Value;
  /** The gradient of every output; undefined where none flows back. */
  readonly dys: readonly (Value | undefined)[];
  readonly x: Values;
  readonly y: Value;
  readonly ys: Values;
  readonly attributes: PlainAttributes;
  readonly node: Node;
  readonly op: Op;
  has(i: number): boolean;
  /** Whether anybody wants the gradient of input i; what is not wanted need not be emitted. */
  needs(i: number): boolean;
  /** The numbers of input i where they are constant. */
  constant(i: number): readonly number[] | undefined;
}

/** The gradient of each input, in order; null or missing where none flows. */
export type GradientRule = (context: GradientContext) => readonly (Value | null | undefined)[];

export type GradientRules = Readonly<Record<string, GradientRule>>;

/** Types a table of gradient rules, one entry per ONNX op. */
export function rules<Table extends GradientRules>(table: Table): Table {
  return table;
}
